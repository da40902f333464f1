"""Builds the two compiled parts; everything else is in pyproject.toml.

``memfs.vm._vmcore`` is the core of the model, described in
memfs/csrc/build_ffi.py. ``memfs/_fuse_shim.so`` is a plain shared object, loaded
before pyfuse3. Without libfuse's headers the shim is left out, with a warning:
``memfs.vm`` works without it, and so does the daemon, in a stated lesser form.

``MEMFS_SANITIZE=1`` builds both with the address and undefined sanitizers.
"""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

ROOT = Path(__file__).resolve().parent
CSRC = Path("memfs/csrc")
SHIM_NAME = "memfs._fuse_shim"


def warn(message: str) -> None:
    print(f"warning: {message}", file=sys.stderr)


def pkg_config(*args: str) -> list[str] | None:
    """What pkg-config prints, as words; None when it or the library is missing."""
    try:
        done = subprocess.run(
            ["pkg-config", *args], check=True, capture_output=True, text=True
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.split()


def load_build_ffi() -> ModuleType:
    """memfs/csrc/build_ffi.py; csrc is no package, so it is loaded by its path."""
    path = ROOT / CSRC / "build_ffi.py"
    spec = importlib.util.spec_from_file_location("build_ffi", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def shim_extension() -> list[Extension]:
    """The FUSE shim, as a list of one, or of none where it cannot be built."""
    if not (ROOT / CSRC / "fuse_shim.c").exists():
        return []
    cflags = pkg_config("--cflags", "fuse3")
    libs = pkg_config("--libs", "fuse3")
    if cflags is None or libs is None:
        warn("no libfuse3 headers: memfs/_fuse_shim.so is not built")
        return []
    ffi = load_build_ffi()
    return [
        Extension(
            SHIM_NAME,
            ffi.shim_sources(),
            depends=ffi.headers(),
            extra_compile_args=[*ffi.compile_args(), *cflags],
            extra_link_args=[*ffi.link_args(), *libs, "-ldl"],
        )
    ]


class BuildExt(build_ext):
    """build_ext for a shared object that is no Python module."""

    def get_ext_filename(self, fullname: str) -> str:
        """The shim's name carries no Python version."""
        if fullname.endswith(SHIM_NAME.rpartition(".")[2]):
            return "/".join(fullname.split(".")) + ".so"
        return super().get_ext_filename(fullname)

    def get_export_symbols(self, ext: Extension) -> list[str]:
        """The shim has no PyInit function to export."""
        if ext.name == SHIM_NAME:
            return []
        return super().get_export_symbols(ext)


has_core = (ROOT / CSRC / "memfs.h").exists()
setup(
    ext_modules=shim_extension(),
    cffi_modules=["memfs/csrc/build_ffi.py:ffibuilder"] if has_core else [],
    cmdclass={"build_ext": BuildExt},
)
