"""``memfs umount``: writes everything back, unmounts, waits for the daemon's end."""

from __future__ import annotations

import os
from pathlib import Path

import click

from memfs import locks, mountpoints
from memfs.cli.common import FileName
from memfs.cli.start import what_became_of
from memfs.client import DEFAULT_MOUNT, EXIT_REFUSED, MOUNT_VARIABLE, ClientError

# Writing back may take long on a slow disk; nobody waits for ever.
TIMEOUT_S = 600.0

EXAMPLES = """\
\b
Examples:
  memfs umount mountpoint
  memfs umount --lazy mountpoint     detach now, end when the last user is gone

\b
A busy mount is left alone: exit status 1, with the pids that hold it. It is 1 as well
when something could not be written, as on a disk that is full; that is said.
"""


@click.command("umount", epilog=EXAMPLES)
@click.option("--lazy", "-z", is_flag=True, help="Detach at once, even when busy.")
@click.argument("mountpoint", type=FileName(), required=False)
@click.pass_context
def command(ctx: click.Context, lazy: bool, mountpoint: str | None) -> None:
    """Write everything back, unmount MOUNTPOINT, wait for the daemon's end.

    Without MOUNTPOINT it is the mount that other commands talk to.
    """
    mountpoint = mountpoint or os.environ.get(MOUNT_VARIABLE) or DEFAULT_MOUNT
    try:
        point = mountpoints.resolve(Path(mountpoint))
        private = locks.private_files(point)
        dead = locks.owner(point) is None
        held = take_away(Path(mountpoint), lazy)
    except locks.MountError as error:
        raise ClientError(str(error)) from None
    text = ""
    if held:
        pids = ", ".join(map(str, held))
        text = f"detached; its daemon ends when {pids} let go of it"
    elif private is not None:
        text = what_became_of(private, dead)
    lost = not held and not dead and locks.is_unwritten(point)
    if lost:
        text = text if private is not None else "not all of files/ could be written"
        text = f"{text}; its log says which: {locks.log_path(point)}"
    if text:
        click.echo(f"memfs: {mountpoint}: {text}", err=True)
    ctx.exit(EXIT_REFUSED if lost else 0)


def take_away(mountpoint: Path, lazy: bool) -> tuple[int, ...]:
    """Unmount; the pids that keep a lazily detached mount's daemon alive.

    Raises:
        MountError: what was asked, what was found.
    """
    point = mountpoints.resolve(mountpoint)
    # Once it is detached nobody can tell any more who holds it.
    held = mountpoints.holders(point) if lazy else ()
    try:
        mountpoints.unmount(mountpoint, lazy, 0.0 if held else TIMEOUT_S)
    except locks.MountError:
        if not held or mountpoints.mounted_type(point) is not None:
            raise
        return held
    return ()
