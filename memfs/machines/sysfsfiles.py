"""Files of sysfs: reading one, and the forms that numbers and sets have in them."""

from __future__ import annotations

import re
from pathlib import Path

from memfs.machines.description import MachineError

MAX_CPUS = 1 << 16


def text(path: Path, missing: str | None = None) -> str:
    """What a file says, its blanks at both ends removed; `missing` if it is not there.

    A copy may be cut or padded with zero bytes to the size that stat(2) told.

    Raises:
        MachineError: it cannot be read, and `missing` is not given.
    """
    try:
        return path.read_bytes().decode("latin-1").rstrip("\0").strip()
    except FileNotFoundError:
        if missing is not None:
            return missing
        raise MachineError(f"{path}: is missing") from None
    except OSError as error:
        raise MachineError(f"{path}: {error.strerror}") from None


def numbered(directory: Path, stem: str) -> list[int]:
    """Numbers of the names ``STEM<number>`` in a directory, in order."""
    if not directory.is_dir():
        return []
    names = (path.name.removeprefix(stem) for path in directory.glob(f"{stem}[0-9]*"))
    return sorted(int(name) for name in names if re.fullmatch("[0-9]{1,10}", name))


def number_of(path: Path, word: str, base: int = 10) -> int:
    """A number.

    Raises:
        MachineError: it is none.
    """
    digits = "[0-9a-fA-F]+" if base == 16 else "[0-9]+"
    if not re.fullmatch(digits, word):
        kind = "hexadecimal number" if base == 16 else "number"
        raise MachineError(f"{path}: a {kind} is expected, not {word[:40]!r}")
    return int(word, base)


def cpu_set(path: Path, word: str) -> list[int]:
    """``0-1,3``: a set as a list.

    Raises:
        MachineError: it is none.
    """
    found: list[int] = []
    for part in filter(None, word.split(",")):
        low, _, high = part.partition("-")
        first, last = number_of(path, low), number_of(path, high or low)
        if not first <= last < MAX_CPUS:
            raise MachineError(f"{path}: {part!r} is no range of CPUs")
        found += range(first, last + 1)
    return found


def bit_mask(path: Path, word: str) -> list[int]:
    """``00000003``, ``1,00000000``: a set as a mask of 32-bit words.

    Raises:
        MachineError: it is none.
    """
    if not word:
        return []
    bits = 0
    for part in word.split(","):
        bits = bits << 32 | number_of(path, part, 16)
    return [bit for bit in range(bits.bit_length()) if bits >> bit & 1]
