"""Values of a machine file: how each kind is read and what is said when it is wrong.

A reader takes a :class:`Value` and returns what the layout keeps, sizes in pages,
or raises the error that names the value's line and key. It knows no key.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from memfs.records import NamedTuple
from memfs.vm.errors import LayoutError
from memfs.vm.rules import COLUMNS, RULES

PAGE_SIZE: Final = 4096
MAX_PAGES: Final = 1 << 28  # a page table entry has 28 bits of pfn
MAX_ORDER_PAGES: Final = 1024  # a zone starts at a block of the highest order
MIN_BLOCK_PAGES: Final = 2048  # the core knows zones by ranges of 2048 pages
MAX_ADDRESS: Final = 1 << 40  # pages of physical addresses
MAX_NODES: Final = 256  # numbers of nodes are below
MAX_CPUS: Final = 1024
MOST_SAID: Final = 300  # characters of a complaint
UNITS: Final = {"": 0, "K": 10, "M": 20, "G": 30, "T": 40}


class ZoneSpec(NamedTuple):
    """A zone that the file says outright, in pages."""

    type: str
    spanned: int
    present: int
    managed: int


class Value(NamedTuple):
    """One value of the file, and how to complain about it."""

    value: Any
    line: int
    key: str

    def wrong(self, message: str) -> LayoutError:
        """The error to raise about this value, which may be a very long one."""
        if len(message) > MOST_SAID:
            message = f"{message[:MOST_SAID]}..."
        return LayoutError(self.line, self.key, message)


def as_bool(value: Value) -> bool:
    """A TOML boolean."""
    if not isinstance(value.value, bool):
        raise value.wrong(f"true or false, not {value.value!r}")
    return value.value


def as_text(value: Value) -> str:
    """A TOML string that is not empty, and a line that can be shown."""
    if not isinstance(value.value, str) or not value.value:
        raise value.wrong(f"a text, not {value.value!r}")
    if not value.value.isprintable():
        raise value.wrong(f"{value.value!r} cannot be printed")
    return value.value


def as_number(low: int, high: int) -> Callable[[Value], int]:
    """A TOML integer, low <= n <= high."""

    def read(value: Value) -> int:
        number = value.value
        if not isinstance(number, int) or isinstance(number, bool):
            raise value.wrong(f"a number, not {number!r}")
        if not low <= number <= high:
            raise value.wrong(f"{number} is not between {low} and {high}")
        return number

    return read


def parse_size(text: str | int) -> int | None:
    """Bytes of "512M", "1G", 4096; None if it is no size."""
    if isinstance(text, bool):
        return None
    if isinstance(text, int):
        return text if text >= 0 else None
    digits = text.strip().upper().removesuffix("B").removesuffix("I")
    unit = digits[-1:] if digits[-1:] in "KMGT" else ""
    number = digits.removesuffix(unit).strip()
    if not (number.isascii() and number.isdigit()) or len(number) > 18:
        return None
    return int(number) << UNITS[unit]


def as_pages(
    unit: int = 1, low: int = 0, high: int = MAX_PAGES
) -> Callable[[Value], int]:
    """A size, in pages; a multiple of `unit` pages, low <= size <= high."""

    def read(value: Value) -> int:
        given = value.value
        size = parse_size(given) if isinstance(given, (str, int)) else None
        if size is None:
            raise value.wrong(f"a size like 512M, not {given!r}")
        pages, rest = divmod(size, PAGE_SIZE)
        if rest or pages % unit:
            raise value.wrong(f"{given} is no multiple of {unit * 4} KiB")
        if not low <= pages <= high:
            raise value.wrong(f"{given} is not between {low} and {high} pages")
        return pages

    return read


def as_list(of: Callable[[Value], Any]) -> Callable[[Value], tuple[Any, ...]]:
    """A TOML array of what `of` reads."""

    def read(value: Value) -> tuple[Any, ...]:
        if not isinstance(value.value, list):
            raise value.wrong(f"a list, not {value.value!r}")
        return tuple(of(value._replace(value=one)) for one in value.value)

    return read


def as_cpus(value: Value) -> tuple[int, ...]:
    """CPUs: a list of numbers, or as the kernel lists them, "0-3,8"."""
    one = as_number(0, MAX_CPUS - 1)
    if not isinstance(value.value, str):
        return as_list(one)(value)
    cpus: list[int] = []
    for part in filter(None, value.value.split(",")):
        low, _, high = part.partition("-")
        if not (low.isdecimal() and (high or low).isdecimal()):
            raise value.wrong(f"a list like 0-3,8, not {value.value!r}")
        first, last = (one(value._replace(value=int(n))) for n in (low, high or low))
        cpus += range(first, last + 1)
    return tuple(cpus)


def as_zone(value: Value) -> ZoneSpec:
    """``{ type = "Normal", spanned = N, present = N, managed = N }``, pages."""
    table = value.value
    if not isinstance(table, dict):
        raise value.wrong(f"a table, not {table!r}")
    unknown = set(table) - set(ZoneSpec._fields)
    if unknown:
        known = ", ".join(ZoneSpec._fields)
        raise value.wrong(f"unknown key {min(unknown)!r}; there are {known}")
    missing = [key for key in ZoneSpec._fields if key not in table]
    if missing:
        raise value.wrong(f"{missing[0]} is missing")
    fields = {key: Value(table[key], value.line, f"{value.key}.{key}") for key in table}
    kind = as_text(fields.pop("type"))
    number = as_number(0, MAX_PAGES)
    zone = ZoneSpec(kind, **{key: number(size) for key, size in fields.items()})
    if not zone.managed <= zone.present <= zone.spanned:
        raise value.wrong("managed <= present <= spanned does not hold")
    return zone


def as_block_size(value: Value) -> int:
    """The size of a memory block of sysfs: a power of two, 8 MiB or more."""
    pages = as_pages(MIN_BLOCK_PAGES, MIN_BLOCK_PAGES)(value)
    if pages & (pages - 1):
        raise value.wrong(f"{value.value} is no power of two")
    return pages


def as_kernel(value: Value) -> str:
    """A column of RULES that is filled in."""
    text = as_text(value)
    if text not in COLUMNS:
        raise value.wrong(f"no kernel {text!r}; there are {', '.join(COLUMNS)}")
    return text


def as_rule(value: Value) -> str:
    """A rule that can be turned off."""
    text = as_text(value)
    if text not in RULES or RULES[text].off is None:
        known = ", ".join(name for name, row in RULES.items() if row.off is not None)
        raise value.wrong(f"{text!r} cannot be turned off; these can: {known}")
    return text
