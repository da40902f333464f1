"""``proc/pressure``: how long there was too little of something.

What is written to ``memory`` and ``io`` is a trigger of the descriptor: ``some 150000
1000000`` has poll(2) say POLLPRI when within a second 150 ms were lost.

Source: kernel/sched/psi.c psi_show(), psi_trigger_create(), Linux 6.1.
"""

from __future__ import annotations

import errno
import re
from typing import TYPE_CHECKING, Final

from memfs.files import grammar
from memfs.tree import TextFile, TextHandle, TreeError
from memfs.vm.pressure import FIXED, FULL, NS_PER_US, SOME, Trigger

if TYPE_CHECKING:
    from memfs.files.row import Row
    from memfs.mount import Mount
    from memfs.tree import Caller, Handle, Interrupt
    from memfs.vm.pressure import Line, Resource

FORM: Final = re.compile(rb"(some|full) ([0-9]{1,10}) ([0-9]{1,10})[\n\0]?")
MIN_WINDOW_US: Final = 500_000
MAX_WINDOW_US: Final = 10_000_000
KINDS: Final = {b"some": SOME, b"full": FULL}
NOTHING: Final = "avg10=0.00 avg60=0.00 avg300=0.00 total=0\n"


def shown(line: Line) -> str:
    """One line without its first word."""
    cells = (
        f"{value // FIXED}.{value % FIXED * 100 // FIXED:02}" for value in line.averages
    )
    a, b, c = cells
    return f"avg10={a} avg60={b} avg300={c} total={line.total_us}\n"


def render_cpu(mount: Mount) -> str:
    """Nobody ever waits for a CPU."""
    return f"some {NOTHING}full {NOTHING}"


class TriggerHandle(TextHandle):
    """An open file; it has a trigger at most."""

    __slots__ = ("_mount", "_path", "_resource", "_trigger")
    needs_release = True

    def __init__(self, file: PressureFile, data: bytes) -> None:
        super().__init__(file, data)
        self._mount = file.mount
        self._path = file.path
        self._resource = file.resource
        self._trigger: Trigger | None = None

    async def write(self, off: int, data: bytes, interrupt: Interrupt) -> int:
        """Set the trigger.

        Raises:
            TreeError: EINVAL what is none; EBUSY there is one.
        """
        if not data:
            return 0
        try:
            self._set(data)
        except TreeError as error:
            self._mount.tell(self._path, grammar.shown(data), error)
            raise
        return len(data)

    def _set(self, data: bytes) -> None:
        found = FORM.fullmatch(data)
        if not found:
            raise TreeError(errno.EINVAL, "some|full STALL WINDOW, us")
        threshold, window = int(found[2]), int(found[3])
        if not MIN_WINDOW_US <= window <= MAX_WINDOW_US or not 0 < threshold <= window:
            raise TreeError(errno.EINVAL, f"{threshold} us of {window} us")
        if self._trigger is not None:
            raise TreeError(errno.EBUSY, "the descriptor has a trigger")
        self._mount.machine.pressure.account()
        kind = KINDS[found[1]]
        trigger = Trigger(kind, threshold * NS_PER_US, window * NS_PER_US)
        trigger.begin(self._mount.machine.now, self._resource.total[kind])
        self._trigger = trigger
        self._resource.triggers.append(trigger)

    def changed(self) -> bool:
        """Whether the trigger has fired; asked by whoever polls."""
        self._mount.machine.pressure.account()
        return self._trigger is not None and self._trigger.fired

    def polled(self) -> bool:
        """The same; it has been said then."""
        fired = self.changed()
        if self._trigger is not None:
            self._trigger.fired = False
        return fired

    async def release(self) -> None:
        if self._trigger is not None:
            self._resource.triggers.remove(self._trigger)
            self._trigger = None


class PressureFile(TextFile):
    """``memory`` or ``io``."""

    def __init__(self, mount: Mount, row: Row) -> None:
        self.mount = mount
        self.path = row.path
        super().__init__(self._render, row.mode, manners=row.manners)

    @property
    def resource(self) -> Resource:
        """What it is about."""
        name = self.path.rpartition("/")[2]
        return self.mount.machine.pressure.resources[name]

    def _render(self) -> bytes:
        self.mount.pump.tick()
        self.mount.machine.pressure.account()
        return "".join(
            f"{name.decode()} {shown(self.resource.line(kind))}"
            for name, kind in KINDS.items()
        ).encode()

    def open(self, flags: int, caller: Caller) -> Handle:
        self._check(flags)
        return TriggerHandle(self, self.text())
