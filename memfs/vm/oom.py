"""Out of memory: when a task is killed, and which.

Source: mm/oom_kill.c out_of_memory(), badness(), 2.6.0.
"""

from __future__ import annotations

from enum import Enum
from math import isqrt
from typing import TYPE_CHECKING

from memfs.vm.ruleviews import OomView
from memfs.vm.sched import HZ_NS

if TYPE_CHECKING:
    from memfs.vm.machine import Machine
    from memfs.vm.tasks import Task


class Verdict(Enum):
    """What out_of_memory() found."""

    SWAP_FREE = "swap is free, so nobody is killed"
    WAIT = "too early, or a victim is on its way out"
    KILLED = "a task was killed"
    NOBODY = "there is no task to kill"


class OomState:
    """When allocations failed; ns, and -1 for never."""

    def __init__(self) -> None:
        self.first = -1
        self.last = -1
        self.failures = 0
        self.last_kill = -1

    def failed(self, now: int) -> None:
        """Note a failure; a quiet time of five seconds begins anew."""
        if self.last < 0 or now - self.last > 5 * HZ_NS:
            self.first = now
            self.failures = 0
        self.last = now
        self.failures += 1


def out_of_memory(m: Machine) -> Verdict:
    """Direct reclaim freed nothing: kill a task if the rule says so."""
    state = m.oom
    swap = m.core.swap_stat()
    swap_free = max(0, swap.total - swap.used)
    if swap_free:
        return Verdict.SWAP_FREE
    state.failed(m.now)
    if any(task.dying for task in m.tasks.all()):
        return Verdict.WAIT
    view = OomView(
        swap_free, m.now, state.first, state.last, state.failures, state.last_kill
    )
    if not m.rules.oom(view):
        return Verdict.WAIT
    victim = select(m)
    if victim is None:
        return Verdict.NOBODY
    state.last_kill = m.now
    state.first, state.failures = m.now, 0
    kill(m, victim)
    return Verdict.KILLED


def select(m: Machine) -> Task | None:
    """The task with the most badness points; of equals the oldest."""
    tasks = [task for task in m.tasks.all() if not task.killed]
    return max(tasks, key=lambda task: (badness(m, task), -task.number), default=None)


def badness(m: Machine, task: Task) -> int:
    """Points: virtual pages, fewer for one that has worked long."""
    points = task.stat().total_vm
    points //= isqrt(task.cpu_ns // HZ_NS) or 1
    minutes = (m.now - task.start_ns) // (60 * HZ_NS)
    return points // (isqrt(isqrt(minutes)) or 1)


def kill(m: Machine, task: Task) -> None:
    """Kill `task` in the model; no real process is ever signalled."""
    m.klog.add(f"Out of Memory: Killed process {task.pid} ({task.name}).", 3)
    m.count("oom_kill")
    task.kill()
