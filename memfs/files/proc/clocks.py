"""``proc/uptime``, ``proc/stat`` and ``proc/loadavg``: the model's time and work.

The time is the virtual clock's. The load is that of tasks that compute or wait for
I/O or memory. A CPU is busy while a modelled task touches memory
on it, else idle; there are no interrupts.

Source: fs/proc/uptime.c, fs/proc/stat.c, fs/proc/loadavg.c, Linux 6.1.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from memfs.vm.pressure import FIXED

if TYPE_CHECKING:
    from memfs.mount import Mount

NS_PER_S: Final = 1_000_000_000
NS_PER_TICK: Final = 10_000_000  # USER_HZ is 100
CPU_FIELDS: Final = 10
SOFTIRQS: Final = 10


def centiseconds(ns: int) -> str:
    """A time as 12.34 seconds."""
    return f"{ns // NS_PER_S}.{ns // NS_PER_TICK % 100:02}"


def render_uptime(mount: Mount) -> str:
    machine = mount.machine
    idle = sum(max(0, machine.now - busy) for busy in machine.cpu_ns)
    return f"{centiseconds(machine.now)} {centiseconds(idle)}\n"


def cpu_line(name: str, busy: int, total: int) -> str:
    """A line of proc/stat: user and idle ticks, the others are 0."""
    user = min(busy, total) // NS_PER_TICK
    idle = max(0, total - busy) // NS_PER_TICK
    return f"{name} {user} 0 0 {idle}" + " 0" * (CPU_FIELDS - 4) + "\n"


def render_stat(mount: Mount) -> str:
    machine = mount.machine
    now = machine.now
    cpus = machine.cpu_ns
    ended = machine.snapshot().events.get("pgfault", 0)
    return (
        cpu_line("cpu ", sum(cpus), now * len(cpus))
        + "".join(cpu_line(f"cpu{n}", busy, now) for n, busy in enumerate(cpus))
        + f"intr {0}\n"
        f"ctxt {ended}\n"
        f"btime {mount.boot_s}\n"
        f"processes {machine.tasks.created}\n"
        f"procs_running {running(mount)}\n"
        f"procs_blocked {blocked(mount)}\n" + "softirq 0" + " 0" * SOFTIRQS + "\n"
    )


def running(mount: Mount) -> int:
    """Operations of tasks that can go on now."""
    return sum(job.waiting == "running" for job in mount.machine.sched.jobs())


def blocked(mount: Mount) -> int:
    """Operations that wait for I/O."""
    return sum(job.waiting == "I/O" for job in mount.machine.sched.jobs())


def render_loadavg(mount: Mount) -> str:
    """The model's load; tasks are counted with the host's.

    Whoever compares the number with the processes that there are finds the host's.
    """
    running_there, total_there, last = host_tasks()
    tasks = mount.machine.tasks.all()
    total = total_there + len(tasks)
    last = max((task.pid for task in tasks), default=last)
    now = f"{running_there + running(mount)}/{total} {last}"
    return f"{' '.join(load(mount))} {now}\n"


def load(mount: Mount) -> list[str]:
    """Load averages of 1, 5 and 15 minutes."""
    mount.machine.pressure.account()
    averages = mount.machine.pressure.load.averages
    return [f"{value // FIXED}.{value % FIXED * 100 // FIXED:02}" for value in averages]


def host_tasks() -> tuple[int, int, int]:
    """Threads of the host that run, all of them, and the last pid given out."""
    try:
        words = Path("/proc/loadavg").read_text().split()
        ran, _, total = words[3].partition("/")
        return int(ran), int(total), int(words[4])
    except (OSError, ValueError, IndexError):
        return 1, 1, 1
