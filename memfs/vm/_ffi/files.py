"""The page cache of files and tmpfs, and what the real kernel holds of it.

mapping.c, filemap.c, truncate.c, filesync.c, revoke.c.
"""

from __future__ import annotations

from typing import Any

from memfs.vm._ffi.lib import NO_ID, REVOKE_MAX, Handle, check, ffi, lib
from memfs.vm._ffi.records import MappingStat
from memfs.vm.errors import VmError

# Of struct vm_mapping_stat, all of them uint32_t.
NR_STAT_FIELDS = len(MappingStat._fields)


class FileCalls(Handle):
    """Calls about page caches."""

    def __init__(self, **config: int) -> None:
        super().__init__(**config)
        self._mapping = ffi.new("struct vm_mapping_stat *")
        self._mapping_fields = ffi.cast("uint32_t *", self._mapping)

    # -- mapping.c, filemap.c, truncate.c, filesync.c ------------------------

    def mapping_create(self, kind: int) -> int:
        """A page cache without pages.

        Raises:
            VmError: ENOMEM, there are too many.
        """
        mapping = int(lib.vm_mapping_create(self.vm, kind))
        if mapping == NO_ID:
            raise VmError(12, "too many files are in use")
        return mapping

    def mapping_destroy(self, mapping: int) -> None:
        """Forget a page cache that has no page."""
        check(lib.vm_mapping_destroy(self.vm, mapping), f"mapping {mapping} is in use")

    def file_light(self, mapping: int, budget: int) -> bool:
        """Whether ``file_forget`` would do it."""
        return bool(lib.vm_file_light(self.vm, mapping, budget))

    def file_forget(self, mapping: int, budget: int) -> bool:
        """Drop all pages and the page cache, if that is done at once; whether it is."""
        return bool(lib.vm_file_forget(self.vm, mapping, budget))

    def mapping_fd(self, mapping: int, fd: int) -> None:
        """The descriptor for I/O; -1: none."""
        check(lib.vm_mapping_fd(self.vm, mapping, fd), f"mapping {mapping}")

    def mapping_fallback(self, mapping: int) -> None:
        """Its file system has no way of its own to move pages."""
        check(lib.vm_mapping_fallback(self.vm, mapping), f"mapping {mapping}")

    def mapping_size(self, mapping: int, size: int) -> None:
        """The size of the file, bytes."""
        check(lib.vm_mapping_size(self.vm, mapping, size), f"size of {size} bytes")

    def mapping_grant(self, mapping: int, pages: int) -> int:
        """Pages the short way may make dirty; how many of the last grant are left."""
        return int(lib.vm_mapping_grant(self.vm, mapping, pages))

    def mapping_bytes(self, mapping: int) -> int:
        """The size of the file, bytes, as the last write behind it has set it."""
        return int(lib.vm_mapping_bytes(self.vm, mapping))

    def mapping_stat(self, mapping: int) -> MappingStat:
        """Counters of a page cache."""
        # Asked about once or more in each request: no new struct, one call for all.
        check(lib.vm_mapping_stat(self.vm, mapping, self._mapping), "no such mapping")
        return MappingStat._make(ffi.unpack(self._mapping_fields, NR_STAT_FIELDS))

    def mapping_unwritten(self, mapping: int) -> int:
        """Pages that are dirty or on their way to the disk."""
        return int(lib.vm_mapping_unwritten(self.vm, mapping))

    def mapping_clear_error(self, mapping: int) -> None:
        """Forget a failed transfer that has been reported."""
        lib.vm_mapping_clear_error(self.vm, mapping)

    def file_read(
        self, mapping: int, off: int, buf: bytearray, pos: int, client: bool = False
    ) -> tuple[int, int]:
        """Read into ``buf[pos:]`` from `off`. Returns: return code, bytes done.

        `client`: the real kernel keeps a copy of the pages.
        """
        done = self._u32
        done[0] = 0
        read = lib.vm_client_read if client else lib.vm_file_read
        rc = read(
            self.vm, mapping, off, len(buf) - pos, ffi.from_buffer(buf) + pos, done
        )
        return rc, done[0]

    def file_write(
        self, mapping: int, off: int, data: Any, pos: int, client: bool = False
    ) -> tuple[int, int]:
        """Write ``data[pos:]`` at `off`. Returns: return code, bytes done.

        `client`: out of the real kernel's copy of the pages.
        """
        done = self._u32
        done[0] = 0
        write = lib.vm_client_write if client else lib.vm_file_write
        rc = write(
            self.vm, mapping, off, len(data) - pos, ffi.from_buffer(data) + pos, done
        )
        return rc, done[0]

    def file_submit_read(self, mapping: int, index: int, nr: int) -> tuple[int, int]:
        """Start reading absent pages. Returns: return code, pages started."""
        done = self._u32
        done[0] = 0
        rc = lib.vm_file_submit_read(self.vm, mapping, index, nr, done)
        return rc, done[0]

    def file_truncate(self, mapping: int, size: int, budget: int) -> int:
        """Drop what lies above `size` bytes. Returns: return code."""
        return int(lib.vm_file_truncate(self.vm, mapping, size, budget))

    def file_punch(
        self, mapping: int, off: int, nbytes: int, index: int, budget: int
    ) -> tuple[int, int]:
        """Drop the whole pages of a range, zero the rest of it.

        Returns: return code, next index.
        """
        n = self._u32
        n[0] = index
        rc = lib.vm_file_punch(self.vm, mapping, off, nbytes, n, budget)
        return rc, n[0]

    def file_flush(self, mapping: int, index: int, nr: int, drop: bool) -> int:
        """Write what is dirty of `nr` pages, and with `drop` forget them.

        Returns: return code; DONE when there is nothing left to do.
        """
        return int(lib.vm_file_flush(self.vm, mapping, index, nr, drop))

    def file_invalidate(
        self, mapping: int, index: int, nr: int
    ) -> tuple[int, int, int]:
        """Drop up to `nr` clean unused pages from `index` on.

        Returns: return code, next index, pages dropped.
        """
        n = self._u32
        n[0], n[1] = index, 0
        rc = lib.vm_file_invalidate(self.vm, mapping, n, nr, n + 1)
        return rc, n[0], n[1]

    def file_writeback(self, mapping: int, index: int, nr: int) -> tuple[int, int, int]:
        """Start write-out of up to `nr` dirty pages from `index` on.

        Returns: return code, next index, pages started.
        """
        n = self._u32
        n[0], n[1] = index, 0
        rc = lib.vm_file_writeback(self.vm, mapping, n, nr, n + 1)
        return rc, n[0], n[1]

    def file_resident(self, mapping: int, index: int, nr: int) -> bytes:
        """One byte a page, as mincore(2): 1 cached, 2 in swap, 0 neither."""
        out = ffi.new("uint8_t[]", nr)
        check(lib.vm_file_resident(self.vm, mapping, index, nr, out), "resident")
        return bytes(ffi.buffer(out))

    # -- revoke.c ----------------------------------------------------------

    def revoke_take(self) -> list[tuple[int, int, int]]:
        """Ranges that the real kernel is to give back: mapping, index, pages."""
        if not lib.vm_revoke_queued(self.vm):
            return []
        out = ffi.new("struct vm_revoke[]", REVOKE_MAX)
        nr = lib.vm_revoke_take(self.vm, out)
        return [(out[i].mapping, out[i].index, out[i].nr) for i in range(nr)]

    def revoked(self, mapping: int, index: int, nr: int, kept: bool) -> int:
        """The real kernel gave a range back, or kept it. Returns: pages that may go."""
        at = ffi.new("struct vm_revoke *", (mapping, index, nr))
        return int(lib.vm_revoked(self.vm, at, kept))
