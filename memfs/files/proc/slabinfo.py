"""``proc/slabinfo``: the caches of the model, both of index nodes.

A slab is a page of 14 nodes.

Source: mm/slab_common.c cache_show(), Linux 6.1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from memfs.vm import _ffi

if TYPE_CHECKING:
    from memfs.mount import Mount

HEAD: Final = (
    "slabinfo - version: 2.1\n"
    "# name            <active_objs> <num_objs> <objsize> <objperslab> <pagesperslab>"
    " : tunables <limit> <batchcount> <sharedfactor>"
    " : slabdata <active_slabs> <num_slabs> <sharedavail>\n"
)
PER_SLAB: Final = 14
OBJECT_BYTES: Final = 288
CACHES: Final = {
    "radix_tree_node": _ffi.K_RADIX,
    "shmem_dir_node": _ffi.K_SHMEMDIR,
}


def render(mount: Mount) -> str:
    return HEAD + "".join(_cache(mount, name, kind) for name, kind in CACHES.items())


def _cache(mount: Mount, name: str, kind: int) -> str:
    slabs, active = mount.machine.core.slab_stat(kind)
    return (
        f"{name:<17} {active:6} {slabs * PER_SLAB:6} {OBJECT_BYTES:6} {PER_SLAB:4}"
        f" {1:4} : tunables {0:4} {0:4} {0:4} : slabdata {slabs:6} {slabs:6} {0:6}\n"
    )
