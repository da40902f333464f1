#!/bin/sh
# The commands that are not a session of their own.
# shellcheck source=tests/shell/lib.sh disable=SC2016,SC2317
. "$(dirname "$0")/lib.sh"

is_json() {
	python3 -c 'import json, sys; json.load(sys.stdin)'
}

test_expect_success 'help is there for every command' '
	memfs --help &&
	for command in mount umount hog purge remap why report machine validate doctor \
		completion; do
		memfs $command --help || return 1
	done'

test_expect_code 2 'an unknown command is a usage error' 'memfs nosuch'
test_expect_code 2 'a missing argument is a usage error' 'memfs purge'

test_expect_success 'machines are listed and shown' '
	memfs machine list | grep -q 2004 &&
	memfs machine list --json | is_json &&
	memfs machine show 2003 | grep -q "HighMem\[5\]" &&
	memfs machine show --json 2004 | is_json &&
	memfs machine show --file 2004 >mine.toml &&
	memfs machine show mine.toml'

test_expect_code 1 'a machine that is not there is refused' \
	'memfs machine show nosuch'

test_expect_success 'doctor finds nothing missing where tests run' '
	memfs doctor && memfs doctor --json | is_json'

test_expect_success 'completion scripts are printed' '
	memfs completion bash | bash -n &&
	[ -n "$(memfs completion zsh)" ] &&
	[ -n "$(memfs completion fish)" ]'

test_expect_success 'purge empties a zone and says what it did' '
	memfs mount --clock manual "$mnt" &&
	dd if=/dev/zero of="$mnt/files/zeroes" bs=1M count=250 status=none &&
	echo disable 5 >"$mnt/memhotplug" &&
	! zone_is_empty 5 &&
	memfs purge --empty 5 &&
	zone_is_empty 5 &&
	memfs purge --json 5 | is_json'

test_expect_code 1 'purge of a zone that is not there is refused' \
	'memfs purge 3'

test_expect_success 'validate finds nothing wrong' '
	memfs validate "$mnt" && memfs validate --json "$mnt" | is_json'

test_expect_success 'the mount ends' 'memfs umount "$mnt"'

test_done
