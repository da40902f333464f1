"""Small requests about generated nodes, answered as they come: see memfs/direct.py.

A tool that looks at a machine opens thousands of small files and directories, and
each costs less to render than a request costs on the long way.

One table: NODES. A row gives the bytes of the answer, or None: then the request takes
the long way. Opening for writing does, for it may have to wait, and so does whatever
touches a volume.

Concurrency: as ``memfs/direct.py``.
"""

from __future__ import annotations

import errno
import os
import struct
from collections.abc import Callable

from memfs import wirebytes
from memfs.handlers import Handlers
from memfs.handlers.directories import DOTS
from memfs.inodes import Inode
from memfs.tree import FOREVER, Attr, TextFile, TreeError, VolumeDir

_OPEN = struct.Struct("=I")
_READ = struct.Struct("=QQI")
_RELEASE = struct.Struct("=Q")


def _entry(inode: Inode, attr: Attr) -> bytes:
    node = inode.node
    kept = 0.0 if inode.private else node.entry_timeout
    return wirebytes.entry(inode.ino, attr, kept, node.attr_timeout)


def lookup(handlers: Handlers, parent: int, request: bytes) -> bytes | None:
    node = handlers.child(parent, wirebytes.name_in(request))
    if node is None:
        return wirebytes.absent(FOREVER)
    if isinstance(node, VolumeDir):
        return None
    inode = handlers.looked_up(node, wirebytes.pid_in(request))
    made = _entry(inode, node.attr())
    inode.lookups += 1
    return made


def getattr(handlers: Handlers, ino: int, request: bytes) -> bytes:
    node = handlers.inode(ino).node
    return wirebytes.attr_out(ino, node.attr(), node.attr_timeout)


def open(handlers: Handlers, ino: int, request: bytes) -> bytes | None:
    known = handlers.inode(ino)
    (flags,) = wirebytes.fields(_OPEN, request)
    if flags & os.O_ACCMODE != os.O_RDONLY or not isinstance(known.node, TextFile):
        return None
    fh = handlers.open_node(known, flags, wirebytes.caller_in(request))
    return wirebytes.open_out(fh, wirebytes.DIRECT_IO | wirebytes.NOFLUSH)


def opendir(handlers: Handlers, ino: int, request: bytes) -> bytes | None:
    node = handlers.dir_at(ino)
    pid = wirebytes.pid_in(request)
    if handlers.listing_waits(node, ino, pid):
        return None
    return wirebytes.open_out(handlers.open_dir(node, ino, pid), 0)


def readdirplus(handlers: Handlers, ino: int, request: bytes) -> bytes | None:
    fh, start, size = wirebytes.fields(_READ, request)
    listing = handlers.listing(fh)
    if listing is None:
        return None
    known = handlers.inode(ino)
    may_keep = not start and known.node.steady and handlers.is_new(listing)
    if may_keep and known.bare is not None and known.bare[0] == listing:
        # It has been listed before: the kernel has the entries.
        again = known.bare[1]
        if len(again) <= size:
            handlers.keep_listing(ino, again, len(listing))
            return again
    made: list[bytes] = []
    bare: list[bytes] = []
    room = min(size, ROOM)
    for cookie, name, node in handlers.still_there(listing, start):
        if isinstance(node, VolumeDir):
            if made:
                break
            return None
        inode = handlers.entered(node)
        attr = _listed(inode)
        shown = _entry(inode, attr)
        one = wirebytes.direntplus(shown, inode.ino, cookie, attr.mode, name)
        room -= len(one)
        if room < 0:
            handlers.not_listed(inode)
            break
        made.append(one)
        bare.append(wirebytes.dirent(inode.ino, cookie, attr.mode, name))
        # The two dots are no lookups.
        inode.lookups += cookie > DOTS
    if may_keep and len(made) == len(listing):
        # From now on the list need only name them.
        known.bare = listing, b"".join(bare)
        handlers.keep_listing(ino, known.bare[1], len(bare))
    return b"".join(made)


def tmpfile(handlers: Handlers, ino: int, request: bytes) -> bytes:
    """Refused by hand: at ENOSYS the kernel would refuse it on volumes, too."""
    raise TreeError(errno.EOPNOTSUPP)


def _listed(inode: Inode) -> Attr:
    """What is shown in a list: what the kernel may not keep need not be new."""
    if inode.listed is None or inode.node.attr_timeout:
        inode.listed = inode.node.attr()
    return inode.listed


def releasedir(handlers: Handlers, ino: int, request: bytes) -> bytes | None:
    (fh,) = wirebytes.fields(_RELEASE, request)
    handlers.close_dir(fh)
    return b""


NODES: dict[int, Callable[[Handlers, int, bytes], bytes | None]] = {
    1: lookup,
    3: getattr,
    14: open,
    27: opendir,
    29: releasedir,
    44: readdirplus,
    51: tmpfile,
}
# What is listed at once, at most; memfs/direct.py has room for it.
ROOM = 1 << 16
