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
from memfs.handlers.base import Listing
from memfs.handlers.directories import DOTS
from memfs.inodes import Inode
from memfs.tree import FOREVER, Attr, Dir, Names, TextFile, TreeError, VolumeDir
from memfs.wirelists import Lists, Shown, lists_of

_OPEN = struct.Struct("=I")
_READ = struct.Struct("=QQI")
_RELEASE = struct.Struct("=Q")


def _entry(inode: Inode, attr: Attr) -> bytes:
    node = inode.node
    kept = 0.0 if inode.private else node.entry_timeout
    return wirebytes.entry(inode.ino, attr, kept, node.attr_timeout)


def lookup(handlers: Handlers, parent: int, request: bytes) -> bytes | None:
    name = wirebytes.name_in(request)
    where = handlers.there(parent)
    entry = _unmade(handlers, where, name)
    if entry is not None:
        return entry
    node = handlers.child(where, name)
    if node is None:
        return wirebytes.absent(FOREVER)
    if isinstance(node, VolumeDir):
        return None
    inode = handlers.looked_up(where, name, node, wirebytes.pid_in(request))
    made = _entry(inode, node.attr())
    inode.lookups += 1
    return made


def _unmade(handlers: Handlers, where: Dir, name: bytes) -> bytes | None:
    """The entry of a node that need not be made for that: lists show its like.

    Such a reference is not counted: see memfs/inodes.py.
    """
    run = handlers.run_of(where)
    if run is None or name not in run.names:
        return None
    lists, ino = run.names.lists, run.number(name)
    if not isinstance(lists, Lists) or handlers.is_known(ino):
        return None
    shown = lists.children[ino - run.first]
    if not shown.attr_timeout:
        return None
    run.asked = True
    return wirebytes.entry(ino, shown.attr, shown.entry_timeout, shown.attr_timeout)


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
    node = handlers.there(ino)
    pid = wirebytes.pid_in(request)
    if handlers.listing_waits(node, ino, pid):
        return None
    return wirebytes.open_out(handlers.open_dir(node, ino, pid), 0)


def readdirplus(handlers: Handlers, ino: int, request: bytes) -> bytes | None:
    fh, start, size = wirebytes.fields(_READ, request)
    listing = handlers.listing(fh)
    if listing is None:
        return None
    room = min(size, ROOM)
    whole = None if start else _whole(handlers, ino, listing, room)
    return _some(handlers, listing, start, room) if whole is None else whole


def _whole(handlers: Handlers, ino: int, listing: Listing, room: int) -> bytes | None:
    """The list of a small directory at once, kept from now on; None: it is none."""
    run = handlers.run_of(listing.where) if handlers.is_new(listing) else None
    if run is None:
        return None
    lists = run.names.lists
    if not isinstance(lists, Lists):
        lists = _lists(listing.where, run.names)
    if lists is None or lists.entries.nbytes > room:
        return None
    named = lists.named.filled(ino, run.first)
    handlers.keep_listing(ino, named, len(run.names) + len(DOTS))
    known = handlers.inode(ino)
    if run.asked or known.given is run.names:
        # It has been listed before, or it is not listed to find a way: the kernel has
        # the entries that are wanted, or asks for more.
        return named
    known.given = run.names
    handlers.refer(run)
    return lists.entries.filled(ino, run.first)


def _lists(where: Dir, names: Names) -> Lists | None:
    """How directories with these names are listed; None: there is a volume."""
    nodes = [where, where, *map(where.lookup, names)]
    if any(node is None or isinstance(node, VolumeDir) for node in nodes):
        return None
    rows = [
        Shown(name, node.attr(), node.entry_timeout, node.attr_timeout)
        for name, node in zip((*DOTS, *names), nodes, strict=True)
        if node is not None
    ]
    names.lists = lists = lists_of(rows)
    return lists


def _some(handlers: Handlers, listing: Listing, start: int, room: int) -> bytes | None:
    """As much of a list as there is room for."""
    made: list[bytes] = []
    for cookie, name, node in handlers.still_there(listing, start):
        if isinstance(node, VolumeDir):
            if made:
                break
            return None
        inode = handlers.entered(listing, name, node)
        attr = _listed(inode)
        shown = _entry(inode, attr)
        one = wirebytes.direntplus(shown, inode.ino, cookie, attr.mode, name)
        room -= len(one)
        if room < 0:
            handlers.not_listed(inode)
            break
        made.append(one)
        # The two dots are no lookups.
        inode.lookups += name not in DOTS
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
