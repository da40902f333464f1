#!/bin/sh
# Whoever is not root mounts through fusermount3, and the mount is theirs alone.
# In a mount namespace, where /dev/fuse and /etc/fuse.conf can be as a machine for
# several users has them, whatever those of this machine are.
# shellcheck source=tests/shell/lib.sh disable=SC2016,SC2317
if [ -z "$TEST_UNSHARED" ]; then
	TEST_UNSHARED=yes exec unshare --mount "${TEST_SHELL:-sh}" "$0"
fi
. "$(dirname "$0")/lib.sh"

# Uid 65534, with one thing more than it has: it may read where the project and its
# Python lie, which need not be open to everybody. Nothing that mounting asks for.
as_user() {
	setpriv --reuid=65534 --regid=65534 --clear-groups \
		--inh-caps=-all,+dac_read_search --ambient-caps=-all,+dac_read_search \
		env HOME="$trash/home" MEMFS_RUNTIME_DIR="$trash/home/run" "$@"
}

as_other() {
	setpriv --reuid=65533 --regid=65533 --clear-groups "$@"
}

mknod -m 666 fuse c 10 229
: >conf
[ -e /etc/fuse.conf ] || : >/etc/fuse.conf
mount --bind fuse /dev/fuse
mount --bind conf /etc/fuse.conf

mkdir home home/run home/disk
chmod 755 "$trash"
chown 65534:65534 "$trash" home home/run home/disk "$mnt"

test_expect_success 'an ordinary user mounts' '
	as_user memfs mount --machine 2003 --files home/disk "$mnt" &&
	test_is_mounted &&
	as_user grep -q "^Zone 5: .*present 262144" "$mnt/memhotplug"'

test_expect_success 'the files are theirs, and so are the commands' '
	[ "$(as_user stat -c %u:%g "$mnt/memhotplug")" = 65534:65534 ] &&
	as_user sh -c "echo disable 5 >\"$mnt/memhotplug\"" &&
	as_user grep -q "disable 5" "$mnt/kmsg" &&
	as_user memfs validate "$mnt"'

test_expect_success 'bytes written through files/ are on the disk at the end' '
	head -c 300000 /dev/urandom >home/here &&
	chown 65534:65534 home/here &&
	as_user cp home/here "$mnt/files/there" &&
	as_user cmp home/here "$mnt/files/there"'

test_expect_success 'nobody else sees into it, root neither' \
	'! cat "$mnt/memhotplug"'

test_expect_success 'the user unmounts' '
	as_user memfs umount "$mnt" && ! test_is_mounted &&
	cmp home/here home/disk/there'

test_expect_success 'a directory of somebody else is refused in one sentence' '
	mkdir -p theirs && chmod 755 theirs &&
	! as_user memfs mount "$trash/theirs" 2>refusal &&
	[ "$(cat refusal)" = "memfs: $trash/theirs: mount on a directory that you may write to" ]'

test_expect_success 'a device that the user may not open is named' '
	chmod 600 fuse &&
	! as_user memfs mount "$mnt" 2>refusal &&
	[ "$(cat refusal)" = "memfs: $mnt: /dev/fuse may not be opened by this user" ] &&
	! as_user memfs doctor >report &&
	grep -q "^missing .*/dev/fuse: Permission denied. As root: chmod 666 /dev/fuse.$" report &&
	chmod 666 fuse'

test_expect_success 'without user_allow_other the refusal names it' '
	! as_user memfs mount -o allow_other "$mnt" 2>refusal &&
	grep -q user_allow_other refusal &&
	! test_is_mounted'

echo user_allow_other >conf

test_expect_success 'with it others may look, and only look' '
	as_user memfs mount -o allow_other "$mnt" &&
	cat "$mnt/memhotplug" >/dev/null &&
	as_other cat "$mnt/memhotplug" >/dev/null &&
	! as_other sh -c "echo purge 5 >\"$mnt/memhotplug\"" &&
	as_user memfs umount "$mnt"'

test_expect_success 'doctor finds nothing that keeps the user from mounting' \
	'as_user memfs doctor'

umount /etc/fuse.conf /dev/fuse
test_done
