"""``memfs umount``: writes everything back, unmounts, waits for the daemon's end."""

from __future__ import annotations

from pathlib import Path

import click

from memfs import mountpoints
from memfs.client import ClientError

# Writing back may take long on a slow disk; nobody waits for ever.
TIMEOUT_S = 600.0

EXAMPLES = """\
\b
Examples:
  memfs umount mountpoint
  memfs umount --lazy mountpoint     detach now, end when the last user is gone

\b
A busy mount is left alone: exit status 1, with the pids that hold it.
"""


@click.command("umount", epilog=EXAMPLES)
@click.option("--lazy", "-z", is_flag=True, help="Detach at once, even when busy.")
@click.argument("mountpoint", type=click.Path())
def command(lazy: bool, mountpoint: str) -> None:
    """Write everything back, unmount MOUNTPOINT, wait for the daemon's end."""
    try:
        held = take_away(Path(mountpoint), lazy)
    except mountpoints.MountError as error:
        raise ClientError(str(error)) from None
    if held:
        pids = ", ".join(map(str, held))
        text = f"{mountpoint}: detached; its daemon ends when {pids} let go of it"
        click.echo(f"memfs: {text}", err=True)


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
    except mountpoints.MountError:
        if not held or mountpoints.mounted_type(point) is not None:
            raise
        return held
    return ()
