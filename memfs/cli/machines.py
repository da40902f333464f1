"""Which machines there are: the machine files that the package carries, and others.

Reading a machine file is ``memfs.vm.Layout``'s work, and needs the compiled core;
listing names and completing them loads next to nothing.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import memfs

if TYPE_CHECKING:
    from memfs.vm import Layout

LAYOUTS = os.path.join(os.path.dirname(memfs.__file__), "vm", "layouts")
SUFFIX = ".toml"


def builtin() -> list[str]:
    """The names of the built-in machines, sorted."""
    files = sorted(os.listdir(LAYOUTS))
    return [name.removesuffix(SUFFIX) for name in files if name.endswith(SUFFIX)]


def is_machine(word: str) -> bool:
    """Whether *word* names a built-in machine, or is or looks like a machine file."""
    if word.startswith("-"):
        return False
    looks_so = "/" in word or word.endswith(SUFFIX)
    return looks_so or word in builtin() or os.path.isfile(word)


def text_of(word: str) -> str:
    """The TOML text of a built-in machine or of a machine file.

    Raises:
        OSError: there is no such file.
    """
    path = os.path.join(LAYOUTS, word + SUFFIX) if word in builtin() else word
    with open(path, encoding="utf-8") as file:
        return file.read()


def load(word: str) -> Layout:
    """The layout called *word*, built-in or a file.

    Raises:
        ClientError: there is none, or what is wrong in it, with line and key.
    """
    from memfs.client import ClientError
    from memfs.vm import Layout, VmError

    if not is_machine(word):
        there = ", ".join(builtin())
        raise ClientError(f"{word}: neither a machine file nor one of {there}")
    try:
        return Layout.builtin(word) if word in builtin() else Layout.load(word)
    except VmError as error:
        said = error.message
        text = said if word in said else f"{word}: {said}"
        raise ClientError(text, code=error.errno) from None
