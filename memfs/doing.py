"""What a thread's process is doing, as far as its /proc says.

Whoever waits for another by the clock alone gives up when that one gets no CPU. Here
is how to see that it has work: it runs or waits for a CPU or a disk, how much of the
CPU's time it has had, and in how many turns.
"""

from __future__ import annotations

import os

from memfs.records import NamedTuple

# CPU times of /proc come in these.
TICKS_PER_S = os.sysconf("SC_CLK_TCK")
ENDED = (b"Z", b"X")  # states of /proc/PID/stat


class Doing(NamedTuple):
    """What a process was seen doing.

    Attributes:
        runs: one of its threads runs, or would if it had a CPU or a disk's answer.
        cpu_s: CPU time of all of them so far, s.
        turns: how often one of them was given a CPU; it stands while all sleep.
    """

    runs: bool
    cpu_s: float
    turns: int


def doing(pid: int) -> Doing | None:
    """What the process of a thread is doing; None: it has ended."""
    try:
        tids = os.listdir(f"/proc/{pid}/task")
    except OSError:
        # It is gone, or hidden from this user.
        return Doing(False, 0.0, 0) if is_alive(pid) else None
    seen = [one for tid in tids if (one := _thread(f"/proc/{pid}/task/{tid}"))]
    if not seen:
        return None
    return Doing(
        any(one.runs for one in seen),
        sum(one.cpu_s for one in seen),
        sum(one.turns for one in seen),
    )


def is_alive(pid: int) -> bool:
    """Whether there is such a thread, as far as can be seen from here."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        pass
    return pid > 0


def has_ended(pid: int) -> bool:
    """Whether a process is there still and its main thread has ended; another of its
    threads may be in the kernel, where no signal reaches it."""
    words = _stat(f"/proc/{pid}")
    return bool(words) and words[0] in ENDED


def _stat(where: str) -> list[bytes]:
    """What the kernel says of a thread, from its state on; nothing: it is gone."""
    # The name, in parentheses, may hold anything.
    return _text(f"{where}/stat").rpartition(b") ")[2].split()


def _thread(where: str) -> Doing | None:
    """One thread; None: it has ended, though nobody has waited for it yet."""
    words = _stat(where)
    if not words or words[0] in ENDED:
        return None
    # The time on a CPU and the time of waiting for one, ns; how many turns.
    times = _text(f"{where}/schedstat").split()
    if len(times) < 3:
        # A kernel without. CPU times of stat are coarse.
        ticks = int(words[11]) + int(words[12])
        return Doing(words[0] in b"RD", ticks / TICKS_PER_S, ticks)
    return Doing(words[0] in b"RD", int(times[0]) / 1e9, int(times[2]))


def _text(path: str) -> bytes:
    try:
        with open(path, "rb", buffering=0) as file:
            return file.read() or b""
    except OSError:
        return b""
