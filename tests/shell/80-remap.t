#!/bin/sh
# Memory goes by migration: pages move while a hog touches them and cksum reads on.
# shellcheck source=tests/shell/lib.sh disable=SC2016,SC2034,SC2317
. "$(dirname "$0")/lib.sh"

: "${MEMFS_TEST_BIG:=200M}"
m=$mnt/memhotplug

is_json() {
	python3 -c 'import json, sys; json.load(sys.stdin)'
}

event() {
	sed -n "s/^$1 //p" "$mnt/vmstat"
}

test_expect_success 'a big file, a tmpfs file and a hog' '
	memfs mount "$mnt" &&
	head -c "$MEMFS_TEST_BIG" /dev/urandom >big &&
	before=$(cksum <big) &&
	cp big "$mnt/files/" &&
	dd if=/dev/urandom of="$mnt/shm/little" bs=1M count=20 status=none &&
	little=$(cksum <"$mnt/shm/little") &&
	test_background memfs hog anon 100M &&
	hog=$! &&
	test_until "grep -q \"^pid=$hog .*state=running\" \"$mnt/control/tasks\"" &&
	test_until "! zone_is_empty 5"'

test_expect_success 'a check moves nothing and says what would move' '
	moved=$(event pgmigrate_success) &&
	echo remap 5 check >"$m" &&
	[ "$(event pgmigrate_success)" = "$moved" ] &&
	tail -n 1 "$mnt/kmsg" | grep -q "remap 5 check: .* pages would move"'

test_expect_success 'the node is disabled; its pages move, and it is unplugged' '
	echo disable 1 >"$m" &&
	until echo remap 5 >"$m"; do sleep 1; done &&
	zone_is_empty 5 &&
	until echo remap 6 >"$m"; do sleep 1; done &&
	zone_is_empty 6 &&
	echo unplug 1 >"$m" &&
	! node_is_listed 1'

test_expect_success 'the hog goes on, every byte is there' '
	kill -0 "$hog" &&
	[ "$(cksum <"$mnt/files/big")" = "$before" ] &&
	[ "$(cksum <"$mnt/shm/little")" = "$little" ] &&
	memfs validate "$mnt"'

test_expect_success 'the node comes back; pages are sent there by name' '
	echo plug 1 >"$m" &&
	echo plug 2 >"$m" &&
	echo enable 2 >"$m" &&
	echo enable 1 >"$m" &&
	cksum <"$mnt/files/big" >/dev/null &&
	dd if=/dev/zero of="$mnt/files/more" bs=1M count=150 status=none &&
	echo disable 1 >"$m" &&
	memfs remap --to 2 5 &&
	memfs remap --to 2 6 &&
	zone_is_empty 5 && zone_is_empty 6'

test_expect_success 'why says whose pages keep a node' '
	memfs why node2 | grep -q "files/" &&
	memfs why --json 10 | is_json &&
	memfs why memory0 &&
	memfs remap --json 5 | is_json &&
	memfs remap --check --json 10 | is_json'

test_expect_success 'a kernel page keeps a node: inuse finds it, unplug is refused' '
	echo kernel_page=1 >"$mnt/control/faults" &&
	! memfs remap 5 &&
	memfs why --stay 5 | grep -q kernel &&
	echo inuse 5 >"$m" &&
	tail -n 2 "$mnt/kmsg" | grep -q "kernel 1" &&
	! echo unplug 1 >"$m" &&
	echo kernel_page=0 >"$mnt/control/faults" &&
	echo unplug 1 >"$m"'

test_expect_success 'the ways of 2004 are chosen, and found again' '
	echo dirty=writeout anon=swapslot maps=lazy >"$mnt/control/migration" &&
	echo disable 2 >"$m" &&
	until echo remap 10 >"$m"; do sleep 1; done &&
	grep -q "^anon=swapslot" "$mnt/control/migration" &&
	[ "$(cksum <"$mnt/files/big")" = "$before" ] &&
	memfs validate "$mnt"'

test_expect_success 'a node is defragmented by any write' '
	echo 1 >"$mnt/node0/compact" &&
	memfs validate "$mnt"'

test_expect_code 1 'a bad target is refused' 'memfs remap --to 9 1'
test_expect_code 1 'a zone that is not there is refused' 'memfs remap 77'
test_expect_code 1 'why of what is not there is refused' 'memfs why node9'
test_expect_code 2 'why of junk is a usage error' 'memfs why sunspots'

test_expect_success 'the mount ends' '
	kill "$hog" &&
	test_until "test_is_gone $hog" &&
	memfs umount "$mnt"'

test_done
