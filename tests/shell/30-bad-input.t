#!/bin/sh
# What is refused changes nothing, gives an errno, and leaves the daemon alive.
# shellcheck source=tests/shell/lib.sh disable=SC2016,SC2317
. "$(dirname "$0")/lib.sh"

test_expect_success 'a machine that stands still is mounted' '
	memfs mount --clock manual "$mnt" &&
	pid=$(cat "$mnt/control/pid")'

# refused CLAIM COMMAND: status of the writer not 0, the listing as before.
refused() {
	test_expect_success "$1" "
		cat \"\$mnt/memhotplug\" >before &&
		! ($2) &&
		cat \"\$mnt/memhotplug\" >after &&
		cmp before after"
}

command_is_refused() {
	refused "'$1' is refused" "printf '$1\\n' >\"\$mnt/memhotplug\""
}

for command in junk 'disable' 'disable x' 'disable 5 6' 'disable 11' 'disable 0' \
	'purge 3' 'purge 99' 'purge -1' 'plug 1' 'plug 9' 'unplug 1' 'unplug 2' \
	'enable 2' 'remap 7' 'remap 5 to 1' 'remap 5 to 9' 'remap 5 now' 'purge 0x' 'purge 08' 'purge 99999999999999999999' \
	'PURGE 5' ' purge 5' 'purge  5' 'node 5' 'purge node 1' 'plug zone 5'; do
	command_is_refused "$command"
done

refused 'a NUL is refused' 'printf "purge 5\0" >"$mnt/memhotplug"'
refused '64 bytes are refused' 'printf "purge %058d" 5 >"$mnt/memhotplug"'
refused 'a megabyte is refused' 'head -c 1M /dev/zero >"$mnt/memhotplug"'
refused 'a junk setting is refused' 'echo speed=9 >"$mnt/control/disk"'
refused 'a bad value is refused' 'echo latency=soon >"$mnt/control/disk"'
refused 'a clock does not go back' 'echo to=0 advance=1 >"$mnt/control/clock"'
refused 'no such operation is cancelled' 'echo 999999 >"$mnt/control/cancel"'
refused 'a process takes no junk' 'echo eat everything >"$mnt/control/tasks"'
refused 'a process has no area 7' 'echo touch 7 >"$mnt/control/tasks"'
refused 'what is read-only is' 'echo 1 >"$mnt/meminfo"'
refused 'no file is made in the root' 'echo 1 >"$mnt/new"'
refused 'no file is removed' 'rm -f "$mnt/memhotplug"'
refused 'no directory is made' 'mkdir "$mnt/control/new"'

test_expect_success 'an empty write is no command' ': >"$mnt/memhotplug"'

test_expect_success 'kmsg says why' 'grep -q "disable 11" "$mnt/kmsg"'

test_expect_success 'settings that were refused are as before' \
	'grep -q "^latency=1ms" "$mnt/control/disk"'

test_expect_success 'the daemon is the same and every invariant holds' '
	[ "$(cat "$mnt/control/pid")" = "$pid" ] &&
	memfs validate "$mnt" &&
	memfs umount "$mnt"'

test_done
