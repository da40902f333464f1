"""Finding a mount and talking to it, the way a shell script would.

Everything here goes through the files of the mount: it reads them, parses what
they say and writes commands. It is not the daemon, and it knows nothing of the
model: no import of ``memfs.vm``, pyfuse3 or trio. Every error that a user can cause
is a ClientError: one sentence, and the exit status that goes with it.

A Mount holds no descriptor between two calls, so any number may be used at once.
"""

from __future__ import annotations

import errno
import os
import re
import shlex
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from memfs.records import NamedTuple

DEFAULT_MOUNT = "mountpoint"
MOUNT_VARIABLE = "MEMFS_MOUNT"
READ_CHUNK = 1 << 20

# The table of exit statuses; docs/cli.rst and the epilog of --help print it.
EXIT_DONE = 0
EXIT_REFUSED = 1
EXIT_USAGE = 2
EXIT_NO_MOUNT = 3
EXIT_INTERRUPTED = 130
EXIT_OOM_KILLED = 137
EXIT_STATUSES: Mapping[int, str] = {
    EXIT_DONE: "done",
    EXIT_REFUSED: "refused, busy, or something was found wrong: stderr says what",
    EXIT_USAGE: "the command line makes no sense",
    EXIT_NO_MOUNT: "no mount there, or its daemon does not answer",
    EXIT_INTERRUPTED: "interrupted by Ctrl-C",
    EXIT_OOM_KILLED: "hog: the modelled process was killed for lack of memory",
}


class ClientError(Exception):
    """One clear sentence for the user, and the exit status that goes with it."""

    def __init__(self, message: str, status: int = EXIT_REFUSED, code: int = 0) -> None:
        super().__init__(message)
        self.status = status
        self.errno = code


class ZoneLine(NamedTuple):
    """One zone as memhotplug lists it; counts in pages."""

    zid: int
    name: str
    free: int
    active: int
    present: int

    @property
    def label(self) -> str:
        """The zone as the listing names it: ``Normal[5]``."""
        return f"{self.name}[{self.zid}]"


@dataclass(frozen=True)
class NodeLine:
    """One plugged node as memhotplug lists it."""

    nid: int
    enabled: bool
    removable: bool
    zones: tuple[ZoneLine, ...]


# kmsg ends a refusal with the errno's name; the error's text says the same.
ERRNO_NAME_RE = re.compile(r"\s*\(E[A-Z0-9]+\)$")


class Operation(NamedTuple):
    """An operation as status tells of it.

    Attributes:
        state: "running" or "last".
        number: what control/cancel takes.
        name: the command, such as ``purge 5``.
        facts: the words ``key=value`` of its line.
        why: pages that stay, by reason.
    """

    state: str
    number: int
    name: str
    facts: dict[str, str]
    why: dict[str, int]


NODE_RE = re.compile(r"Node (\d+) (en|dis)abled (non|)hotremovable")
ZONE_RE = re.compile(
    r"\s*(\w+)(?:\[| )(\d+)\]?: free (\d+), active (\d+), present (\d+)"
)


def parse_listing(text: str) -> list[NodeLine]:
    """Read memhotplug's listing; lines of another form are left out.

    The listing of 2003 names no nodes and says nothing of gates: its zones come as
    those of one node, numbered -1.

    Source: T. Iwamoto's listing, LKML 2004-04-06.
    """
    nodes: list[NodeLine] = []
    for line in text.splitlines():
        if found := NODE_RE.match(line):
            nid, gate, non = found.groups()
            nodes.append(NodeLine(int(nid), gate == "en", not non, ()))
        elif found := ZONE_RE.match(line):
            name, *numbers = found.groups()
            nodes = nodes or [NodeLine(-1, True, False, ())]
            zone = ZoneLine(int(numbers[0]), name, *map(int, numbers[1:]))
            last = nodes[-1]
            nodes[-1] = NodeLine(
                last.nid, last.enabled, last.removable, (*last.zones, zone)
            )
    return nodes


def parse_meminfo(text: str) -> dict[str, int]:
    """Read meminfo: kB by name (a count where the line has no unit)."""
    pairs = (line.split(":", 1) for line in text.splitlines() if ":" in line)
    return {
        name.split()[-1]: int(rest.split()[0])
        for name, rest in pairs
        if rest.split() and rest.split()[0].isdigit()
    }


def parse_pairs(text: str) -> dict[str, str]:
    """Read a control file: one ``key=value`` a line, and no other lines."""
    lines = (line.partition("=") for line in text.splitlines())
    return {key.strip(): value.strip() for key, mark, value in lines if mark}


def parse_status(text: str) -> list[Operation]:
    """Read the operations of ``status``, running and last, in its order."""
    found: list[Operation] = []
    for line in text.splitlines():
        words = shlex.split(line)
        if len(words) >= 3 and words[0] in ("running", "last"):
            facts = parse_pairs("\n".join(words[3:]))
            found.append(Operation(words[0], int(words[1]), words[2], facts, {}))
        elif found and words and words[0] == "why":
            pairs = parse_pairs("\n".join(words[1:]))
            found[-1].why.update({key: int(value) for key, value in pairs.items()})
    return found


def find_mount(
    wanted: str | os.PathLike[str] | None = None,
    environ: Mapping[str, str] | None = None,
) -> Mount:
    """Find the mount that a command means: *wanted*, MEMFS_MOUNT, ``mountpoint/``.

    Raises:
        ClientError: status 3; nothing is mounted there, or nobody answers.
    """
    env = os.environ if environ is None else environ
    if wanted is not None:
        path, origin = os.fspath(wanted), "--mount"
    elif env.get(MOUNT_VARIABLE):
        path, origin = env[MOUNT_VARIABLE], MOUNT_VARIABLE
    else:
        path, origin = DEFAULT_MOUNT, "the default place"
    mount = Mount(Path(path))
    mount.require(origin)
    return mount


