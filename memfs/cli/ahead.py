"""What serves a mount is loaded in a child while the command line is being read.

``memfs exec --machine`` needs the model, trio and pyfuse3, which take longest of all
that it does. A child begins with them before this process knows more than its first
words; told what to mount, it does what ``memfs mount`` does. The parent never loads
the model, which would take as long to forget at its end.

What it is not: nothing depends on it. Where there is no such child, a new one loads
everything when it is told.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Sequence

_begun: Loader | None = None


class Loader:
    """A child that loads, and waits for the word what to mount."""

    def __init__(self) -> None:
        receive, send = os.pipe()
        self.pid = os.fork()
        if not self.pid:
            os.close(send)
            _serve(receive)
        os.close(receive)
        self._send = send

    def tell(self, words: Sequence[str]) -> None:
        """Have it mount: a mount point and a machine."""
        with os.fdopen(self._send, "wb") as pipe:
            pipe.write("\0".join(words).encode())


def begin(args: Sequence[str]) -> None:
    """Begin to load, if a machine will be mounted for a program."""
    global _begun
    if args[:1] == ["exec"] and any(_is_option(word) for word in args[1:3]):
        _begun = Loader()


def _is_option(word: str) -> bool:
    return word == "--machine" or word.startswith("--machine=")


def mount(point: str, machine: str) -> int:
    """Mount *machine* on *point* in a child; what went wrong it has said.

    Returns:
        The pid of the child, which ends when the mount answers.
    """
    if _begun is None:
        return fork(lambda: _mount(point, machine))
    _begun.tell((point, machine))
    return _begun.pid


def fork(work: Callable[[], int]) -> int:
    """Do *work* in a child, which ends with the status that it returns; its pid."""
    child = os.fork()
    if not child:
        _end_with(work)
    return child


def _end_with(work: Callable[[], int]) -> None:
    from memfs.client import ClientError

    status = 1
    try:
        status = work()
    except ClientError as error:
        print(f"memfs: {error}", file=sys.stderr)
        status = error.status
    except BaseException as error:
        print(f"memfs: {error}", file=sys.stderr)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def _serve(receive: int) -> None:
    """The child: load, wait, mount. It leaves by _exit."""
    handler = signal.signal(signal.SIGINT, signal.SIG_DFL)
    _load()
    with open(receive, "rb") as pipe:
        words = pipe.read().decode().split("\0")
    signal.signal(signal.SIGINT, handler)
    if len(words) != 2:
        os._exit(0)
    _end_with(lambda: _mount(*words))


def _load() -> None:
    import gc

    # There is no garbage yet: to look for it takes long.
    gc.disable()
    import memfs.cli.mount
    import memfs.daemon
    import memfs.fuse
    import memfs.mount  # noqa: F401

    gc.enable()


def _mount(point: str, machine: str) -> int:
    from memfs.cli.mount import start

    passed = ["allow_other"] if os.geteuid() == 0 else []
    return start(point, {"machine": machine}, passed, False, None)
