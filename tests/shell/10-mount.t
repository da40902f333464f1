#!/bin/sh
# The life of a mount: made, found, used, unmounted; nothing there afterwards.
# shellcheck source=tests/shell/lib.sh disable=SC2016,SC2317
. "$(dirname "$0")/lib.sh"

test_expect_code 3 'without a mount a command says so' \
	'memfs purge 5'

test_expect_success 'mount returns when the mount answers' \
	'memfs mount "$mnt" && grep -q "^Node 0 enabled" "$mnt/memhotplug"'

test_expect_success 'a command substitution of mount does not hang' '
	memfs umount "$mnt" &&
	said=$(timeout 60 memfs mount "$mnt") &&
	[ -z "$said" ]'

test_expect_success 'the listing is that of the default machine' '
	[ "$(zone_field 1 present)" = 126976 ] &&
	[ "$(zone_field 5 present)" = 83968 ] &&
	[ "$(zone_field 6 present)" = 45056 ]'

test_expect_code 1 'a second mount on the same place is refused' \
	'memfs mount "$mnt"'

test_expect_success 'the mount is found by --mount, MEMFS_MOUNT and mountpoint/' '
	memfs validate "$mnt" &&
	(cd / && memfs purge --json 0 >/dev/null) &&
	ln -s "$mnt" mountpoint &&
	(unset MEMFS_MOUNT && memfs purge --json 0 >/dev/null) &&
	(unset MEMFS_MOUNT && cd / && memfs purge --mount "$mnt" --json 0 >/dev/null)'

test_expect_success 'a file is written and read back' '
	head -c 3000000 /dev/urandom >here &&
	cp here "$mnt/files/there" &&
	cmp here "$mnt/files/there" &&
	[ "$(cksum <here)" = "$(cksum <"$mnt/files/there")" ]'

test_expect_code 1 'a busy mount is not unmounted' '
	exec 7<"$mnt/files/there"
	memfs umount "$mnt" 7<&-'

test_expect_success 'its holder gone, it is' \
	'exec 7<&- && memfs umount "$mnt" && ! test_is_mounted'

test_expect_success 'the mount that others talk to is unmounted without a name' \
	'memfs mount "$mnt" && memfs umount && ! test_is_mounted'

test_expect_code 1 'unmounting what is not mounted is refused' \
	'memfs umount "$mnt"'

test_expect_success 'files/ on a directory stays there' '
	mkdir disk &&
	memfs mount --files disk "$mnt" &&
	cp here "$mnt/files/kept" &&
	memfs umount "$mnt" &&
	cmp here disk/kept'

test_expect_success 'the form of mount(8) mounts, foreign words are swallowed' '
	memfs 2003 "$mnt" -o rw,noauto,nofail,x-systemd.automount,nosuid,clock=manual &&
	grep -q "mode=manual" "$mnt/control/clock" &&
	grep -q "^Zone 5: .*present 262144" "$mnt/memhotplug" &&
	memfs umount "$mnt"'

test_expect_success 'mount.fuse3 mounts, as mount -t fuse.memfs runs it' '
	mount.fuse3 2004 "$mnt" -t fuse.memfs -o rw,noauto,nofail,clock=manual &&
	grep -q "mode=manual" "$mnt/control/clock" &&
	memfs umount "$mnt"'

test_expect_success 'a machine file may lie anywhere' '
	mkdir "odd, place" &&
	memfs machine show --file 2004 >"odd, place/my.toml" &&
	memfs mount --machine "odd, place/my.toml" "$mnt" &&
	node_is_listed 1 &&
	memfs umount "$mnt"'

test_expect_code 2 'a word that nobody knows is a usage error' \
	'memfs 2004 "$mnt" -o nosuch'

test_expect_code 1 'a machine file with a mistake is refused' '
	printf "name = \"x\"\n[[node]]\nsize = \"lots\"\n" >bad.toml
	memfs mount --machine bad.toml "$mnt"'

test_expect_success 'a mount whose daemon was killed is healed' '
	memfs mount "$mnt" &&
	kill -9 "$(cat "$mnt/control/pid")" &&
	test_until "! cat \"\$mnt/memhotplug\" 2>/dev/null" &&
	memfs mount "$mnt" &&
	cat "$mnt/memhotplug" &&
	memfs umount "$mnt"'

test_expect_success 'what a private disk held is said to have gone with it' '
	memfs mount "$mnt" &&
	cp here "$mnt/files/gone" &&
	memfs umount "$mnt" 2>said &&
	grep -q "files/ was private" said'

test_expect_success 'of a killed daemon it is still there, and where is said' '
	memfs mount "$mnt" &&
	cp here "$mnt/files/left" &&
	sync "$mnt/files/left" &&
	kill -9 "$(cat "$mnt/control/pid")" &&
	test_until "! cat \"\$mnt/memhotplug\" 2>/dev/null" &&
	memfs mount "$mnt" 2>said &&
	left=$(sed "s/.* is in //" said) &&
	cmp here "$left/left" &&
	memfs umount "$mnt" &&
	rm -r "${left%/files}"'

test_expect_success 'with no daemon the project mount point takes no command' '
	! sh -c "echo disable 5 > \"$root/mountpoint/memhotplug\"" ||
	[ -f "$root/mountpoint/control/pid" ]'

test_done
