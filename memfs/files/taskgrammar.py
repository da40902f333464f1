"""The grammar of a modelled process: what is written to its descriptor.

One command a write, words apart by blanks, a path with blanks in quotes, one
newline at the end or none. TABLE has a row for each command; ``parse`` is a
function of the bytes alone.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable

from memfs.files import grammar
from memfs.files.grammar import GrammarError, quoted
from memfs.records import NamedTuple

PAGE = 4096
MAX_MAP = 1 << 47  # bytes of addresses that a process has
MAX_PAGES = MAX_MAP // PAGE
MAX_PASSES = 1 << 32


class MapAnon(NamedTuple):
    """``mmap anon SIZE``: anonymous memory, private and writable; bytes."""

    nbytes: int


class MapFile(NamedTuple):
    """``mmap file PATH SIZE [shared|private] [ro]``: a file of files/ or shm/."""

    path: str
    nbytes: int
    shared: bool = True
    write: bool = True


class Touch(NamedTuple):
    """``touch AREA ...``: a walk over an area; ``passes`` None: for ever."""

    area: int
    write: bool = False
    order: str = "sequential"
    passes: int | None = 1
    first: int = 0
    nr: int | None = None


class Unmap(NamedTuple):
    """``munmap AREA``."""

    area: int


class Wait(NamedTuple):
    """``wait``: until no touch of this process runs."""


TaskCommand = MapAnon | MapFile | Touch | Unmap | Wait


class Row(NamedTuple):
    """A command: its word, its form, what it does, and who reads what follows."""

    name: str
    form: str
    what: str
    parse: Callable[[list[str]], TaskCommand]


def _mmap(words: list[str]) -> TaskCommand:
    kind = _take(words, "anon or file")
    if kind == "anon":
        return MapAnon(_bytes(_take(words, "a size")))
    if kind != "file":
        raise GrammarError(f"mmap {quoted(kind)}: expected anon or file")
    path, nbytes = _take(words, "a path"), _bytes(_take(words, "a size"))
    choices = _choices(words, {"shared": "kind", "private": "kind", "ro": "ro"})
    return MapFile(path, nbytes, choices.get("kind") != "private", "ro" not in choices)


def _touch(words: list[str]) -> TaskCommand:
    area = grammar.number(_take(words, "an area"))
    first, nr = _span(words, "first", 0), _span(words, "nr", 1)
    passes: int | None = 1
    for at, word in enumerate(words):
        if word.isdigit():
            passes = _within(word, "passes", 1, MAX_PASSES)
            words[at] = "once"
            break
    groups = {"read": "access", "write": "access"}
    groups |= {"sequential": "order", "random": "order"}
    groups |= {"once": "passes", "forever": "passes"}
    choices = _choices(words, groups)
    if choices.get("passes") == "forever":
        passes = None
    order = choices.get("order", "sequential")
    return Touch(area, choices.get("access") == "write", order, passes, first or 0, nr)


def _span(words: list[str], name: str, low: int) -> int | None:
    """Take ``name PAGES`` out of *words*, wherever it is."""
    if name not in words:
        return None
    at = words.index(name)
    pages = words[at + 1 : at + 2]
    del words[at : at + 2]
    return _within(_take(pages, f"{name}: a number"), name, low, MAX_PAGES)


def _munmap(words: list[str]) -> TaskCommand:
    return Unmap(grammar.number(_take(words, "an area")))


def _wait(words: list[str]) -> TaskCommand:
    return Wait()


TABLE = (
    Row(
        "mmap",
        "mmap anon SIZE | mmap file PATH SIZE [shared|private] [ro]",
        "maps memory or a file (PATH as in files/big, shm/x); areas count from 1",
        _mmap,
    ),
    Row(
        "touch",
        "touch AREA [read|write] [sequential|random] [once|forever|N] "
        "[first PAGES] [nr PAGES]",
        "walks over the pages; returns when done, with forever at once",
        _touch,
    ),
    Row("munmap", "munmap AREA", "ends the walks over an area, unmaps it", _munmap),
    Row("wait", "wait", "returns when no walk is left", _wait),
)
BY_NAME = {row.name: row for row in TABLE}


def parse(data: bytes) -> TaskCommand:
    """Read one write.

    Raises:
        GrammarError: EINVAL, and what is wrong.
    """
    words = _split(data)
    row = BY_NAME.get(_take(words, "a command"))
    if row is None:
        raise GrammarError(f"no such command; there are {', '.join(BY_NAME)}")
    command = row.parse(words)
    if words:
        raise GrammarError(f"{row.name}: {quoted(words[0])} is too much")
    return command


def _split(data: bytes) -> list[str]:
    if len(data) > grammar.MAX_BYTES:
        raise GrammarError(f"{len(data)} bytes, at most {grammar.MAX_BYTES}")
    body = data.removesuffix(b"\n")
    if any(byte < 0x20 or byte == 0x7F for byte in body):
        raise GrammarError("control characters")
    try:
        return shlex.split(os.fsdecode(body))
    except ValueError as error:
        raise GrammarError(str(error)) from None


def _take(words: list[str], what: str) -> str:
    if not words:
        raise GrammarError(f"{what} is missing")
    return words.pop(0)


def _bytes(text: str) -> int:
    nbytes = grammar.size(text)
    if not 0 < nbytes <= MAX_MAP:
        raise GrammarError(f"{text}: a size is 1 .. {grammar.show_size(MAX_MAP)}")
    return -(-nbytes // PAGE) * PAGE


def _within(text: str, what: str, low: int, high: int) -> int:
    value = grammar.number(text)
    if not low <= value <= high:
        raise GrammarError(f"{what} {text} is not in {low} .. {high}")
    return value


def _choices(words: list[str], groups: dict[str, str]) -> dict[str, str]:
    """Take every word of *groups*, at most one of a group; what is left stays."""
    found: dict[str, str] = {}
    while words and words[0] in groups and groups[words[0]] not in found:
        word = words.pop(0)
        found[groups[word]] = word
    return found
