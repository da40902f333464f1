"""``memfs mount``: mounts a machine and returns when the mount answers."""

from __future__ import annotations

from typing import Any

import click

from memfs import locks
from memfs.cli import ahead, complete, mountopts
from memfs.cli.common import FileName, Seed, ShmSize, Size
from memfs.cli.start import Wanted, start
from memfs.client import ClientError

EXAMPLES = """\
\b
Examples:
  memfs mount mountpoint                         the default machine, 2004
  memfs mount --machine 2003 /mnt/m              three chunks of 1 GiB
  memfs mount --machine ./mine.toml /mnt/m       a machine file
  memfs mount --files ~/disk mountpoint          keep what is written to files/
  memfs mount --clock manual --seed 7 mountpoint     the same run every time
  memfs mount -o allow_other mountpoint          other users may look
  memfs mount --foreground mountpoint            under a supervisor; SIGTERM ends it

\b
The same through mount(8) and /etc/fstab (OPTS: machine=, files=, clock=, seed=,
host_memory=, size=, paranoid, allow_other, ro, nosuid ...; noauto, nofail, x-systemd.*
and the like are swallowed):
  mount -t fuse.memfs 2004 /mnt/m -o allow_other
  memfs 2004 /mnt/m -o rw,allow_other
"""


@click.command("mount", epilog=EXAMPLES)
@click.option(
    "--machine",
    metavar="NAME|FILE",
    shell_complete=complete.machine_names,
    help="A built-in machine or a machine file (default: 2004).",
)
@click.option(
    "--files",
    metavar="DIR",
    type=FileName(file_okay=False),
    help="The directory behind files/, the machine's disk (default: a private one "
    "that ends with the mount).",
)
@click.option(
    "--clock",
    type=click.Choice(["wall", "manual"]),
    help="What moves the machine's clock: time, or only control/clock and requests "
    "that wait (default: wall).",
)
@click.option(
    "--seed", type=Seed(), metavar="N", help="Seed of the machine (default: 0)."
)
@click.option(
    "--host-memory",
    metavar="SIZE",
    type=Size(),
    help="Real memory that the pages of files may take (default: half of what is "
    "available).",
)
@click.option(
    "--shm-size",
    metavar="SIZE|N%",
    type=ShmSize(),
    help="What fits into shm/, as size= of tmpfs; 0: no limit (default: half of the "
    "machine's memory).",
)
@click.option(
    "--paranoid", is_flag=True, default=None, help="Check every invariant all the time."
)
@click.option(
    "-o",
    "options",
    metavar="OPTS",
    multiple=True,
    help="Words for mount(8), libfuse and memfs, with commas.",
)
@click.option("--foreground", "-f", is_flag=True, help="Stay, and log to stderr.")
@click.option(
    "--ready-fd",
    type=click.IntRange(min=0),
    metavar="N",
    help="Write READY to this descriptor when the mount answers.",
)
@click.argument("mountpoint", type=FileName())
@click.pass_context
def command(
    ctx: click.Context,
    /,
    options: tuple[str, ...],
    foreground: bool,
    ready_fd: int | None,
    mountpoint: str,
    **given: Any,
) -> None:
    """Mount a machine on MOUNTPOINT; return when the mount answers.

    The daemon runs on in the background and ends at `memfs umount`. A mount whose
    daemon was killed is cleared away and mounted afresh.
    """
    try:
        words = mountopts.parse(options)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    said = {key: value for key, value in given.items() if value is not None}
    settings = {**words.own, **said}
    wanted = Wanted(mountpoint, settings, words.passed, ready_fd)
    loader = None if foreground else ahead.taken()
    try:
        if loader is None:
            ctx.exit(start(wanted, foreground))
        loader.mount(wanted)
        loader.wait()
    except locks.MountError as error:
        raise ClientError(str(error)) from None
