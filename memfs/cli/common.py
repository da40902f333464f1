"""What several commands share: their options, types of arguments, and output."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from memfs.cli import complete
from memfs.client import MOUNT_VARIABLE
from memfs.records import NamedTuple

if TYPE_CHECKING:
    # Commands that draw nothing start without it.
    from rich.console import Console
    from rich.table import Table

Function = TypeVar("Function", bound=Callable[..., Any])

UNITS = {"": 0, "k": 10, "m": 20, "g": 30, "t": 40}
SIZE_RE = re.compile(r"(\d+)([kmgt]?)(?:i?b)?", re.IGNORECASE)
SHARE_RE = re.compile(r"\d{1,9}%")
NUMBER = r"0[xX][0-9a-fA-F]+|\d+"
ZONE_RE = re.compile(rf"(\w+)\[({NUMBER})\]|({NUMBER})")
PLAIN_WIDTH = 160


class Size(click.ParamType[int]):
    """A number of bytes, with K, M, G or T for powers of 1024."""

    name = "size"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> int:
        if isinstance(value, int):
            return value
        found = SIZE_RE.fullmatch(value.strip())
        if found is None:
            self.fail(f"{value!r} is not a size such as 4096, 200M or 1G", param, ctx)
        size = int(found[1]) << UNITS[found[2].lower()]
        if size <= 0:
            self.fail(f"{value!r}: a size is more than nothing", param, ctx)
        return size


class ShmSize(click.ParamType[str]):
    """As tmpfs takes ``size=``: bytes, a share of the memory, 0 for no limit."""

    name = "size"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> str:
        text = str(value).strip()
        if not SHARE_RE.fullmatch(text) and text != "0":
            return str(Size().convert(text, param, ctx))
        return text


def number(text: str) -> int:
    """A number as C writes it. Raises ValueError."""
    return int(text, 16 if text[:2] in ("0x", "0X") else 10)


class FileName(click.Path):
    """A name of a file. None at all, as of a variable that is not set, is none: it
    would stand for the current directory."""

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> Any:
        if value == "":
            self.fail("the name is empty", param, ctx)
        return super().convert(value, param, ctx)


class Seed(click.ParamType[int]):
    """A number of any length, as C writes it."""

    name = "seed"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> int:
        if isinstance(value, int):
            return value
        try:
            return number(value)
        except ValueError:
            self.fail(f"{value!r} is not a number", param, ctx)


class ZoneWord(NamedTuple):
    """A zone as it was said; without its name, the name is empty."""

    zid: int
    name: str = ""


class Zone(click.ParamType[ZoneWord]):
    """A zone's number: ``5``, ``0x5``, or as the listing says it, ``Normal[5]``."""

    name = "zone"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> ZoneWord:
        if isinstance(value, ZoneWord):
            return value
        found = ZONE_RE.fullmatch(value.strip())
        if found is None:
            self.fail(f"{value!r} is not a zone's number such as 5", param, ctx)
        return ZoneWord(number(found[2] or found[3]), found[1] or "")

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[Any]:
        return complete.zones(ctx, param, incomplete)


def mount_option(function: Function) -> Function:
    """Add ``--mount``."""
    option = click.option(
        "--mount",
        "-m",
        metavar="DIR",
        type=FileName(),
        help=f"The mount to talk to (default: {MOUNT_VARIABLE}, or mountpoint/).",
    )
    return option(function)


def json_option(function: Function) -> Function:
    """Add ``--json``; the parameter is called ``as_json``."""
    option = click.option(
        "--json", "as_json", is_flag=True, help="Print JSON for a program to read."
    )
    return option(function)


def console() -> Console:
    """A console for stdout: coloured and fitted on a terminal, plain elsewhere."""
    from rich.console import Console

    from memfs.cli.plain import PlainConsole

    screen = Console(highlight=False)
    if screen.is_terminal:
        return screen
    return PlainConsole(highlight=False, width=PLAIN_WIDTH)


def plain_table(*columns: str, title: str | None = None) -> Table:
    """A table without lines: the first column left, the others right."""
    from rich.table import Table

    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    for number, column in enumerate(columns):
        table.add_column(column, justify="right" if number else "left")
    return table


def print_json(value: object) -> None:
    """Print *value* for a program to read."""
    click.echo(json.dumps(value, indent=2))


def pages(number: int) -> str:
    """A number of pages with its size: ``83,968 (328 MiB)``."""
    kib = number * 4
    for unit in ("KiB", "MiB"):
        if kib < 10240:
            return f"{number:,} ({kib:,.0f} {unit})"
        kib //= 1024
    return f"{number:,} ({kib:,} GiB)"
