"""What the shell offers when TAB is pressed: zones, machines and files.

Completion must never print an error or be slow: where no mount answers there is
nothing to offer.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

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
    """``anon``, ``file:``, and the names below the mount's ``files/``; ``shm/``."""
    if not incomplete.startswith("file:"):
        words = [w for w in ("anon", "file:") if w.startswith(incomplete)]
        return [CompletionItem(word) for word in words]
    # `file:a/b` is below a/, and what is shown there begins with that.
    begun = incomplete.removeprefix("file:").rpartition("/")
    above = begun[0] + begun[1]
    try:
        mount = find_mount(ctx.params.get("mount")).path
        top = mount if above.startswith("shm/") else mount / "files"
        names = sorted(
            entry.name + "/" * entry.is_dir() for entry in (top / above).iterdir()
        )
    except (ClientError, OSError):
        return []
    if not above:
        names.append("shm/")
    words = [f"file:{above}{name}" for name in names]
    return [CompletionItem(word) for word in words if word.startswith(incomplete)]


def words_of(
    words: Sequence[str],
) -> Callable[[click.Context, click.Parameter, str], list[CompletionItem]]:
    """Completes the last of words with commas between them."""

    def offer(
        ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        begun = incomplete.rpartition(",")
        above = begun[0] + begun[1]
        return [
            CompletionItem(above + word) for word in words if word.startswith(begun[2])
        ]

    return offer


def targets(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """The populated zones, then the nodes."""
    nodes = [f"node{node.nid}" for node in listing(ctx)]
    return [
        *zones(ctx, param, incomplete),
        *(CompletionItem(name) for name in nodes if name.startswith(incomplete)),
    ]
