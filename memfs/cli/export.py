"""``memfs export``: a static copy of proc/ and sys/."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from memfs.cli import complete
from memfs.cli.common import FileName, mount_option
from memfs.client import ClientError, find_mount

if TYPE_CHECKING:
    from memfs.export import Entry

EXAMPLES = """\
\b
Examples:
  memfs export --machine power power/            needs no /dev/fuse
  lsmem -s power
  memfs export --machine my.toml my.tar.xz
  memfs export --mount mountpoint now.tar        as it is at this moment
  memfs machine import power > same.toml         and back

\b
TARGET ends in .tar, .tar.gz, .tgz, .tar.bz2 or .tar.xz, or it is a directory, which
is made if it is not there. Without --machine and --mount it is the mount that other
commands talk to.
"""


@click.command("export", epilog=EXAMPLES)
@mount_option
@click.option(
    "--machine",
    metavar="NAME|FILE",
    shell_complete=complete.machine_names,
    help="A machine as it boots; nothing is mounted.",
)
@click.argument("target", metavar="DIR|FILE.tar", type=FileName(path_type=Path))
def command(mount: str | None, machine: str | None, target: Path) -> None:
    """Write a copy of proc/ and sys/ that programs can read without a mount."""
    from memfs import export

    if mount is not None and machine is not None:
        raise click.UsageError("--mount and --machine: one of them.")
    if machine is None:
        entries = export.of_mount(find_mount(mount).path)
    else:
        entries = of_machine(machine)
    try:
        number = export.write(entries, target)
    except OSError as error:
        where = error.filename or target
        raise ClientError(
            f"{where}: {error.strerror}", code=error.errno or errno.EIO
        ) from None
    click.echo(f"{target}: {number} files, links and directories")


def of_machine(word: str) -> Iterator[Entry]:
    """The tree of a machine that is booted for it.

    Raises:
        ClientError: there is no such machine.
    """
    from memfs import export
    from memfs.background import Pump
    from memfs.cli.machines import load
    from memfs.mount import Mount, Settings
    from memfs.vm import Machine

    with Machine(load(word)) as machine:
        pump = Pump(machine.sched, manual=True)
        yield from export.of_tree(Mount(machine, pump, Settings(machine=word)).root)
