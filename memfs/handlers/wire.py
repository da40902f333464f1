"""Who asks, and what makes the answers' forms: the other side of the handlers."""

from __future__ import annotations

from typing import Any, Protocol

from memfs.inodes import Inode
from memfs.tree import Attr, Caller, StatFs, Volume


class Ctx(Protocol):
    """Who sent a request."""

    @property
    def pid(self) -> int: ...
    @property
    def uid(self) -> int: ...
    @property
    def gid(self) -> int: ...
    @property
    def umask(self) -> int: ...


class Wire(Protocol):
    """Makes what pyfuse3 sends. Entries and the like are opaque here."""

    def node_entry(self, inode: Inode) -> Any: ...
    def volume_entry(self, volume: Volume, ino: int, attr: Attr) -> Any: ...
    def absent(self) -> Any: ...
    def opened(self, fh: int) -> Any: ...
    def statfs(self, seen: StatFs) -> Any: ...
    def listed(self, token: Any, name: bytes, entry: Any, cookie: int) -> bool: ...


def caller_of(ctx: Ctx) -> Caller:
    return Caller(ctx.pid, ctx.uid, ctx.gid, ctx.umask)
