"""What the shell offers when TAB is pressed: zones, machines and files.

Completion must never print an error or be slow: where no mount answers there is
nothing to offer.
"""

from __future__ import annotations

import click
from click.shell_completion import CompletionItem

from memfs.cli import machines
from memfs.client import ClientError, NodeLine, find_mount


def listing(ctx: click.Context) -> list[NodeLine]:
    """The nodes of the mount that the command line so far names."""
    try:
        return find_mount(ctx.params.get("mount")).listing()
    except ClientError:
        return []


def zones(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """The populated zones, with their names and how full they are."""
    return [
        CompletionItem(str(zone.zid), help=f"{zone.label}, {zone.free} pages free")
        for node in listing(ctx)
        for zone in node.zones
        if str(zone.zid).startswith(incomplete)
    ]


def machine_names(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """The built-in machines, then files as the shell completes them."""
    names = [name for name in machines.builtin() if name.startswith(incomplete)]
    items = [CompletionItem(name, help="built-in machine") for name in names]
    return items or [CompletionItem(incomplete, type="file")]


def hog_memory(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """``anon``, ``file:``, and the names below the mount's ``files/``."""
    if not incomplete.startswith("file:"):
        words = [w for w in ("anon", "file:") if w.startswith(incomplete)]
        return [CompletionItem(word) for word in words]
    try:
        root = find_mount(ctx.params.get("mount")).path / "files"
        names = sorted(entry.name for entry in root.iterdir() if entry.is_file())
    except (ClientError, OSError):
        return []
    words = [f"file:{name}" for name in names]
    return [CompletionItem(word) for word in words if word.startswith(incomplete)]
