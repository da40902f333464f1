"""What the mount shows: one TABLE of its files, and the tree made from it.

A file is a row: its place, mode, kind, what it says in which unit, and the function
that renders it. Lookup, permissions, the tables of the documentation and the
generic tests follow from the row; the functions are in one module per family.

What it is not: it knows the model and the tree, and neither FUSE nor trio. Where a
file waits, it awaits what the Mount hands to it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from memfs.files import build, proc, root, sysfs
from memfs.files.row import NODE_DIR, Row

if TYPE_CHECKING:
    from memfs.mount import Mount
    from memfs.tree import Dir

__all__ = ["NODE_DIR", "TABLE", "Row", "build_tree"]

TABLE: tuple[Row, ...] = (*root.ROWS, *proc.ROWS, *sysfs.ROWS)


def build_tree(mount: Mount) -> Dir:
    """The whole generated tree of *mount*, and its volumes."""
    return build.build_tree(mount, TABLE)
