"""The ``memfs`` group: finds a command's module, turns errors into exit statuses."""

from __future__ import annotations

import contextlib
import importlib
import os
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

import click

from memfs import __version__
from memfs.cli import machines
from memfs.cli.table import COMMANDS, mount8
from memfs.client import (
    EXIT_INTERRUPTED,
    EXIT_REFUSED,
    EXIT_STATUSES,
    ClientError,
)

EXAMPLES = """\
\b
A first session:
  memfs mount mountpoint                     the default machine, two nodes
  cat mountpoint/memhotplug                  its nodes and zones, in pages
  memfs hog anon 200M &                      some memory hog
  echo disable 5 > mountpoint/memhotplug     no new pages in zone 5
  memfs purge 5                              swap out and write back what is there
  memfs remap 6                              move what is in zone 6 elsewhere
  memfs umount mountpoint

\b
Where a command looks for the mount, first found first taken:
  --mount DIR, the variable MEMFS_MOUNT, the directory mountpoint/

\b
As a file system of mount(8), and in /etc/fstab:
  mount -t fuse.memfs 2004 /mnt/m -o allow_other,clock=manual
  2004  /mnt/m  fuse.memfs  noauto,allow_other  0 0
"""


def statuses() -> str:
    """The table of exit statuses as the end of ``--help``."""
    lines = (f"  {status:3}  {text}" for status, text in EXIT_STATUSES.items())
    return "\b\nExit status:\n" + "\n".join(lines)


# 128 and SIGPIPE, as a shell reports it of any program that writes on.
EXIT_PIPE = 141


class Group(click.Group):
    """Commands by the TABLE; errors by the table of exit statuses."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(COMMANDS[cmd_name][0])
        command = module.command
        assert isinstance(command, click.Command)
        return command

    def format_commands(
        self, ctx: click.Context, formatter: click.HelpFormatter
    ) -> None:
        """List the commands from the table: no module is imported for it."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, row[1]) for name, row in COMMANDS.items()])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            ctx.fail(unknown(args[0]))
        return super().resolve_command(ctx, args)

    def main(self, args: Sequence[str] | None = None, *rest: Any, **more: Any) -> Any:
        given = sys.argv[1:] if args is None else args
        return super().main(mount8(given), *rest, **more)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except ClientError as error:
            click.echo(f"memfs: {error}", err=True)
            ctx.exit(error.status)
        except KeyboardInterrupt:
            ctx.exit(EXIT_INTERRUPTED)
        except BrokenPipeError:
            quiet_stdout()
            ctx.exit(EXIT_PIPE)
        except OSError as error:
            # A full disk, a directory that is gone: nobody's mistake here.
            where = f"{error.filename}: " if error.filename else ""
            click.echo(f"memfs: {where}{error.strerror or error}", err=True)
            ctx.exit(EXIT_REFUSED)


def quiet_stdout() -> None:
    """Nobody reads on: keep the interpreter from saying so when it flushes."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def unknown(word: str) -> str:
    """What to say of a first word that is neither a command nor a machine."""
    import difflib

    text = f"{word!r} is neither a command nor a machine."
    near = difflib.get_close_matches(word, [*COMMANDS, *machines.builtin()], 1)
    return f"{text} Did you mean {near[0]!r}?" if near else text


@click.group(
    cls=Group,
    epilog=EXAMPLES + "\n" + statuses(),
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 88},
)
@click.version_option(__version__, prog_name="memfs")
def cli() -> None:
    """A file system that shows a machine's memory and lets a shell hot-plug it.

    The machine is a model of the Linux VM that really allocates, ages and reclaims
    pages. `memfs COMMAND --help` shows examples of each command.
    """


def main() -> NoReturn:
    """Run the command line of this process."""
    cli(prog_name="memfs")
    raise SystemExit(0)
