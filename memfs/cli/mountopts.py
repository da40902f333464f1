"""The words of ``-o``: one TABLE of what memfs, libfuse and mount(8) make of each.

mount(8) and fstab hand a helper every word of the fourth field. Some are memfs's
own and mean the same as the options of ``memfs mount``; some are libfuse's and are
passed on; some are addressed to mount(8) or systemd and are swallowed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, TypeVar

import click

from memfs.cli.common import Seed, ShmSize, Size

T = TypeVar("T")


def _flag(value: str) -> bool:
    if value not in ("", "0", "1"):
        raise ValueError("takes no value")
    return value != "0"


def _as(type_: click.ParamType[T]) -> Callable[[str], T]:
    """What an option of `memfs mount` of that type makes of a value."""

    def read(value: str) -> T:
        try:
            made: T = type_.convert(value, None, None)
        except click.BadParameter as error:
            raise ValueError(error.message) from None
        return made

    return read


def _clock(value: str) -> str:
    if value not in ("wall", "manual"):
        raise ValueError("is wall or manual")
    return value


def _text(value: str) -> str:
    if not value:
        raise ValueError("needs a value")
    return value


def words_of(text: str) -> frozenset[str]:
    """The words of *text*, which are apart by blanks and line ends."""
    return frozenset(text.split())


# memfs's own words, named like the options of `memfs mount`, and how to read them.
OWN: dict[str, Callable[[str], Any]] = {
    "machine": _text,
    "files": _text,
    "clock": _clock,
    "seed": _as(Seed()),
    "host_memory": _as(Size()),
    "shm_size": _as(ShmSize()),
    "paranoid": _flag,
}

# What mount(8) of tmpfs calls it.
ALIASES = {"size": "shm_size"}

# Passed on to libfuse as they are; with a value where they have one.
PASSED = words_of("""
    ro suid nosuid dev nodev noexec noatime sync dirsync allow_other allow_root
    default_permissions auto_unmount fsname max_read
""")

# Of those, what also tells the volumes to leave access times alone.
QUIET = words_of("ro noatime")

# Addressed to mount(8), systemd or nobody; the defaults of a mount among them.
SWALLOWED = words_of("""
    defaults rw exec atime async auto noauto nofail _netdev user nouser
    users nousers owner noowner group nogroup relatime norelatime strictatime
    nostrictatime diratime nodiratime lazytime nolazytime mand nomand iversion
    noiversion silent loud subtype comment helper uhelper
""")
SWALLOWED_PREFIXES = ("x-", "X-")


@dataclass
class MountWords:
    """What ``-o`` said: memfs's own settings and the words for libfuse."""

    own: dict[str, Any] = field(default_factory=dict)
    passed: list[str] = field(default_factory=list)


def parse(options: Iterable[str]) -> MountWords:
    """Sort the words of every ``-o``; the last of two wins.

    Raises:
        ValueError: nobody knows a word, or a value makes no sense.
    """
    words = MountWords()
    for word in ",".join(options).split(","):
        name, _, value = word.strip().partition("=")
        key = name.replace("-", "_")
        key = ALIASES.get(key, key)
        if key in OWN:
            try:
                words.own[key] = OWN[key](value)
            except ValueError as error:
                raise ValueError(f"-o {word}: {error}") from None
        elif name in PASSED:
            if name == "max_read" and not value.isdecimal():
                raise ValueError(f"-o {word}: a number of bytes is expected")
            words.passed.append(word.strip())
            if name in QUIET:
                words.own["noatime"] = True
        elif name and name not in SWALLOWED and not name.startswith(SWALLOWED_PREFIXES):
            raise ValueError(f"-o {word}: neither memfs nor mount(8) knows it")
    return words
