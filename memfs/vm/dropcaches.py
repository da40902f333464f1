"""drop_caches: clean pages of files that nobody uses go.

Source: fs/drop_caches.c, Linux 6.1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from memfs.vm import _ffi, zones
from memfs.vm.sched import MORE, Op

if TYPE_CHECKING:
    from memfs.vm.machine import Machine

STEP = 4096  # pages a step
PAGECACHE, SLAB = 1, 2


def drop_caches(m: Machine, what: int) -> Op[int]:
    """Drop clean page cache (1), shrinkable slab (2), or both (3).

    There is no slab to shrink: index nodes go with their last page.

    Returns:
        Pages dropped.
    """
    dropped = 0
    if what & PAGECACHE:
        m.count("drop_pagecache")
        zones.drain(m, list(m.zones.values()))
        for file in m.files.all():
            index = 0
            while file.kind == "file" and not file.dead:
                rc, index, nr = m.core.file_invalidate(file.id, index, STEP)
                dropped += nr
                if rc != _ffi.MORE_RC:
                    break
                yield MORE
    if what & SLAB:
        m.count("drop_slab")
    yield MORE
    return dropped
