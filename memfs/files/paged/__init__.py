"""What files/ and shm/ share: inodes, names, open files, data in page files.

``PagedVolume`` is a whole file system held in memory, whose data lies in page
files of the model. What it lies *on* is a ``Store``: a directory of the host
(memfs/files/hostfs) or nothing at all (memfs/files/shmfs.py).

What it is not: it knows neither FUSE nor trio, and no path of the host.

Concurrency: one thread. Between two ``await`` everything is atomic; what waits is
an operation of the model, handed to the pump.

Source: the behaviour is that of a local file system of Linux 6.x (fs/libfs.c,
mm/shmem.c, fs/ext4) as programs see it.
"""

from memfs.files.paged.contract import Lanes, PageCache, Pages, Pump
from memfs.files.paged.inode import Directory, File, Inode, Special
from memfs.files.paged.store import Store
from memfs.files.paged.volume import PagedVolume

__all__ = [
    "Directory",
    "File",
    "Inode",
    "Lanes",
    "PageCache",
    "PagedVolume",
    "Pages",
    "Pump",
    "Special",
    "Store",
]
