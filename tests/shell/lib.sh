# Sourced by the tests beside it; POSIX sh. Results are TAP on stdout.
# shellcheck shell=sh
#
#   test_expect_success 'claim' 'commands'     every command must succeed
#   test_expect_code N 'claim' 'command'       the last command's exit status is N
#   test_done                                  prints the plan; last line of a test
#
# Commands run in the test's own shell (dash or bash), in an empty directory that
# goes away at the end, with `mnt` as mount point. Exit statuses are checked, never
# messages: shells word errno each in their own way.

test_dir=$(cd "$(dirname "$0")" && pwd -P)
root=$(cd "$test_dir/../.." && pwd -P)
PATH=$root/.venv/bin:$PATH
trash=$(mktemp -d /tmp/memfs-test.XXXXXX)
mnt=$trash/mnt
MEMFS_MOUNT=$mnt
export PATH MEMFS_MOUNT

test_count=0
test_failed=0
test_finished=
test_pids=

mkdir "$mnt"
cd "$trash" || exit 1

say() {
	printf '%s\n' "$*"
}

# Whatever a test does: no daemon, no process, no directory stays behind.
test_cleanup() {
	status=$?
	cd /
	for pid in $test_pids; do
		kill "$pid" 2>/dev/null
	done
	if test_is_mounted; then
		memfs umount --lazy "$mnt" >/dev/null 2>&1 || umount -l "$mnt"
	fi
	rm -rf --one-file-system "$trash"
	if [ -z "$test_finished" ]; then
		say "not ok $((test_count + 1)) - the test runs to its end"
		exit 1
	fi
	exit "$status"
}
trap test_cleanup EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

test_is_mounted() {
	awk -v at="$mnt" '$2 == at { found = 1 } END { exit !found }' /proc/self/mounts
}

# test_report STATUS CLAIM: one line of TAP; what was printed, when it failed.
test_report() {
	test_count=$((test_count + 1))
	if [ "$1" -eq 0 ]; then
		say "ok $test_count - $2"
		return
	fi
	test_failed=$((test_failed + 1))
	say "not ok $test_count - $2"
	sed 's/^/# /' "$trash/.output"
}

test_expect_success() {
	test_eval "$2" >"$trash/.output" 2>&1
	test_report $? "$1"
}

test_expect_code() {
	test_eval "$3" >"$trash/.output" 2>&1
	code=$?
	say "exit status $code, expected $1" >>"$trash/.output"
	[ $code -eq "$1" ]
	test_report $? "$2"
}

# test_eval COMMANDS: like sh -e, but in this shell, so that variables stay. Lines
# are joined by &&, because set -e means nothing within a condition.
test_eval() {
	eval "$1"
}

# test_background COMMAND...: starts it; its pid is in $! and ends with the test.
test_background() {
	"$@" >"$trash/.background" 2>&1 &
	test_pids="$test_pids $!"
}

# test_until COMMAND: waits until it succeeds, at most ten seconds.
test_until() {
	tries=0
	until eval "$1"; do
		tries=$((tries + 1))
		[ $tries -lt 200 ] || return 1
		sleep 0.05
	done
}

# test_is_gone PID: whether a process of ours has ended, reaped or not.
test_is_gone() {
	! grep -q '^State:[[:space:]]*[^ZX]' "/proc/$1/status" 2>/dev/null
}

# zone_field Z FIELD: free, active or present of a zone, from memhotplug.
zone_field() {
	sed -n "s/.*\\[$1\\]:.*$2 \\([0-9]*\\).*/\\1/p" "$mnt/memhotplug"
}

# zone_is_empty Z: every present page is free.
zone_is_empty() {
	[ "$(zone_field "$1" free)" = "$(zone_field "$1" present)" ]
}

# node_is_listed N
node_is_listed() {
	grep -q "^Node $1 " "$mnt/memhotplug"
}

test_done() {
	test_finished=yes
	say "1..$test_count"
	[ $test_failed -eq 0 ]
	exit
}
