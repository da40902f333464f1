# Shared by the scripts beside it, which source this file; POSIX sh.
# shellcheck shell=sh
# shellcheck disable=SC2034 # the scripts that source it use the variables

root=$(cd "$(dirname "$0")/.." && pwd -P)
venv=$root/.venv
python=$venv/bin/python
memfs=$venv/bin/memfs
default_mount=$root/mountpoint

say() {
	printf '%s\n' "$*"
}

die() {
	printf '%s: %s\n' "${0##*/}" "$*" >&2
	exit 1
}

# is_answering MOUNTPOINT: whether a daemon serves it. Where nothing is mounted,
# memhotplug is a directory; of a daemon that died, cat reports that it is gone.
is_answering() {
	timeout 10 cat "$1/memhotplug" >/dev/null 2>&1
}
