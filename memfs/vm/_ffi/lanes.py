"""The short way: what is resident, in one call. lane.c."""

from __future__ import annotations

from typing import Any, Final

from memfs.vm._ffi.lib import Handle, ffi, lib

PIECES: Final[int] = lib.VM_LANE_PIECES


class LaneCalls(Handle):
    """Calls about requests that need nobody's decision."""

    def lane_ops(self) -> int:
        """Requests of the short way since boot."""
        return int(lib.vm_lane_ops(self.vm))

    def lane_calls(self) -> tuple[int, int, int]:
        """Addresses: vm_lane_read(), vm_lane_write(), and the machine's own."""
        calls = ffi.addressof(lib, "vm_lane_read"), ffi.addressof(lib, "vm_lane_write")
        read, write, vm = (int(ffi.cast("uintptr_t", at)) for at in (*calls, self.vm))
        return read, write, vm

    def set_readahead(self, pages: int) -> None:
        """The largest window, pages; 0: none."""
        lib.vm_set_readahead(self.vm, pages)

    def lane_read(
        self, mapping: int, off: int, n: int, ra: Any, client: bool = False
    ) -> bytes | None:
        """Read what is resident, None: something is not; for tests.

        `ra`: as memfs.vm.readahead.State; changed only if something was read.
        """
        state = ffi.new("struct vm_ra *", (ra.prev, ra.size, ra.mark, ra.asked))
        pieces = ffi.new("struct vm_piece[]", PIECES)
        nr = ffi.new("uint32_t *")
        rc = lib.vm_lane_read(self.vm, mapping, off, n, client, state, pieces, nr)
        if rc < 0:
            return None
        ra.prev, ra.size = state.prev, state.size
        ra.mark, ra.asked = state.mark, state.asked
        parts = (ffi.buffer(pieces[i].base, pieces[i].len) for i in range(nr[0]))
        return b"".join(map(bytes, parts))

    def lane_write(
        self, mapping: int, off: int, data: bytes, client: bool = False
    ) -> bool:
        """Overwrite what is resident and dirty; False: something is not; for tests."""
        buf = ffi.from_buffer(data)
        rc = lib.vm_lane_write(self.vm, mapping, off, len(data), buf, client)
        return bool(rc >= 0)
