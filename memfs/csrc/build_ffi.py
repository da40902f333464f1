"""Build description of the compiled core, ``memfs.vm._vmcore``.

Run by setup.py through cffi (API mode, out of line); nothing imports it at run
time. The declarations are not repeated here: they are the text of ``memfs.h`` and
of the headers that it includes, in that order, between ``/* cdef-begin */`` and
``/* cdef-end */``. The sources are every C file of this directory but those of the
FUSE shim, a shared object of its own.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from cffi import FFI

CSRC = Path(__file__).resolve().parent
ROOT = CSRC.parents[1]
MODULE = "memfs.vm._vmcore"
# What stands apart from the core: sources of the FUSE shim.
SHIM = "fuse_"

# These come after the flags that Python itself was built with, NDEBUG and -fwrapv
# (signed overflow wraps) among them; the sanitizers take both back.
CFLAGS = ["-std=gnu11", "-O2", "-Wall", "-Wextra"]
# The core is small functions in files of one concept: they become one at the end.
LTO = ["-flto=auto"]
SANITIZE = ["-fsanitize=address,undefined", "-fno-sanitize-recover=undefined"]
SANITIZE_CFLAGS = [
    *SANITIZE,
    "-fno-wrapv",
    "-fno-omit-frame-pointer",
    "-g",
    "-O1",
    "-UNDEBUG",
]

_INCLUDE = re.compile(r'^#include "(.*)"$', re.MULTILINE)
_CDEF = re.compile(r"/\* cdef-begin \*/(.*?)/\* cdef-end \*/", re.DOTALL)


def sanitizing() -> bool:
    """Whether this build is asked for with ``MEMFS_SANITIZE=1``."""
    return os.environ.get("MEMFS_SANITIZE", "") not in ("", "0")


def compile_args() -> list[str]:
    """Compiler flags for every object of the project."""
    return CFLAGS + (SANITIZE_CFLAGS if sanitizing() else LTO)


def link_args() -> list[str]:
    """Linker flags for every object of the project."""
    return SANITIZE if sanitizing() else LTO


def declarations(header: str) -> str:
    """The declarations of `header` that Python sees.

    Raises ValueError when the header has no marked part.
    """
    parts = _CDEF.findall(header)
    if not parts:
        raise ValueError("a header has no text between cdef-begin and cdef-end")
    return "\n".join(parts)


def face() -> list[Path]:
    """``memfs.h`` and what it includes: what Python sees of the core."""
    path = CSRC / "memfs.h"
    names = _INCLUDE.findall(path.read_text(encoding="utf-8"))
    return [path, *(CSRC / name for name in names)]


def core_sources() -> list[str]:
    """The C files of the core, relative to the project's root as setuptools wants."""
    return [
        str(path.relative_to(ROOT))
        for path in sorted(CSRC.glob("*.c"))
        if not path.name.startswith(SHIM)
    ]


def shim_sources() -> list[str]:
    """The C files of the FUSE shim."""
    paths = sorted(CSRC.glob(f"{SHIM}*.c"))
    return [str(path.relative_to(ROOT)) for path in paths]


def headers() -> list[str]:
    """What a rebuild depends on beside the sources."""
    paths = [*sorted(CSRC.glob("**/*.h")), Path(__file__).resolve()]
    return [str(path.relative_to(ROOT)) for path in paths]


def make_builder() -> FFI:
    """The cffi builder that setup.py asks for by name."""
    builder = FFI()
    for path in face():
        builder.cdef(declarations(path.read_text(encoding="utf-8")))
    builder.set_source(
        MODULE,
        '#include "memfs.h"',
        sources=core_sources(),
        include_dirs=[str(CSRC.relative_to(ROOT))],
        depends=headers(),
        # Nothing of the core is visible outside its module. cffi's wrappers pass
        # every argument through, used or not.
        extra_compile_args=[
            *compile_args(),
            "-fvisibility=hidden",
            "-Wno-unused-parameter",
        ],
        extra_link_args=link_args(),
    )
    return builder


ffibuilder = make_builder()
