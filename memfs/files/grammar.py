"""The one grammar of the control files: ``key=value`` words.

A write is words apart by blanks or line ends; each is ``key=value``. A key that is
not given keeps its value. What a file shows is what can be written to it. Sizes
are bytes with an optional K, M, G or T (powers of 1024), bandwidths bytes a second
(powers of 1000, as disks are sold), times are ns, or a number with ns, us, ms or s.

What it is not: it changes nothing and knows no file; it turns bytes into numbers
and numbers into text, or says what is wrong.
"""

from __future__ import annotations

import errno
import re
from collections.abc import Callable, Iterable, Mapping

from memfs.records import NamedTuple
from memfs.tree import TreeError

MAX_BYTES = 4096  # of one write; chosen here

NS_PER = {"ns": 1, "us": 1000, "ms": 1_000_000, "s": 1_000_000_000}
PER_SECOND = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
BYTES_PER = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}

_NUMBER = re.compile(r"[0-9]{1,19}")
_SIZE = re.compile(r"([0-9]{1,19})([KMGT]?)")
_TIME = re.compile(r"([0-9]{1,19})(ns|us|ms|s)?")


class GrammarError(TreeError):
    """What was written is not in the grammar: EINVAL, and what is wrong with it."""

    def __init__(self, message: str) -> None:
        super().__init__(errno.EINVAL, message)


class Kind(NamedTuple):
    """A kind of value: how it is read, shown, and described in one word."""

    name: str
    parse: Callable[[str], int]
    show: Callable[[int], str]


class Key(NamedTuple):
    """One key of a control file; *low* and *high* are the values that it takes."""

    name: str
    kind: Kind
    low: int
    high: int
    what: str


def no_key(name: str, known: Iterable[str]) -> GrammarError:
    """The error to raise about a key that is none of those."""
    return GrammarError(f"no key {quoted(name)}; there are {', '.join(known)}")


def quoted(text: str, most: int = 40) -> str:
    """*text* as a message can carry it: printable, quoted, not longer than *most*."""
    return ascii(text if len(text) <= most else text[: most - 3] + "...")


def shown(data: bytes, most: int = 63) -> str:
    """What was written, as the kernel log can carry it in one line."""
    body = data.removesuffix(b"\n")
    text = body.decode("latin-1")
    if len(body) <= most and all(0x20 <= byte <= 0x7E for byte in body):
        return text
    return quoted(text, most)


def word(value: object) -> str:
    """*value* as one word of a line: quoted, as a shell has it, where it must be."""
    text = str(value)
    if text and not set(text) & set(" \t\n\"'\\"):
        return text
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ")
    return f'"{escaped}"'


def number(text: str) -> int:
    """Read a decimal number."""
    if not _NUMBER.fullmatch(text):
        raise GrammarError(f"{quoted(text)} is no number")
    return int(text)


def size(text: str) -> int:
    """Read a size, for example ``128K`` or ``1G``; bytes."""
    found = _SIZE.fullmatch(text)
    if not found:
        raise GrammarError(f"{quoted(text)} is no size (4096, 128K, 1M, 1G)")
    return int(found[1]) * BYTES_PER[found[2]]


def rate(text: str) -> int:
    """Read a bandwidth, for example ``5M`` or ``1G``; bytes a second."""
    found = _SIZE.fullmatch(text)
    if not found:
        raise GrammarError(f"{quoted(text)} is no bandwidth (500K, 5M, 1G)")
    return int(found[1]) * PER_SECOND[found[2]]


def duration(text: str) -> int:
    """Read a time, for example ``1ms`` or ``20us``; without a unit, ns."""
    found = _TIME.fullmatch(text)
    if not found:
        raise GrammarError(f"{quoted(text)} is no time (20us, 1ms, 2s, or ns)")
    return int(found[1]) * NS_PER[found[2] or "ns"]


def show_size(value: int) -> str:
    """Write bytes in the largest unit that is exact."""
    return _show(value, BYTES_PER)


def show_rate(value: int) -> str:
    """Write bytes a second in the largest unit that is exact."""
    return _show(value, PER_SECOND)


def show_duration(value: int) -> str:
    """Write ns in the largest unit that is exact."""
    return _show(value, NS_PER)


def _show(value: int, units: Mapping[str, int]) -> str:
    smallest = min(units, key=units.__getitem__)
    fitting = (u for u, n in units.items() if value and value % n == 0)
    unit = max(fitting, key=units.__getitem__, default=smallest)
    return f"{value // units[unit]}{unit}"


NUMBER = Kind("number", number, str)
SIZE = Kind("size", size, show_size)
RATE = Kind("bandwidth", rate, show_rate)
TIME = Kind("time", duration, show_duration)


def words(data: bytes) -> list[str]:
    """Split one write into words.

    Raises:
        GrammarError: more than MAX_BYTES, no word, or bytes that no word has.
    """
    if len(data) > MAX_BYTES:
        raise GrammarError(f"{len(data)} bytes, at most {MAX_BYTES}")
    if any((byte < 0x20 and byte not in b"\t\n") or byte > 0x7E for byte in data):
        raise GrammarError("bytes that are not printable ASCII")
    found = data.decode("ascii").split()
    if not found:
        raise GrammarError("no word")
    return found


def assignments(data: bytes) -> dict[str, str]:
    """Split one write into keys and their values, both as written.

    Raises:
        GrammarError: a word without ``=``, or a key given twice.
    """
    found: dict[str, str] = {}
    for word in words(data):
        key, equals, value = word.partition("=")
        if not equals:
            raise GrammarError(f"{quoted(word)}: expected key=value")
        if key in found:
            raise GrammarError(f"{quoted(key)} is given twice")
        found[key] = value
    return found


def parse(data: bytes, keys: Iterable[Key]) -> dict[str, int]:
    """Read one write: the keys that were given and their values.

    Raises:
        GrammarError: an unknown key, a bad value, one out of its key's range.
    """
    known = {key.name: key for key in keys}
    values = {}
    for name, text in assignments(data).items():
        if name not in known:
            raise no_key(name, known)
        values[name] = _value(known[name], text)
    return values


def _value(key: Key, text: str) -> int:
    try:
        value = key.kind.parse(text)
    except GrammarError as error:
        raise GrammarError(f"{key.name}: {error.message}") from None
    if not key.low <= value <= key.high:
        show = key.kind.show
        raise GrammarError(
            f"{key.name}: {text} is not in {show(key.low)} .. {show(key.high)}"
        )
    return value


def show(values: Mapping[str, int], keys: Iterable[Key]) -> str:
    """Write every key, one a line, in the order of *keys*."""
    return "".join(f"{key.name}={key.kind.show(values[key.name])}\n" for key in keys)
