#!/bin/sh
# The main job: half a gigabyte of hardware goes with one echo, cksum reads on.
# shellcheck source=tests/shell/lib.sh disable=SC2016,SC2317
. "$(dirname "$0")/lib.sh"

: "${MEMFS_TEST_BIG:=300M}"

# again COMMAND CONDITION: "repeat as necessary", at most twenty times.
again() {
	for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
		eval "$1" || return 1
		eval "$2" && return
	done
	return 1
}

test_expect_success 'a big file is copied in' '
	memfs mount "$mnt" &&
	head -c "$MEMFS_TEST_BIG" /dev/urandom >big &&
	before=$(cksum <big) &&
	cp big "$mnt/files/" &&
	[ "$(cksum <"$mnt/files/big")" = "$before" ]'

test_expect_success 'a hog touches its pages' '
	test_background memfs hog anon 200M &&
	hog=$! &&
	test_until "grep -q \"^pid=$hog .*state=running\" \"$mnt/control/tasks\"" &&
	test_until "! zone_is_empty 5"'

test_expect_success 'zone 5 is disabled and purged until it is empty' '
	echo disable 5 >"$mnt/memhotplug" &&
	again "echo purge 5 >\"$mnt/memhotplug\"" "zone_is_empty 5"'

test_expect_success 'it stays empty while the hog goes on' '
	kill -0 "$hog" &&
	zone_is_empty 5'

test_expect_success 'the sum is the same, read back through other zones' \
	'[ "$(cksum <"$mnt/files/big")" = "$before" ]'

test_expect_success 'the other zone of the node goes the same way' '
	echo disable 1 >"$mnt/memhotplug" &&
	again "echo purge 6 >\"$mnt/memhotplug\"" "zone_is_empty 6"'

test_expect_success 'the node is unplugged' '
	echo unplug 1 >"$mnt/memhotplug" &&
	! node_is_listed 1 &&
	! [ -e "$mnt/node1" ]'

test_expect_success 'without the node the sum is the same' \
	'[ "$(cksum <"$mnt/files/big")" = "$before" ]'

test_expect_success 'the node comes back' '
	echo plug 1 >"$mnt/memhotplug" &&
	node_is_listed 1 &&
	echo enable 1 >"$mnt/memhotplug" &&
	grep -q "^Node 1 enabled" "$mnt/memhotplug" &&
	[ -d "$mnt/node1" ]'

test_expect_success 'the sum is still the same, and every invariant holds' '
	[ "$(cksum <"$mnt/files/big")" = "$before" ] &&
	memfs validate "$mnt"'

test_expect_success 'the mount ends' '
	kill "$hog" &&
	test_until "test_is_gone $hog" &&
	memfs umount "$mnt"'

test_done
