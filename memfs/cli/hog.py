"""``memfs hog``: a modelled process that lives as long as this one."""

from __future__ import annotations

import errno
import os
import shlex
import time
from pathlib import Path
from typing import Any

import click

from memfs.cli import complete
from memfs.cli.common import Size, mount_option
from memfs.client import EXIT_OOM_KILLED, ClientError, Mount, find_mount
from memfs.records import NamedTuple

EXAMPLES = """\
\b
Examples:
  memfs hog anon 200M &                     some memory hog: writes every page of
                                            200M, pass after pass, without end
  memfs hog anon 1G --touch read            reads them instead
  memfs hog anon 200M --touch write,once    fills its memory and then sits there
  memfs hog anon 1G --touch random          in random order
  memfs hog file:big 600M --touch read      maps files/big and reads it
  kill %1                                   the modelled process ends as well

\b
Words of --touch, with commas or given again:
  read | write              default: write
  sequential | random       default: sequential
  forever | once            default: forever

\b
Exit status 137: the machine had no memory left and chose this process.
"""

WORDS = {
    "read": "how",
    "write": "how",
    "sequential": "order",
    "random": "order",
    "forever": "passes",
    "once": "passes",
}
DEFAULTS = {"how": "write", "order": "sequential", "passes": "forever"}
POLL_SECONDS = 0.2
STATE_BYTES = 1 << 16


class Memory(NamedTuple):
    """What is mapped: anonymous memory, or a file below the mount."""

    kind: str
    path: str = ""


class MemoryType(click.ParamType[Memory]):
    """``anon`` or ``file:PATH``."""

    name = "memory"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> Memory:
        if isinstance(value, Memory):
            return value
        if value == "anon":
            return Memory("anon")
        kind, mark, path = value.partition(":")
        if kind == "file" and mark and path:
            return Memory("file", path)
        self.fail(f"{value!r} is neither anon nor file:PATH", param, ctx)


def touch_words(given: tuple[str, ...]) -> list[str]:
    """The words of a touch command from every ``--touch``.

    Raises:
        click.BadParameter: an unknown word, or two that contradict each other.
    """
    chosen: dict[str, str] = {}
    for word in ",".join(given).replace(",", " ").split():
        slot = WORDS.get(word)
        if slot is None:
            known = ", ".join(WORDS)
            raise click.BadParameter(f"{word!r}; the words are {known}")
        if chosen.setdefault(slot, word) != word:
            raise click.BadParameter(f"{chosen[slot]} and {word} exclude each other")
    return [chosen.get(slot, default) for slot, default in DEFAULTS.items()]


@click.command("hog", epilog=EXAMPLES)
@mount_option
@click.option(
    "--touch",
    "touches",
    multiple=True,
    metavar="WORDS",
    shell_complete=complete.words_of(tuple(WORDS)),
    help="How its pages are touched (default: write,sequential,forever).",
)
@click.argument("memory", type=MemoryType(), shell_complete=complete.hog_memory)
@click.argument("size", type=Size())
@click.pass_context
def command(
    ctx: click.Context,
    mount: str | None,
    touches: tuple[str, ...],
    memory: Memory,
    size: int,
) -> None:
    """Be a process of the machine with SIZE bytes of memory; touch its pages.

    MEMORY is anon (anonymous memory) or file:PATH (a file of the mount, mapped
    shared). The process is a modelled one: its pages are pages of the mounted
    machine and cost this computer nothing. It lives until this command is killed.
    """
    words = touch_words(touches)
    ctx.exit(live(find_mount(mount), memory, size, words))


def live(mount: Mount, memory: Memory, size: int, words: list[str]) -> int:
    """Be the process: map, touch, and stay until killed.

    Returns:
        Exit status; only when the modelled process is gone before this one.

    Raises:
        ClientError: the mapping or the touching was refused, or the mount went.
    """
    what = mapping(mount, memory)
    process = Process(mount)
    try:
        process.say(f"mmap {what} {size}")
        process.say(f"touch 1 {' '.join(words)}")
        while process.lives():
            if words[-1] == "forever" and not process.walks():
                # It stopped by itself. One pass in the foreground says why.
                process.say(f"touch 1 {words[0]} {words[1]} once")
                process.say(f"touch 1 {' '.join(words)}")
            time.sleep(POLL_SECONDS)
    except Killed:
        pass
    except ClientError as error:
        raise beyond_end(memory) if error.errno == errno.EFAULT else error from None
    finally:
        process.close()
    text = f"hog: the machine ran out of memory and killed this process ({size} bytes)"
    click.echo(f"memfs: {text}", err=True)
    return EXIT_OOM_KILLED


def beyond_end(memory: Memory) -> ClientError:
    """What it means that a touch found no page of its file."""
    text = f"file:{memory.path} is shorter than what was mapped of it"
    return ClientError(f"hog: {text}; a real process would get SIGBUS")


def mapping(mount: Mount, memory: Memory) -> str:
    """What stands between ``mmap`` and the size."""
    if memory.kind == "anon":
        return "anon"
    return f"file {shlex.quote(name_below(mount, memory.path))}"


def name_below(mount: Mount, path: str) -> str:
    """*path* as control/tasks wants it: ``files/big``, ``shm/x``.

    A path may be one on this computer that leads into the mount, one from the
    mount's root, or one below its files/.

    Raises:
        ClientError: there is no such file.
    """
    root = mount.path.resolve()
    for candidate in (Path(path), root / path, root / "files" / path):
        there = candidate.resolve()
        if there.is_relative_to(root) and there.is_file():
            return str(there.relative_to(root))
    raise ClientError(
        f"file:{path}: no such file below {mount.path / 'files'}", code=errno.ENOENT
    )


class Killed(Exception):
    """The modelled process is no more, though its descriptor is open."""


class Process:
    """An open descriptor of control/tasks: the modelled process itself."""

    def __init__(self, mount: Mount) -> None:
        self.mount = mount
        try:
            name = mount.path / "control/tasks"
            self._fd = os.open(name, os.O_RDWR | os.O_CLOEXEC)
        except OSError as error:
            raise mount.refused("hog", error) from None

    def say(self, text: str) -> None:
        """Write one command and wait for its end.

        Raises:
            Killed: there is no such process any more.
            ClientError: it was refused.
        """
        try:
            os.write(self._fd, f"{text}\n".encode())
        except ProcessLookupError:
            raise Killed from None
        except OSError as error:
            raise self.mount.refused(text, error) from None

    def state(self) -> list[str]:
        """What the descriptor tells of its process, line by line."""
        try:
            return os.pread(self._fd, STATE_BYTES, 0).decode().splitlines()
        except ProcessLookupError:
            raise Killed from None
        except OSError as error:
            raise self.mount.refused("hog", error) from None

    def lives(self) -> bool:
        """Whether the out-of-memory killer has left it alone."""
        return "state=killed" not in " ".join(self.state()[:1]).split()

    def walks(self) -> bool:
        """Whether it touches its pages."""
        return any(line.startswith("walk ") for line in self.state())

    def close(self) -> None:
        """End the process, if it is still there."""
        os.close(self._fd)
