"""``memfs exec``: runs a program that takes the modelled machine for the real one."""

from __future__ import annotations

import contextlib
import os
import signal
import tempfile
from pathlib import Path
from typing import NoReturn

import click

from memfs.cli import ahead, complete
from memfs.cli.common import mount_option
from memfs.cli.start import Wanted
from memfs.client import ClientError, find_mount

EXAMPLES = """\
\b
Examples:
  memfs exec -- free -h                         the machine mounted on mountpoint/
  memfs exec --mount /mnt/m -- numactl -H
  memfs exec --machine modern -- chmem -d 1G    a machine for this one program
  memfs exec --machine my.toml -- bash          look around in it

\b
The program sees the mount's proc and sys in the place of the real ones; what the
model does not own is the host's. What asks the kernel by system call (sysinfo, numa
policies, sched_getaffinity) sees the real machine.

\b
Exit status: the program's; 128 and the signal's number if one ended it; 127 it was
not found; 126 it could not be run; 1 there can be no namespace here.
"""

NOT_RUN, NOT_FOUND, BY_SIGNAL = 126, 127, 128
PATIENCE_S = 2.0  # for the daemon's end


@click.command(
    "exec",
    epilog=EXAMPLES,
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
)
@mount_option
@click.option(
    "--machine",
    metavar="NAME|FILE",
    shell_complete=complete.machine_names,
    help="Mount this machine for the program, and unmount it after it.",
)
@click.argument("program", nargs=-1, required=True, type=click.UNPROCESSED)
def command(mount: str | None, machine: str | None, program: tuple[str, ...]) -> None:
    """Run PROGRAM so that it takes the mounted machine for the real one."""
    if machine is None:
        run(find_mount(mount).path, program)
    if mount is not None:
        raise click.UsageError("--mount and --machine: one of them.")
    ahead.leave(run_mounted(machine, program))


def run(mountpoint: Path, program: tuple[str, ...]) -> NoReturn:
    """Become *program*, in a namespace that shows the mount.

    Raises:
        ClientError: there can be no namespace here.
    """
    from memfs import detach, namespace

    try:
        namespace.enter(mountpoint)
    except namespace.NamespaceError as error:
        raise ClientError(f"no namespace for {program[0]}: {error}") from None
    detach.flush_standard_streams()
    try:
        os.execvp(program[0], program)
    except FileNotFoundError:
        status = NOT_FOUND
        click.echo(f"memfs: {program[0]}: not found", err=True)
    except OSError as error:
        status = NOT_RUN
        click.echo(f"memfs: {program[0]}: {error.strerror}", err=True)
    ahead.leave(status)


def run_mounted(machine: str, program: tuple[str, ...]) -> int:
    """Mount *machine*, run *program*, unmount. Returns: its exit status."""
    with tempfile.TemporaryDirectory(prefix="memfs-exec-") as scratch:
        point = Path(scratch) / "mnt"
        point.mkdir()
        passed = ["allow_other"] if os.geteuid() == 0 else []
        loader = ahead.taken() or ahead.Loader()
        loader.mount(Wanted(str(point), {"machine": machine}, passed))
        load()
        loader.wait()
        try:
            return wait_for(point, program)
        finally:
            take_away(point)


def load() -> None:
    """Load what the program waits for, while the machine is still being made."""
    from memfs import locks, mountpoints, namespace  # noqa: F401


def take_away(point: Path) -> None:
    """Unmount. What the program left running may keep the daemon for a while."""
    from memfs import locks, mountpoints

    with contextlib.suppress(locks.MountError):
        mountpoints.unmount(point, lazy=True, timeout_s=PATIENCE_S)


def ended(child: int) -> int:
    """Wait for a child; its status, as a shell has it."""
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return BY_SIGNAL - status if status < 0 else status


def wait_for(point: Path, program: tuple[str, ...]) -> int:
    """Run *program* in a child; its status, as a shell has it."""
    child = ahead.fork(lambda: run(point, program))
    # The terminal's signals are the child's business.
    for number in (signal.SIGINT, signal.SIGQUIT):
        signal.signal(number, signal.SIG_IGN)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda got, frame: os.kill(child, got))
    return ended(child)
