"""Which machines there are by name: the machine files that the package carries.

Names only. Reading a machine file is ``memfs.vm.Layout``'s work, and needs the
compiled core; listing names and completing them must not.
"""

from __future__ import annotations

import os
from pathlib import Path

import memfs

LAYOUTS = Path(memfs.__file__).parent / "vm" / "layouts"
SUFFIX = ".toml"


def builtin() -> list[str]:
    """The names of the built-in machines, sorted."""
    return sorted(path.stem for path in LAYOUTS.glob(f"*{SUFFIX}"))


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
    path = LAYOUTS / f"{word}{SUFFIX}" if word in builtin() else Path(word)
    return path.read_text(encoding="utf-8")
