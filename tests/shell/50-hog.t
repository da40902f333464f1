#!/bin/sh
# A modelled process lives and dies with the command that is it.
# shellcheck source=tests/shell/lib.sh disable=SC2016,SC2317
. "$(dirname "$0")/lib.sh"

# task PID: its line in the list of tasks.
task() {
	grep "^pid=$1 " "$mnt/control/tasks"
}

# field PID NAME: a figure of it, in pages.
field() {
	task "$1" | tr ' ' '\n' | sed -n "s/^$2=//p"
}

test_expect_success 'a small machine without swap' '
	cat >small.toml <<-END &&
	name = "small"
	kernel = "2.6.7"
	swap = "0"
	[[node]]
	size = "64M"
	[[node]]
	size = "64M"
	END
	memfs mount --machine small.toml "$mnt"'

test_expect_success 'a hog is listed with its memory' '
	test_background memfs hog anon 8M &&
	hog=$! &&
	test_until "[ \"\$(field $hog rss)\" = 2048 ]"'

test_expect_success 'it ends with its command' '
	kill "$hog" &&
	test_until "! task $hog"'

test_expect_success 'a mapped file is read' '
	head -c 4M /dev/urandom >"$mnt/files/data" &&
	test_background memfs hog file:data 4M --touch read &&
	hog=$! &&
	test_until "[ \"\$(field $hog rss)\" = 1024 ]" &&
	kill "$hog" &&
	test_until "! task $hog"'

test_expect_code 1 'a file that is not there is refused' \
	'memfs hog file:nothing 4M'

test_expect_code 1 'touching behind the end of a file is the end' \
	'timeout 60 memfs hog file:data 8M'

test_expect_code 2 'a size that makes no sense is a usage error' \
	'memfs hog anon much'

test_expect_code 1 'a hog that is larger than the machine is refused its area' \
	'timeout 120 memfs hog anon 1G'

test_expect_code 137 'where all is promised it is killed, and says 137' '
	echo 1 >"$mnt/proc/sys/vm/overcommit_memory" &&
	timeout 120 memfs hog anon 1G'

test_expect_success 'the machine has its memory back' '
	test_until "! grep -q ^pid= \"$mnt/control/tasks\"" &&
	memfs validate "$mnt"'

test_expect_code 143 'a signal ends a hog as it ends any process' '
	test_background memfs hog anon 1M
	hog=$!
	test_until "task $hog"
	kill "$hog"
	wait "$hog"'

test_expect_code 3 'when the mount goes, the hog says so' '
	test_background memfs hog anon 1M
	hog=$!
	test_until "task $hog"
	kill -9 "$(cat "$mnt/control/pid")"
	wait "$hog"'

test_done
