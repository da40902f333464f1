"""Inodes from what stat(2) of the host says."""

from __future__ import annotations

import os
import stat

from memfs.files.paged.inode import Directory, File, Inode, Special


def new_inode(number: int, st: os.stat_result) -> Inode:
    """An inode of the right kind, filled in."""
    kind: type[Special | Directory | File] = Special
    if stat.S_ISDIR(st.st_mode):
        kind = Directory
    elif stat.S_ISREG(st.st_mode):
        kind = File
    inode = kind(number, st.st_mode, st.st_uid, st.st_gid)
    fill(inode, st)
    return inode


def fill(inode: Inode, st: os.stat_result) -> None:
    """Take over what the host says; not for a file that is open or dirty."""
    inode.mode = st.st_mode
    inode.uid = st.st_uid
    inode.gid = st.st_gid
    inode.nlink = st.st_nlink
    inode.rdev = st.st_rdev
    inode.atime_ns = st.st_atime_ns
    inode.mtime_ns = st.st_mtime_ns
    inode.ctime_ns = st.st_ctime_ns
    if isinstance(inode, Directory):
        inode.size = st.st_size
        inode.blocks = st.st_blocks
    elif isinstance(inode, File):
        inode.disk_size = st.st_size
        inode.blocks = st.st_blocks
