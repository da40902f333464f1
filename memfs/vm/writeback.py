"""Write-back: how much may be dirty, who writes it, and when.

Two background jobs: pdflush writes when too much is dirty or reclaim asks for it;
kupdate writes every five seconds what has been dirty for thirty. A writer that
dirties too much writes back itself. tmpfs is never written back: it goes to swap.

Source: mm/page-writeback.c, mm/pdflush.c, fs/fs-writeback.c, 2.6.0.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from memfs.records import NamedTuple
from memfs.vm import _ffi
from memfs.vm._ffi import ZoneItem
from memfs.vm.accounting import dirtyable
from memfs.vm.layoutvalues import PAGE_SIZE
from memfs.vm.reclaim import congestion_wait, total_memory
from memfs.vm.ruleviews import DirtyView
from memfs.vm.sched import MORE, NS_PER_MS, Io, Op, Park, Until

if TYPE_CHECKING:
    from memfs.vm.machine import Machine
    from memfs.vm.pagecache import PageFile

MAX_WRITEBACK_PAGES = 1024
RATELIMIT_EXCEEDED = 8
STEP = 1024  # pages a call of the core
NS_PER_CS = 10 * NS_PER_MS
PERIOD = "write-back's period"


class DirtyState(NamedTuple):
    """Pages of files now, and the limits that hold now."""

    dirty: int
    writeback: int
    background_limit: int
    dirty_limit: int


class Writeback:
    """Dirty files in the order in which they became dirty, and who writes them."""

    def __init__(self, m: Machine) -> None:
        self.m = m
        # Mapping -> virtual time (ns) since when it has been dirty.
        self.dirty: dict[int, int] = {}
        self._unbalanced = 0
        self._exceeded = False
        self._asked = 0
        self._ratelimit = 16

    def start(self) -> None:
        """Spawn the background jobs."""
        self.recompute()
        for name, op in (("pdflush", self._pdflush()), ("kupdate", self._kupdate())):
            self.m.sched.spawn(op, name=name, background=True)

    def recompute(self) -> None:
        """Memory came or went: how often writers look at the limits.

        Source: mm/page-writeback.c set_ratelimit(), 2.6.0.
        """
        pages = total_memory(self.m) // (self.m.layout.cpus * 32)
        self._ratelimit = max(16, min(pages, 1024))

    # -- what is dirty -------------------------------------------------------

    def dirtied(self, file: PageFile, pages: int) -> None:
        """`file` has `pages` more dirty pages, or the same ones again."""
        self._unbalanced += pages
        if file.id not in self.dirty:
            self.dirty[file.id] = self.m.now
            self.m.sched.wake("dirty data")

    def grant(self, file: PageFile, pages: int) -> int:
        """How many of `pages` may become dirty before somebody looks at the limits.

        None of a file that is not among the dirty ones: it would never be written.
        """
        if self._exceeded or file.id not in self.dirty:
            return 0
        return max(0, min(pages, self._ratelimit - self._unbalanced))

    def used(self, pages: int) -> None:
        """So many pages have become dirty without a word."""
        self._unbalanced += pages

    def cleaned(self, file: PageFile) -> None:
        """Forget that `file` is dirty, if it is not."""
        stat = file.stat()
        if not stat.nr_dirty and not stat.nr_vmas:
            file.grant(0)
            self.dirty.pop(file.id, None)

    def state(self) -> DirtyState:
        """How much is dirty and how much may be.

        Source: mm/page-writeback.c get_dirty_limits(), page_writeback_init(), 2.6.0.
        """
        dirty = writeback = mapped = lowmem = 0
        for zone in self.m.zones.values():
            item = zone.stat().item
            dirty += item[ZoneItem.NR_DIRTY]
            writeback += item[ZoneItem.NR_WRITEBACK]
            mapped += item[ZoneItem.NR_MAPPED] + item[ZoneItem.NR_ANON_MAPPED]
        for zid in self.m.zonelists.get((0, _ffi.CLASS_NORMAL), ()):
            lowmem += self.m.zones[zid].present
        now = self.m.tunables
        background, limit = self.m.rules.dirty_limits(
            DirtyView(
                total=total_memory(self.m),
                lowmem=lowmem,
                mapped=mapped,
                dirtyable=dirtyable(self.m),
                background_ratio=now.dirty_background_ratio,
                ratio=now.dirty_ratio,
            )
        )
        if now.dirty_bytes:
            limit = -(-now.dirty_bytes // PAGE_SIZE)
        if now.dirty_background_bytes:
            background = -(-now.dirty_background_bytes // PAGE_SIZE)
        if background >= limit:
            background = limit // 2
        return DirtyState(dirty, writeback, background, limit)

    # -- writers ---------------------------------------------------------------

    def must_balance(self) -> bool:
        """Whether a writer has to look at the limits before it goes on."""
        limit = RATELIMIT_EXCEEDED if self._exceeded else self._ratelimit
        return self._unbalanced >= limit

    def balance_dirty_pages(self) -> Op[None]:
        """Have a writer write back while too much is dirty; wake pdflush.

        Source: mm/page-writeback.c balance_dirty_pages(), 2.6.0.
        """
        self._unbalanced = 0
        chunk = self._ratelimit + self._ratelimit // 2
        written = 0
        state = self.state()
        while state.dirty + state.writeback > state.dirty_limit:
            self._exceeded = True
            if state.dirty:
                written += yield from self.write_some(chunk, nonblocking=True)
                state = self.state()
                if state.dirty + state.writeback <= state.dirty_limit:
                    break
                if written >= chunk:
                    break
            yield from congestion_wait(self.m)
            state = self.state()
        if state.dirty + state.writeback <= state.dirty_limit:
            self._exceeded = False
        if state.dirty > state.background_limit:
            self.m.sched.wake("pdflush")

    # -- writing ----------------------------------------------------------------

    def write_some(
        self, nr: int, older_than: int | None = None, nonblocking: bool = False
    ) -> Op[int]:
        """Start write-out of up to `nr` pages of the files that were dirty first.

        Args:
            nr: pages.
            older_than: only files dirty since before this time (ns).
            nonblocking: stop at a full queue instead of waiting.

        Returns:
            Pages started.
        """
        done = 0
        for fid, since in list(self.dirty.items()):
            file = self.m.files.get(fid)
            if file is None or (older_than is not None and since > older_than):
                continue
            done += yield from self._write_file(file, nr - done, nonblocking)
            if done >= nr:
                break
        return done

    def _write_file(self, file: PageFile, nr: int, nonblocking: bool) -> Op[int]:
        # From where the last call stopped to the end of the file.
        done = 0
        while done < nr and not file.dead:
            rc, file.wb_index, n = self.m.core.file_writeback(
                file.id, file.wb_index, min(nr - done, STEP)
            )
            done += n
            if rc == _ffi.DONE:
                file.wb_index = 0
                self._pass_ended(file)
                break
            if rc < 0 or (rc == _ffi.WAIT and nonblocking):
                break
            if done < nr:
                yield Io() if rc == _ffi.WAIT else MORE
        return done

    def _pass_ended(self, file: PageFile) -> None:
        # What is dirty now became so during the pass.
        if self.dirty.pop(file.id, None) is None:
            return
        stat = file.stat()
        if stat.nr_dirty or stat.nr_vmas:
            self.dirty[file.id] = self.m.now
        else:
            file.grant(0)

    def wakeup_bdflush(self, pages: int) -> None:
        """Have pdflush write at least `pages`, whatever the limits.

        Source: mm/page-writeback.c wakeup_bdflush(), 2.6.0.
        """
        if self.dirty:
            self._asked = max(self._asked, pages)
            self.m.sched.wake("pdflush")

    def _pdflush(self) -> Op[None]:
        # background_writeout() of 2.6.0, for ever.
        while True:
            yield Park("pdflush")
            asked, self._asked = self._asked, 0
            while asked > 0 or self._over_background():
                done = yield from self.write_some(MAX_WRITEBACK_PAGES)
                asked -= done
                if done < MAX_WRITEBACK_PAGES:
                    yield from congestion_wait(self.m)
                    break
                yield MORE

    def _over_background(self) -> bool:
        state = self.state()
        return state.dirty > state.background_limit

    def _kupdate(self) -> Op[None]:
        # wb_kupdate() of 2.6.0, which also has clean files give their descriptors
        # back. It sleeps while nothing is dirty or being written.
        while True:
            period = self.m.tunables.dirty_writeback_centisecs * NS_PER_CS
            if not period:
                yield Park(PERIOD)
                continue
            if not self.dirty and not self._in_flight():
                yield Park("dirty data")
                continue
            yield Until((self.m.now // period + 1) * period)
            old = self.m.now - self.m.tunables.dirty_expire_centisecs * NS_PER_CS
            while (yield from self.write_some(MAX_WRITEBACK_PAGES, old)):
                yield MORE
            self.m.files.settle(len(self.m.files.held))

    def period_changed(self) -> None:
        """How often old data are looked for is another now."""
        self.m.sched.wake(PERIOD)

    def _in_flight(self) -> bool:
        return any(file.stat().nr_writeback for file in self.m.files.held.values())

    def sync(self) -> Op[None]:
        """Write every dirty page of every file and wait for it.

        Errors stay with their files, to be reported by fsync.
        """
        files = [f for fid in list(self.dirty) if (f := self.m.files.get(fid))]
        for _ in range(2):
            for file in files:
                yield from file.writeback()
            for file in files:
                yield from file.wait_writeback()
        for file in files:
            if not file.dead:
                self.cleaned(file)
                file.settle()
