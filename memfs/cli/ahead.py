"""What serves a mount is loaded in a child while the command line is being read.

``memfs mount`` and ``memfs exec --machine`` need the model, trio and pyfuse3, which
take longest of all that they do. A child begins with them before this process knows
more than its first words; told what to mount, it becomes the daemon. This process
never loads the model, which would take as long to forget at its end.

What it is not: nothing depends on it. Where there is no such child, a new one loads
everything when it is told.
"""

from __future__ import annotations

import fcntl
import os
import signal
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from memfs.cli.start import Wanted

_begun: Loader | None = None


class Loader:
    """A child that loads, waits for the word what to mount, and becomes the daemon."""

    def __init__(self) -> None:
        receive, self._send = _pipe()
        self._word, word = _pipe()
        self.pid = os.fork()
        if not self.pid:
            os.close(self._send)
            os.close(self._word)
            _serve(receive, word)
        os.close(receive)
        os.close(word)

    def mount(self, wanted: Wanted) -> None:
        """Say what to mount; ``wait`` for it."""
        import json

        # A child that could not load has gone, and has said why.
        with suppress(BrokenPipeError), os.fdopen(self._send, "w") as pipe:
            json.dump(wanted, pipe)

    def wait(self) -> None:
        """Wait until the mount answers.

        Raises:
            ClientError: what went wrong.
        """
        from memfs import detach
        from memfs.client import ClientError

        try:
            why = detach.await_word(self._word)
        except BaseException:
            # Who asked for the mount has gone.
            os.kill(self.pid, signal.SIGTERM)
            raise
        if why is not None:
            raise ClientError(why or "the daemon ended before it was ready")

    def drop(self) -> None:
        """End a child that was never told what to mount."""
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)


def begin(args: Sequence[str]) -> None:
    """Begin to load, if a machine is going to be mounted in another process."""
    global _begun
    if _will_mount(args):
        _begun = Loader()


def taken() -> Loader | None:
    """The child that has begun to load, if there is one: the caller's from here on."""
    global _begun
    loader, _begun = _begun, None
    return loader


def drop() -> None:
    """What has begun to load was not needed."""
    if (loader := taken()) is not None:
        loader.drop()


def _will_mount(args: Sequence[str]) -> bool:
    """Whether it looks like it: a wrong guess costs time, and nothing else."""
    if args[:1] == ["exec"]:
        return any(_is_option(word) for word in args[1:3])
    stays = {"-f", "--foreground", "-h", "--help"}
    return args[:1] == ["mount"] and not stays.intersection(args)


def _is_option(word: str) -> bool:
    return word == "--machine" or word.startswith("--machine=")


def _pipe() -> list[int]:
    """A pipe beside the standard streams, even if those are closed."""
    ends = os.pipe()
    high = [fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 3) for fd in ends]
    for fd in ends:
        os.close(fd)
    return high


def fork(work: Callable[[], int]) -> int:
    """Do *work* in a child, which ends with the status that it returns; its pid."""
    child = os.fork()
    if not child:
        _end_with(work)
    return child


def _end_with(work: Callable[[], int]) -> NoReturn:
    status = 1
    try:
        status = work()
    except BaseException as error:
        print(f"memfs: {error}", file=sys.stderr)
    finally:
        leave(status)


def leave(status: int) -> NoReturn:
    """End, without tidying up what ends with the process anyway."""
    from memfs import detach

    detach.flush_standard_streams()
    os._exit(status)


def _serve(receive: int, word: int) -> NoReturn:
    """The child: load, wait, mount. It leaves by _exit."""
    handler = signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        _load()
    except Exception as error:
        text = f"{error}: `memfs doctor` says what this computer lacks"
        os.write(word, text.encode(errors="replace"))
        os._exit(1)
    with open(receive) as pipe:
        said = pipe.read()
    signal.signal(signal.SIGINT, handler)
    if not said:
        # Nothing was mounted: a mistake on the command line, or its --help.
        os._exit(0)
    _end_with(lambda: _mount(said, word))


def _load() -> None:
    import gc

    gc.disable()  # see memfs.cli.main
    import memfs.cli.start
    import memfs.daemon
    import memfs.fuse
    import memfs.mount  # noqa: F401

    # Nor will there be any in what was loaded.
    gc.freeze()
    gc.enable()


def _mount(said: str, word: int) -> int:
    """Become the daemon; what is wrong is the waiting process's to say."""
    import json

    from memfs.cli.start import Wanted, start

    try:
        return start(Wanted(*json.loads(said)), word_fd=word)
    except Exception as error:
        os.write(word, str(error).encode(errors="replace"))
        return 1