class Mount:
    """A mounted machine, seen through its files."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __repr__(self) -> str:
        return f"Mount({str(self.path)!r})"

    def require(self, origin: str = "--mount") -> None:
        """Make sure that a machine answers here.

        Raises:
            ClientError: status 3, with the remedy in the sentence.
        """
        try:
            kind = os.stat(self.path / "memhotplug").st_mode
            there = stat.S_ISREG(kind) and (self.path / "control").is_dir()
        except OSError as err:
            if err.errno not in (errno.ENOENT, errno.ENOTDIR):
                raise self._lost(err) from None
            there = False
        if there:
            return
        if self.path.is_dir():
            found = f"nothing is mounted on {self.path}"
        else:
            found = f"there is no directory {self.path}"
        raise ClientError(
            f"{found} ({origin}): `memfs mount {self.path}` mounts a machine, "
            f"--mount or {MOUNT_VARIABLE} names another place",
            EXIT_NO_MOUNT,
        )

    def _lost(self, err: OSError) -> ClientError:
        """What it means that even a stat() of the mount fails."""
        if err.errno in (errno.ENOTCONN, errno.ECONNABORTED, errno.ENODEV):
            text = (
                f"the daemon of the mount on {self.path} is gone: "
                f"`memfs mount {self.path}` mounts afresh, "
                f"`memfs umount {self.path}` clears the rest away"
            )
        elif err.errno == errno.EACCES:
            text = (
                f"the mount on {self.path} is another user's and was made "
                f"without -o allow_other"
            )
        else:
            text = f"{self.path}: {err.strerror}"
        return ClientError(text, EXIT_NO_MOUNT, err.errno or 0)

    # Reading.

    def read(self, name: str) -> str:
        """Read a text file of the mount, such as ``"memhotplug"``, in one snapshot.

        Raises:
            ClientError: the file cannot be read.
        """
        try:
            return (self.path / name).read_bytes().decode("utf-8", "replace")
        except OSError as err:
            if err.errno in (errno.ENOTCONN, errno.ECONNABORTED):
                raise self._lost(err) from None
            raise ClientError(
                f"{self.path / name}: {err.strerror}", code=err.errno or 0
            ) from None

    def listing(self) -> list[NodeLine]:
        """The plugged nodes and their zones, from memhotplug."""
        return parse_listing(self.read("memhotplug"))

    def zones(self) -> dict[int, ZoneLine]:
        """The populated zones by number, from memhotplug."""
        return {zone.zid: zone for node in self.listing() for zone in node.zones}

    def zone(self, zid: int, name: str = "") -> ZoneLine:
        """One populated zone; `name` is its type, if that was said.

        Raises:
            ClientError: there is none of that number or name; the sentence lists them.
        """
        zones = self.zones()
        zone = zones.get(zid)
        if zone is not None and name.lower() in ("", zone.name.lower()):
            return zone
        there = ", ".join(zone.label for zone in zones.values()) or "none"
        asked = f"{name}[{zid}]" if name else f"zone {zid}"
        raise ClientError(f"{asked}: not there; zones are {there}", code=errno.ENODEV)

    def meminfo(self) -> dict[str, int]:
        """The machine's meminfo: kB by name."""
        return parse_meminfo(self.read("meminfo"))

    def control(self, name: str) -> dict[str, str]:
        """The keys and values of ``control/<name>``."""
        return parse_pairs(self.read(f"control/{name}"))

    def last(self, name: str) -> Operation | None:
        """The newest finished operation called *name*, or None."""
        done = [op for op in parse_status(self.read("status")) if op.state == "last"]
        named = [op for op in done if op.name == name]
        return max(named, key=lambda op: op.number, default=None)

    def violations(self) -> list[str]:
        """Check every invariant now; one line per violation.

        Raises:
            ClientError: the check could not be made.
        """
        self.set_control("validate", "1")
        lines = self.read("control/validate").splitlines()
        return [line for line in lines if line != "ok"]

    # Writing.

    def write(self, name: str, text: str) -> None:
        """Write *text* to a file of the mount with one write().

        Raises:
            OSError: what the mount answered.
        """
        fd = os.open(self.path / name, os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.write(fd, text.encode())
        finally:
            os.close(fd)

    def command(self, text: str) -> None:
        """Give memhotplug one command, such as ``"purge 5"``; wait until it is done.

        Raises:
            ClientError: it was refused; the sentence carries kmsg's reason.
        """
        try:
            self.write("memhotplug", text + "\n")
        except OSError as err:
            raise self.refused(text, err) from None

    def set_control(self, name: str, text: str) -> None:
        """Write *text* to ``control/<name>``: ``latency=2ms``, an operation's number.

        Raises:
            ClientError: it was refused.
        """
        try:
            self.write(f"control/{name}", text + "\n")
        except OSError as err:
            raise self.refused(text, err) from None

    def refused(self, text: str, err: OSError) -> ClientError:
        """A refusal as one sentence, with the reason that kmsg gives for it."""
        if err.errno in (errno.ENOTCONN, errno.ECONNABORTED):
            return self._lost(err)
        reason = self.reason(text)
        said = f"{err.strerror} ({reason})" if reason else f"{err.strerror}"
        return ClientError(f"{text}: {said}", code=err.errno or 0)

    def reason(self, text: str) -> str:
        """The newest line of kmsg about the command *text*, or "" if there is none."""
        try:
            lines = self.read("kmsg").splitlines()
        except ClientError:
            return ""
        mark = f"{text}: "
        for line in reversed(lines):
            if mark in line:
                return ERRNO_NAME_RE.sub("", line.partition(mark)[2])
        return ""
