"""What the modelled kernel prints: a ring of text with virtual time stamps.

It is not the log of the daemon. Source: printk() and dmesg(1).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final

RING_BYTES: Final = 256 * 1024
KERN_ERR: Final = 3
KERN_WARNING: Final = 4
KERN_NOTICE: Final = 5
KERN_INFO: Final = 6


class KernelLog:
    """A ring of lines ``<6>[    1.234567] text``, at most 256 KiB of them."""

    def __init__(self, now: Callable[[], int], size: int = RING_BYTES) -> None:
        self._now = now
        self._size = size
        self._used = 0
        self._lines: deque[str] = deque()
        self.count = 0

    def add(self, text: str, level: int = KERN_INFO) -> None:
        """Append `text`, one entry per line of it; the oldest entries give way."""
        seconds, rest = divmod(self._now(), 1_000_000_000)
        stamp = f"<{level}>[{seconds:5d}.{rest // 1000:06d}] "
        for part in text.splitlines() or [""]:
            self._append(stamp + part + "\n")

    def text(self) -> str:
        """The whole ring, oldest line first."""
        return "".join(self._lines)

    def _append(self, line: str) -> None:
        self._lines.append(line)
        self._used += len(line.encode())
        self.count += 1
        while self._used > self._size:
            self._used -= len(self._lines.popleft().encode())
