"""Room on the host for what is still to be written.

Pages are written back long after write(2) has returned. So that a program hears of
a full disk while it writes, a write that the host could not take any more, after
all that is dirty, is refused at once: what ext4 does with reservations for delayed
allocation.

What it is not: no guarantee. Quotas and the host's own metadata are not known, and
others fill the host, too; what then cannot be written stays dirty, is tried again,
and the next fsync says so.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable

from memfs.tree import TreeError

# Less than that is not given away unseen: what is, is not known to who counts anew
# (chosen here).
PLENTY = 64 << 20


class Space:
    """Counts bytes promised against the host's free space.

    The host is asked again only when what was promised since the last time could
    have used up what was free then.

    Args:
        fd: anything on the host's file system.
        unwritten: bytes of dirty pages that will need new blocks.
    """

    def __init__(self, fd: int, unwritten: Callable[[], int]) -> None:
        self._fd = fd
        self._unwritten = unwritten
        self._left = 0

    def take(self, nbytes: int) -> bool:
        """Take *nbytes* of what is known to be free; False: look closer."""
        if nbytes > self._left:
            return False
        self._left -= nbytes
        return True

    def spare(self, nbytes: int) -> bool:
        """Take *nbytes* for what is written unseen; False: there is little left."""
        return self._left >= PLENTY and self.take(nbytes)

    def promise(self, nbytes: int) -> int:
        """Take *nbytes*, or as many of them as there is room for; return how many.

        Raises:
            TreeError: ENOSPC if there is no room at all.
        """
        self._left = self._free()
        nbytes = min(nbytes, self._left)
        if nbytes <= 0:
            raise TreeError(errno.ENOSPC, "the host's file system is full")
        self._left -= nbytes
        return nbytes

    def _free(self) -> int:
        st = os.fstatvfs(self._fd)
        blocks = st.f_bavail if os.geteuid() else st.f_bfree
        return blocks * st.f_frsize - self._unwritten()
