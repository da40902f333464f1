"""The compiled module and what every face of it needs: codes, constants, the handle.

The only importer of ``memfs.vm._vmcore``.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Any, Final

import memfs.vm._vmcore as _vmcore
from memfs.vm.errors import VmError, errno_name

ffi: Final[Any] = _vmcore.ffi
lib: Final[Any] = _vmcore.lib

NO_PFN: Final[int] = lib.VM_NO_PFN
NO_ID: Final[int] = lib.VM_NO_ID
SWAP_MAPPING: Final[int] = lib.VM_SWAP_MAPPING
KIND_FILE: Final[int] = lib.VM_MAP_FILE
KIND_SHM: Final[int] = lib.VM_MAP_SHM
KIND_RAM: Final[int] = lib.VM_MAP_RAM
DEV_DISK: Final[int] = lib.VM_DEV_DISK
DEV_SWAP: Final[int] = lib.VM_DEV_SWAP
K_OTHER: Final[int] = lib.VM_K_OTHER
K_RADIX: Final[int] = lib.VM_K_RADIX
K_SHMEMDIR: Final[int] = lib.VM_K_SHMEMDIR
CLASS_NORMAL: Final[int] = lib.VM_CLASS_NORMAL
NR_CLASSES: Final[int] = lib.VM_NR_CLASSES
RULE_SHRINK_UNREF: Final[int] = lib.VM_RULE_SHRINK_UNREF
RULE_REFILL_UNREF: Final[int] = lib.VM_RULE_REFILL_UNREF
RULE_CUMULATIVE_MIN: Final[int] = lib.VM_RULE_CUMULATIVE_MIN
RULE_UNMAP_REFUSES_YOUNG: Final[int] = lib.VM_RULE_UNMAP_REFUSES_YOUNG
RULE_ONE_PCP: Final[int] = lib.VM_RULE_ONE_PCP
RULE_UNEVICTABLE_LRU: Final[int] = lib.VM_RULE_UNEVICTABLE_LRU
ALLOC_MEMALLOC: Final[int] = lib.VM_ALLOC_MEMALLOC
TOUCH_WRITE: Final[int] = lib.VM_TOUCH_WRITE
TOUCH_RANDOM: Final[int] = lib.VM_TOUCH_RANDOM
PG_PAGEVEC: Final[int] = lib.PG_PAGEVEC
VMA_WRITE: Final[int] = lib.VM_VMA_WRITE
VMA_SHARED: Final[int] = lib.VM_VMA_SHARED
VMA_LOCKED: Final[int] = lib.VM_VMA_LOCKED
NEVER: Final = (1 << 64) - 1
VERIFY_TEXT: Final = 16384
NR_INUSE_PFNS: Final = 10
REVOKE_MAX: Final[int] = lib.VM_REVOKE_MAX


class Rc(IntEnum):
    """Return codes of a stepping function."""

    DONE = lib.VM_DONE
    MORE = lib.VM_MORE
    NOMEM = lib.VM_NOMEM
    WAIT = lib.VM_WAIT
    READ = lib.VM_READ


DONE: Final[int] = lib.VM_DONE
MORE_RC: Final[int] = lib.VM_MORE
NOMEM: Final[int] = lib.VM_NOMEM
WAIT: Final[int] = lib.VM_WAIT
READ: Final[int] = lib.VM_READ


def check(rc: int, what: str) -> int:
    """Raise a negative return code as VmError; return any other.

    Raises:
        VmError: errno ``-rc``, message `what`.
    """
    if rc < 0:
        raise VmError(-rc, what or errno_name(-rc))
    return rc


def as_tuple(kind: Any, struct: Any) -> Any:
    """The fields of a C struct as the NamedTuple `kind`."""
    return kind(*[getattr(struct, name) for name in kind._fields])


class Handle:
    """Owns one ``struct vm``. Closed, it raises instead of crashing."""

    def __init__(self, **config: int) -> None:
        self._vm: Any = None
        conf = ffi.new("struct vm_config *", config)
        vm = lib.vm_create(conf)
        if vm == ffi.NULL:
            raise VmError(12, f"no machine of {config.get('max_pfn', 0)} pages")
        # Not ffi.gc(): an operation that is collected with its machine puts pages
        # back, and has to find out that the machine has gone before it.
        self._vm = vm
        self._u32 = ffi.new("uint32_t[4]")

    @property
    def vm(self) -> Any:
        """The machine, for this package only.

        Raises:
            ValueError: it is closed.
        """
        if self._vm is None:
            raise ValueError("the machine is closed")
        return self._vm

    @property
    def is_open(self) -> bool:
        """Whether it has not been closed."""
        return self._vm is not None

    def close(self) -> None:
        """Give everything back; a second call does nothing."""
        if self._vm is not None:
            vm, self._vm = self._vm, None
            lib.vm_destroy(vm)

    def __del__(self) -> None:
        self.close()
