"""How pages are moved: today's ways, and those of 2004.

Source: Iwamoto, LKML 2004-04-06, known issues; Tosatti, LKML 2004-10-02, points 1 to 3.
"""

from __future__ import annotations

import errno
from typing import Final

from memfs.records import NamedTuple
from memfs.vm import _ffi
from memfs.vm.errors import VmError

WAYS: Final[dict[str, tuple[str, str]]] = {
    "dirty": ("carry", "writeout"),
    "anon": ("direct", "swapslot"),
    "maps": ("restore", "lazy"),
}


class Ways(NamedTuple):
    """How pages are moved; the second of each pair is the way of 2004.

    Attributes:
        dirty: ``carry`` dirty file pages with their buffers, or ``writeout`` first.
        anon: ``direct``, or with a ``swapslot`` taken first.
        maps: ``restore`` page tables in the same step, or ``lazy``: leave them to
            the faults.
    """

    dirty: str = "carry"
    anon: str = "direct"
    maps: str = "restore"

    def changed(self, /, **changes: str) -> Ways:
        """A copy with some ways changed.

        Raises:
            VmError: EINVAL, no such key or way.
        """
        for key, way in changes.items():
            if key not in WAYS:
                raise VmError(
                    errno.EINVAL, f"no key {key!a}; there are {', '.join(WAYS)}"
                )
            if way not in WAYS[key]:
                raise VmError(errno.EINVAL, f"{key} is {' or '.join(WAYS[key])}")
        return self._replace(**changes)

    @property
    def flags(self) -> int:
        """The same for the core."""
        return (
            (self.dirty == "writeout" and _ffi.MIG_WRITEOUT)
            | (self.anon == "swapslot" and _ffi.MIG_SWAPSLOT)
            | (self.maps == "lazy" and _ffi.MIG_LAZY)
        )
