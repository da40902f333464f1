"""Mounts for tests: a daemon in its own process, ready when its pipe says so.

The daemon is never in the test's process: a test that waits for its own mount
would wait for itself. A watchdog kills a daemon that outlives its test's patience,
so a hung request fails (ECONNABORTED) and does not hang the run. The end is strict:
umount must succeed, the daemon must exit with 0, and its log must hold no warning.
"""

from __future__ import annotations

import contextlib
import os
import select
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FAKE = [sys.executable, str(ROOT / "tests" / "fakedaemon.py")]
MEMFS = [sys.executable, "-m", "memfs", "mount", "--foreground"]

# What is hung is hung after that; a crowded machine takes its time for the rest.
PATIENCE_S = 240.0
BAD_WORDS = ("WARNING", "ERROR", "CRITICAL", "Traceback")


class Mounted:
    """A mount and its daemon.

    Attributes:
        path: the mount point.
        process: the daemon.
        allowed: words of the log that a test expects and excuses.
    """

    def __init__(self, path: Path, process: subprocess.Popen, log: Path) -> None:
        self.path = path
        self.process = process
        self.log = log
        self.allowed: tuple[str, ...] = ()

    def __truediv__(self, name: str) -> Path:
        return self.path / name

    def write(self, name: str, data: bytes | str) -> int:
        """One write() to a file of the mount; its errno is the OSError's."""
        if isinstance(data, str):
            data = data.encode()
        fd = os.open(self.path / name, os.O_WRONLY)
        try:
            return os.write(fd, data)
        finally:
            os.close(fd)

    def shell(self, script: str, shell: str = "sh") -> subprocess.CompletedProcess:
        """Run a script with the mount point as ``$M``."""
        return subprocess.run(
            [shell, "-c", script],
            env={**os.environ, "M": str(self.path), "LC_ALL": "C"},
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )

    def client(self, script: str, shell: str = "sh", **more) -> subprocess.Popen:
        """A shell script that runs on while the test does, in its own session."""
        env = {**os.environ, "M": str(self.path), "LC_ALL": "C"}
        command = [shell, "-c", script]
        return subprocess.Popen(command, env=env, start_new_session=True, **more)

    def umount(self) -> None:
        done = subprocess.run(
            ["umount", str(self.path)], capture_output=True, text=True, check=False
        )
        # A daemon that was told to end may have been faster.
        assert done.returncode == 0 or not os.path.ismount(self.path), done.stderr

    def finish(self) -> None:
        """The strict end."""
        if self.process.poll() is None and os.path.ismount(self.path):
            self.umount()
        assert self.process.wait(PATIENCE_S) == 0, (
            self.process.returncode,
            self.log.read_text(),
        )
        found = self.complaints()
        assert found == [], found

    def complaints(self) -> list[str]:
        """Lines of the log that no daemon should write."""
        return [
            line
            for line in self.log.read_text().splitlines()
            if any(word in line for word in BAD_WORDS)
            and not any(word in line for word in self.allowed)
        ]

    def destroy(self) -> None:
        """The end that always works."""
        self.process.kill()
        self.process.wait()
        subprocess.run(["umount", "-l", str(self.path)], capture_output=True)


def wait_until(what: Callable[[], object], patience_s: float = PATIENCE_S) -> object:
    """Look until *what* gives something true; fail after the patience."""
    end = time.monotonic() + patience_s
    while not (seen := what()):
        assert time.monotonic() < end, "it never came true"
        time.sleep(0.002)
    return seen


def start(
    path: Path,
    log: Path,
    command: Sequence[str] = FAKE,
    options: Sequence[str] = (),
    env: dict[str, str] | None = None,
) -> Mounted:
    """Start a daemon and wait for its READY."""
    path.mkdir(exist_ok=True)
    receive, send = os.pipe()
    with open(log, "ab") as output:
        process = subprocess.Popen(
            [*command, *options, "--ready-fd", str(send), str(path)],
            env={**os.environ, "PYTHONPATH": str(ROOT), **(env or {})},
            pass_fds=[send],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
    os.close(send)
    with open(receive, "rb", buffering=0) as pipe:
        ready = select.select([pipe], [], [], PATIENCE_S)[0] and pipe.read(6)
    if ready != b"READY\n":
        process.kill()
        process.wait()
        raise AssertionError(f"not ready: {log.read_text()}")
    return Mounted(path, process, log)


@contextlib.contextmanager
def mounted(
    directory: Path, patience_s: float = PATIENCE_S, **more
) -> Iterator[Mounted]:
    """A mount on ``directory/mnt`` that ends strictly, or else for certain."""
    mount = start(directory / "mnt", directory / "daemon.log", **more)
    watchdog = threading.Timer(patience_s, mount.process.kill)
    watchdog.start()
    try:
        yield mount
        mount.finish()
    finally:
        watchdog.cancel()
        mount.destroy()
