"""``python -m memfs.files.doc [FILE]``: writes docs/files.rst from the tables.

What a file, a command or a key is said to do stands in its row, and only there. A
test compares the page with what this module makes.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from pathlib import Path

from memfs import commands
from memfs.files import TABLE, clock, disk, faults, taskgrammar
from memfs.files.grammar import Key
from memfs.vm import WAYS

PAGE = Path(__file__).parents[2] / "docs" / "files.rst"

INTRODUCTION = """\
Files of the mount
==================

.. Made by ``python -m memfs.files.doc``: edit the rows in the code, not this page.

A file is rendered when it is opened; reads of an open file see that one rendering.
All figures of one instant agree: the machine is the sum of its nodes, a node the
sum of its zones. One ``write()`` is one command, with one newline at its end or
none. What is refused gets an errno and a line in ``kmsg`` that says why, and
changes nothing; a write of 0 bytes succeeds and does nothing.

``nodeN/`` is there while node N is plugged.
"""

COMMANDS = """\
Commands of ``memhotplug``
--------------------------

``COMMAND NUMBER``, ``COMMAND node N`` or ``COMMAND zone Z``, at most 63 bytes, words
apart by one blank; a number as C writes it (5, 0x5, 05). A write returns when the
work is done; a signal ends it (EINTR).

``enable`` and ``disable`` take a zone on machines of 2003 and a node on later ones.
There, a bare number that is no node slot but is a zone means that zone.
"""

CONTROL = """\
Control files
-------------

``key=value`` words, apart by blanks or line ends. Keys that are not given keep their
value; an unknown key or a bad value is EINVAL and nothing is set. Sizes are bytes or
have K, M, G or T (1024), bandwidths are bytes a second or have K, M, G or T (1000),
times are ns or have us, ms or s. What is read can be written.
"""

STATUS = """\
``status``
----------

One fact a line. ``running N "NAME"`` and ``last N "NAME"`` are operations; ``why``
below one counts the pages that stay, by reason. Pages and ns; the lines above them
are the daemon's own, ``host`` in frames of 4 KiB. ``pages`` were in use when a command
began and ``left`` when it ended; ``freed`` and ``moved`` are its own work, to which
kswapd and the pages' owners may have added.

``control/cancel`` takes the number. The caller of what was stopped gets EINTR; dash
and Python answer that by trying again, bash and most programs by an error.
"""

TASKS = """\
Modelled processes
------------------

Opening ``control/tasks`` for writing starts a process of the machine, with the pid of
who opens it (EEXIST: it is one already). It lives until the last close or until that
pid ends. What is written to the descriptor is what it does; reading it shows its own
state. Opened for reading alone, the file lists all processes. A process that the
modelled out-of-memory killer chose gets ESRCH at its next write; who waits in poll(2)
for POLLPRI is told at once.
"""


def page() -> str:
    """The whole page."""
    return "\n".join(
        [
            INTRODUCTION,
            table(("file", "mode", "unit", "what it is"), _files()),
            COMMANDS,
            table(("command", "takes", "does", "errors"), _commands()),
            CONTROL,
            table(("file", "key", "values", "what it is"), _keys()),
            STATUS,
            TASKS,
            table(("command", "does"), ((f"``{r.form}``", r.what) for r in _tasks())),
        ]
    )


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A list-table of reStructuredText."""
    lines = [".. list-table::", "   :header-rows: 1", ""]
    for row in (head, *rows):
        lines += [
            f"   {'*' if not at else ' '} - {cell}".rstrip()
            for at, cell in enumerate(row)
        ]
    return "\n".join(lines) + "\n"


def _files() -> Iterable[Sequence[str]]:
    return ((f"``{r.path}``", f"{r.mode:04o}", r.unit, r.what) for r in TABLE)


def _commands() -> Iterable[Sequence[str]]:
    takes = {"node": "node", "zone": "zone", "gate": "node or zone"}
    for row in commands.TABLE:
        to = " [to N]" if row.to else ""
        to += f" [{'|'.join(row.modes)}]" if row.modes else ""
        number = {"node": "N", "zone": "Z", "gate": "N"}[row.takes]
        yield f"``{row.name} {number}{to}``", takes[row.takes], row.what, row.result


def _keys() -> Iterable[Sequence[str]]:
    for setting in disk.TABLE:
        yield "``control/disk``", *_key(setting.key)
    yield "``control/clock``", "``mode``", "wall, manual", "which clock it is"
    for key in clock.KEYS:
        yield "``control/clock``", *_key(key)
    for key in faults.KEYS:
        yield "``control/faults``", *_key(key)
    for name, ways in WAYS.items():
        yield "``control/migration``", f"``{name}``", ", ".join(ways), _WAYS[name]


_WAYS = {
    "dirty": "dirty file pages move dirty, or are written first",
    "anon": "anonymous pages move as they are, or take a swap slot first",
    "maps": "page tables follow the page, or are left to the faults",
}


def _key(key: Key) -> Sequence[str]:
    low, high = key.kind.show(key.low), key.kind.show(key.high)
    return f"``{key.name}``", f"{key.kind.name} {low} .. {high}", key.what


def _tasks() -> Sequence[taskgrammar.Row]:
    return taskgrammar.TABLE


def main() -> None:
    """Write the page."""
    parser = argparse.ArgumentParser(prog="python -m memfs.files.doc")
    parser.add_argument("file", nargs="?", type=Path, default=PAGE)
    path: Path = parser.parse_args().file
    path.parent.mkdir(exist_ok=True)
    path.write_text(page(), encoding="ascii")


if __name__ == "__main__":
    main()
