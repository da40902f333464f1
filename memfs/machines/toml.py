"""Writes a description as a machine file."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator
from typing import Any

from memfs.machines.description import DescribedNode, Description, cpu_list
from memfs.vm.layoutspec import BlockRun

WIDTH = 88
UNITS = ((40, "T"), (30, "G"), (20, "M"), (10, "K"))


def size(number: int) -> str:
    """``"512M"``, in the largest unit that leaves no rest."""
    for shift, unit in UNITS:
        if number and number % (1 << shift) == 0:
            return f'"{number >> shift}{unit}"'
    return f'"{number}"'


def quoted(text: str) -> str:
    """A TOML string of one line."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + "".join(c if c.isprintable() else "?" for c in escaped) + '"'


def text_of(machine: Description, title: str) -> str:
    """The machine file; `title` and the notes are its first lines, as comments."""
    lines = [*comments([title, *machine.notes]), "", *head(machine)]
    for node in machine.nodes:
        lines += ["", "[[node]]", *body(node)]
    return "\n".join(lines) + "\n"


def comments(texts: Iterable[str]) -> Iterator[str]:
    """Comment lines; each text begins one."""
    for text in texts:
        plain = "".join(c if c.isprintable() else "?" for c in text)
        for line in textwrap.wrap(plain, WIDTH - 2, break_on_hyphens=False):
            yield f"# {line}"


def head(machine: Description) -> Iterator[str]:
    """The keys of the machine."""
    yield f"name = {quoted(machine.name)}"
    yield f'kernel = "{machine.kernel}"'
    yield f"block = {size(machine.block)}"
    yield f"cpus = {machine.cpus}"
    for key in ("packages", "dies", "cores"):
        groups = getattr(machine, key)
        if groups:
            yield from array(key, [f'"{cpu_list(group)}"' for group in groups])
    if machine.swap is not None:
        yield f"swap = {size(machine.swap)}"
    if machine.distances:
        yield from array("distances", [str(row) for row in machine.distances])


def array(key: str, items: list[str]) -> Iterator[str]:
    """``key = [...]``, on one line if it fits."""
    line = f"{key} = [{', '.join(items)}]"
    if len(line) <= WIDTH:
        yield line
        return
    yield f"{key} = ["
    yield from (f"    {item}," for item in items)
    yield "]"


def body(node: DescribedNode) -> Iterator[str]:
    """The keys of a node."""
    yield f"number = {node.number}"
    if node.runs is None:
        yield f"size = {size(node.size)}"
        if node.start is not None:
            yield f"start = {size(node.start)}"
    if node.removable is not None:
        yield f"removable = {flag(node.removable)}"
    if not node.enabled:
        yield "enabled = false"
    yield f'cpus = "{cpu_list(node.cpus)}"'
    if node.managed:
        yield f"managed = {managed(node.managed)}"
    if node.runs is not None:
        yield from array("blocks", [run_text(run) for run in node.runs])


def flag(value: bool) -> str:
    """A TOML boolean."""
    return "true" if value else "false"


def managed(pages: dict[str, int]) -> str:
    """A size for the node, or pages by zone."""
    if set(pages) == {""}:
        return f'"{pages[""] * 4}K"'
    return inline(pages)


def inline(values: dict[str, Any]) -> str:
    """An inline table of numbers."""
    return "{ " + ", ".join(f"{key} = {value}" for key, value in values.items()) + " }"


def run_text(run: BlockRun) -> str:
    """An inline table for blocks that are alike."""
    values: dict[str, Any] = {"first": run.first}
    if run.last != run.first:
        values["last"] = run.last
    if run.state != "online":
        values["state"] = quoted(run.state)
    if run.zones:
        values["zones"] = quoted(run.zones)
    if run.removable is not None:
        values["removable"] = flag(run.removable)
    if run.parts:
        values["parts"] = inline(dict(run.parts))
    return inline(values)
