"""Pins: references to pages by somebody who says who he is, and since when.

A pinned page neither moves nor goes. Direct I/O pins a task's pages while it runs, a
pipe or a socket's queue those that were spliced into it; what `why` says of such a page
is the holder's name.

Source: get_user_pages(), generic_file_splice_read(), do_sendfile(), 2.6.
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from typing import TYPE_CHECKING

from memfs.records import NamedTuple
from memfs.vm import _ffi
from memfs.vm._ffi import check
from memfs.vm.alloc import SlowPath, settle
from memfs.vm.errors import VmError
from memfs.vm.sched import Op

if TYPE_CHECKING:
    from memfs.vm.machine import Machine
    from memfs.vm.pagecache import PageFile
    from memfs.vm.tasks import Task


class Holder(NamedTuple):
    """Who pins pages: a name, and since when (ns)."""

    name: str
    since: int


class Pin:
    """Pages that somebody holds, until :meth:`release`."""

    def __init__(self, pins: Pins, number: int, holder: Holder) -> None:
        self._pins = pins
        self._number = number
        self.holder = holder
        self._ids: list[int] = []

    def __repr__(self) -> str:
        return f"<Pin of {self.holder.name}, {self.pages} pages>"

    @property
    def pages(self) -> int:
        """Pages that are held; one that is held twice counts twice."""
        return len(self._ids)

    def add(self, pin: int) -> None:
        """One page more, by its number in the core."""
        self._ids.append(pin)

    @property
    def number(self) -> int:
        """The holder's number in the core."""
        return self._number

    def release(self) -> None:
        """Let go; a second call does nothing."""
        m = self._pins.m
        while self._ids and m.core.is_open:
            m.core.unpin(self._ids.pop())
        self._pins.forget(self)
        m.bump()


class Pins:
    """Every pin of a machine, by the number of its holder."""

    def __init__(self, m: Machine) -> None:
        self.m = m
        self._by_number: dict[int, Pin] = {}
        self._next = 1

    def all(self) -> list[Pin]:
        """Every pin, oldest first."""
        return list(self._by_number.values())

    def holder(self, number: int) -> Holder | None:
        """Who a number of the core is."""
        pin = self._by_number.get(number)
        return None if pin is None else pin.holder

    def forget(self, pin: Pin) -> None:
        """Its pages are held no more."""
        self._by_number.pop(pin.number, None)

    def file(self, file: PageFile, first: int, nr: int, holder: str) -> Op[Pin]:
        """Pin `nr` pages of a file from page `first` on; they are read in first.

        Raises:
            VmError: ENOENT a hole of a tmpfs, EFAULT behind the end, EIO, ENOMEM.
        """
        yield from file.read(first << 12, nr << 12, self.m.read_ahead())
        core = self.m.core

        def page(index: int, number: int) -> tuple[int, int]:
            return core.pin_file(file.id, first + index, number)

        return (yield from self._pin(page, nr, holder))

    def area(
        self, task: Task, area_id: int, first: int, nr: int, holder: str
    ) -> Op[Pin]:
        """Pin `nr` pages of a task's area from page `first` on; they are touched first.

        Raises:
            VmError: EFAULT, EINVAL, ESRCH, ENOMEM.
        """
        area = task.area(area_id)
        yield from task.touch(
            area_id, write=area.writable, passes=1, first=first, nr=nr
        )
        core = self.m.core

        def page(index: int, number: int) -> tuple[int, int]:
            return core.pin_area(area.vma, first + index, number)

        return (yield from self._pin(page, nr, holder))

    def _pin(
        self, page: Callable[[int, int], tuple[int, int]], nr: int, name: str
    ) -> Op[Pin]:
        pin = Pin(self, self._next, Holder(name, self.m.now))
        self._by_number[self._next] = pin
        self._next += 1
        slow = SlowPath(self.m)
        try:
            while pin.pages < nr:
                rc, number = page(pin.pages, pin.number)
                if rc == _ffi.DONE:
                    pin.add(number)
                    continue
                check(rc, f"pin of {name}")
                yield from settle(self.m, rc, slow)
        except BaseException:
            pin.release()
            raise
        if not nr:
            raise VmError(errno.EINVAL, f"pin of {name}: no page")
        return pin
