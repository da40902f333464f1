"""``notifier-error-inject``: errors that going online or offline ends with.

A number written here is what those answer who are told of a change of memory: 0 or
a negative errno.

Source: lib/notifier-error-inject.c, Linux 6.1.
"""

from __future__ import annotations

import errno
import re
from typing import TYPE_CHECKING

from memfs.files.row import Row
from memfs.tree import TreeError

if TYPE_CHECKING:
    from memfs.mount import Mount
    from memfs.tree import Caller, Interrupt

NUMBER = re.compile(r"\s*-?[0-9]{1,18}\s*")
MAX_ERRNO = 4095


def row(place: str, action: str) -> Row:
    """The file of one action."""

    def render(mount: Mount) -> str:
        return f"{-mount.machine.notifiers.errors[action]}\n"

    async def store(
        mount: Mount, data: bytes, caller: Caller, interrupt: Interrupt
    ) -> None:
        text = data.decode("latin-1")
        if not NUMBER.fullmatch(text) or not -MAX_ERRNO <= int(text) <= 0:
            raise TreeError(errno.EINVAL, f"0 or a negative errno, not {text[:40]!a}")
        mount.machine.notifiers.errors[action] = -int(text)
        mount.machine.bump()

    what = f"errno that {action} ends with, as a negative number; 0: none"
    return Row(f"{place}/actions/{action}/error", 0o644, "", what, render, store=store)
