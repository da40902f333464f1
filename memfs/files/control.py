"""The small files of ``control/``: pid, seed, cancel, validate."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

from memfs.files import grammar
from memfs.tree import TreeError

if TYPE_CHECKING:
    from memfs.mount import Mount
    from memfs.tree import Caller, Interrupt


def render_pid(mount: Mount) -> str:
    """The daemon's pid."""
    return f"{os.getpid()}\n"


def render_seed(mount: Mount) -> str:
    return f"{mount.settings.seed}\n"


async def store_cancel(
    mount: Mount, data: bytes, caller: Caller, interrupt: Interrupt
) -> None:
    """Stop an operation, by the number that status gives it, or ``all`` of them.

    Its caller gets EINTR. What the machine does by itself (kswapd, writeback)
    cannot be stopped.

    Raises:
        TreeError: EINVAL, ESRCH no such operation, EPERM the machine's own.
    """
    words = grammar.words(data)
    if len(words) > 1:
        raise grammar.GrammarError("one operation's number, or all")
    jobs = {job.id: job for job in mount.machine.sched.jobs()}
    if words[0] == "all":
        wanted = [job for job in jobs.values() if not job.background]
    else:
        number = grammar.number(words[0])
        if number not in jobs:
            raise TreeError(errno.ESRCH, f"no operation {number} is running")
        wanted = [jobs[number]]
    for job in wanted:
        if job.background:
            raise TreeError(errno.EPERM, f"{job.id}, {job.name}, is the machine's own")
        mount.cancel(job)


def render_validate(mount: Mount) -> str:
    """The last result: ``ok``, or ``violations=N`` and a line for each."""
    found = mount.violations
    if found is None:
        return "never run; write 1 to run it\n"
    head = f"violations={len(found)}" if found else "ok"
    return "".join(f"{line}\n" for line in (head, *found))


async def store_validate(
    mount: Mount, data: bytes, caller: Caller, interrupt: Interrupt
) -> None:
    """Check every invariant, whatever is written; success is that it was done."""
    await mount.validate(interrupt)
