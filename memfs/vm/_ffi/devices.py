"""Swap, disks, the clock and host memory: swap.c, disk.c, frames.c."""

from __future__ import annotations

from memfs.vm._ffi.lib import NEVER, Handle, as_tuple, check, ffi, lib
from memfs.vm._ffi.records import DevStat, HostStat, SwapStat


class DeviceCalls(Handle):
    """Calls about swap, disks, the clock and host memory."""

    # -- swap.c, disk.c, frames.c --------------------------------------------

    def swap_size(self, pages: int, fd: int) -> None:
        """Set the swap area; fd -1: kept in memory."""
        check(lib.vm_swap_size(self.vm, pages, fd), f"swap of {pages} pages")

    def swap_stat(self) -> SwapStat:
        """Swap slots: all, used, and with a page in the swap cache."""
        n = self._u32
        lib.vm_swap_stat(self.vm, n, n + 1, n + 2)
        return SwapStat(n[0], n[1], n[2])

    def swap_submit_read(self, slot: int) -> int:
        """Start reading a slot. Returns: return code or -errno."""
        return int(lib.vm_swap_submit_read(self.vm, slot))

    def swap_read_ahead(self, slot: int) -> int:
        """The same for a slot that may be wanted soon."""
        return int(lib.vm_swap_read_ahead(self.vm, slot))

    def dev_config(
        self, dev: int, latency_ns: int, bandwidth: int, requests: int, merge: int
    ) -> None:
        """What a device can do; bandwidth in bytes per second."""
        conf = ffi.new("struct vm_dev_conf *", (latency_ns, bandwidth, requests, merge))
        check(lib.vm_dev_config(self.vm, dev, conf), "no such device is possible")

    def dev_stat(self, dev: int) -> DevStat:
        """What a device has done and is doing."""
        stat = ffi.new("struct vm_dev_stat *")
        lib.vm_dev_stat(self.vm, dev, stat)
        result: DevStat = as_tuple(DevStat, stat)
        return result

    def dev_fault(self, dev: int, write: bool, errno: int) -> None:
        """Have every transfer of a kind fail with `errno`; 0: none."""
        lib.vm_dev_fault(self.vm, dev, write, errno)

    def dev_transfer(self, dev: int, write: bool, nr: int) -> tuple[int, int]:
        """Queue a request of `nr` pages that are nobody's.

        Returns: return code; what `dev_ended` reaches when it has ended.
        """
        ticket = ffi.new("uint64_t *")
        rc = lib.vm_dev_transfer(self.vm, dev, write, nr, ticket)
        return rc, ticket[0]

    def dev_ended(self, dev: int) -> int:
        """Requests of a device that have ended since boot."""
        return int(lib.vm_dev_ended(self.vm, dev))

    def now(self) -> int:
        """Virtual time, ns."""
        return int(lib.vm_now(self.vm))

    def next_event(self) -> int | None:
        """When the next I/O completes, ns; None: none outstanding."""
        event = int(lib.vm_next_event(self.vm))
        return None if event == NEVER else event

    def advance(self, to_ns: int) -> None:
        """Move the clock and complete what is due."""
        lib.vm_advance(self.vm, to_ns)

    def drain(self, to_ns: int) -> None:
        """Complete what is due by then; the clock stays where the last of it was."""
        lib.vm_drain_devices(self.vm, to_ns)

    def completions(self) -> int:
        """Requests completed so far."""
        return int(lib.vm_completions(self.vm))

    def set_horizon(self, ns: int) -> None:
        """How far a stepping call may move the clock by itself."""
        lib.vm_set_horizon(self.vm, ns)

    def host_limit(self, frames: int, spill_fd: int) -> None:
        """Bound the host memory behind the pages."""
        check(lib.vm_host_limit(self.vm, frames, spill_fd), f"{frames} frames")

    def host_trim(self, budget: int) -> int:
        """Give freed frames back to the host. Returns: return code."""
        return int(lib.vm_host_trim(self.vm, budget))

    def host_stat(self) -> HostStat:
        """Host memory behind the pages."""
        stat = ffi.new("struct vm_host_stat *")
        lib.vm_host_stat(self.vm, stat)
        result: HostStat = as_tuple(HostStat, stat)
        return result
