"""What the mount shows, as plain objects: directories, files, links, handles.

``memfs/files`` builds a tree of these from its table; ``memfs/fuse.py`` walks it for
the kernel; tests walk it with no kernel at all. The classes are made in
``memfs/node.py``, ``memfs/textfile.py``, ``memfs/manners.py``, ``memfs/request.py``
and ``memfs/volume.py``; who uses the tree imports this.

What it is not: it knows no word of the VM, of FUSE or of trio, and it keeps no
inode numbers beyond the one slot that the adapter asked for (``Node.ino``).

Source: the conventions are those of procfs and sysfs (fs/proc, fs/kernfs,
Linux 6.1), as the rows of ``Manners`` state them.
"""

from __future__ import annotations

from memfs.manners import PROC, SYSFS, TOP, Manners
from memfs.node import (
    FOREVER,
    OWNER,
    Dir,
    Handle,
    Link,
    Names,
    Node,
    PollHandle,
    VolumeDir,
    now_ns,
)
from memfs.request import (
    PAGE_SIZE,
    REQUEST,
    ROOT_CALLER,
    Attr,
    Caller,
    Interrupt,
    StatFs,
    TreeError,
)
from memfs.textfile import (
    NEVER_SEEN,
    ControlFile,
    ControlHandle,
    Store,
    TextFile,
    TextHandle,
    writes,
)
from memfs.volume import Buffer, Volume, VolumeEntry

__all__ = [
    "FOREVER",
    "NEVER_SEEN",
    "OWNER",
    "PAGE_SIZE",
    "PROC",
    "REQUEST",
    "ROOT_CALLER",
    "SYSFS",
    "TOP",
    "Attr",
    "Buffer",
    "Caller",
    "ControlFile",
    "ControlHandle",
    "Dir",
    "Handle",
    "Interrupt",
    "Link",
    "Manners",
    "Names",
    "Node",
    "PollHandle",
    "StatFs",
    "Store",
    "TextFile",
    "TextHandle",
    "TreeError",
    "Volume",
    "VolumeDir",
    "VolumeEntry",
    "now_ns",
    "writes",
]
