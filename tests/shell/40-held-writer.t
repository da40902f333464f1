#!/bin/sh
# A writer that a long command holds is gone at once when it gets a signal.
# shellcheck source=tests/shell/lib.sh disable=SC2016,SC2317
. "$(dirname "$0")/lib.sh"

test_expect_success 'a machine with a slow swap disk and a hog' '
	memfs mount --clock wall "$mnt" &&
	echo swap.latency=2s >"$mnt/control/disk" &&
	test_background memfs hog anon 300M --touch once &&
	test_until "! zone_is_empty 5" &&
	test_until "! grep -q \"op=\" \"$mnt/control/tasks\"" &&
	echo disable 5 >"$mnt/memhotplug"'

now_ms() {
	echo $(($(date +%s%N) / 1000000))
}

# held SIGNAL: purges in a child, sends it the signal in the middle; the time that
# the child took to go is in $took, ms. A purge waits 12 times 100 ms for writes.
held() {
	sh -c 'echo purge 5 >"$MEMFS_MOUNT/memhotplug"' 2>/dev/null &
	writer=$!
	test_pids="$test_pids $writer"
	test_until 'grep -q "^running.*purge 5" "$mnt/status"' || return 1
	from=$(now_ms)
	kill "-$1" "$writer"
	wait "$writer" 2>/dev/null
	[ $? -gt 128 ] || return 1
	# shellcheck disable=SC2034 # the claims read it
	took=$(($(now_ms) - from))
}

# 100 ms on a computer that has nothing else to do; the tests may run on another.
for signal in TERM KILL; do
	test_expect_success "SIG$signal ends it, and soon" "
		held $signal &&
		echo took \$took ms &&
		[ \$took -lt 500 ]"
	test_expect_success "after SIG$signal the purge is over" \
		'test_until "! grep -q \"^running.*purge 5\" \"$mnt/status\""'
done

test_expect_success 'readers are served while a purge runs' '
	sh -c "echo purge 5 >\"\$MEMFS_MOUNT/memhotplug\"" &
	writer=$!
	test_pids="$test_pids $writer"
	test_until "grep -q \"^running.*purge 5\" \"$mnt/status\"" &&
	cat "$mnt/memhotplug" "$mnt/meminfo" "$mnt/status" &&
	grep -q "^running.*purge 5" "$mnt/status" &&
	kill -INT "$writer"; kill -KILL "$writer"
	test_until "! grep -q \"^running.*purge 5\" \"$mnt/status\""'

test_expect_success 'a stopped command leaves everything in order' '
	memfs validate "$mnt" &&
	echo swap.latency=0s >"$mnt/control/disk"'

test_expect_success 'the mount ends' 'memfs umount --lazy "$mnt"'

test_done
