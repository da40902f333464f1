"""Compiles the C programs of the bench, once for each state of their sources."""

from __future__ import annotations

import hashlib
import importlib.util
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from benchlib.row import Unavailable

ROOT = Path(__file__).resolve().parents[2]
CSRC = ROOT / "memfs" / "csrc"
SOURCES = Path(__file__).resolve().parent / "c"
OUT = ROOT / "build" / "bench"


def product_flags() -> list[str]:
    """The flags that the core itself is compiled with, file by file."""
    spec = importlib.util.spec_from_file_location("build_ffi", CSRC / "build_ffi.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    # What Python adds for every extension module of a release build.
    return ["-DNDEBUG", "-fwrapv", *module.CFLAGS]


def whole_core_flags() -> list[str]:
    """What makes the core's files one, as in the extension module."""
    return ["-flto=auto"]


def core_sources() -> list[Path]:
    """The C files of the core, without those of the FUSE shim."""
    paths = sorted(CSRC.glob("*.c"))
    return [path for path in paths if not path.name.startswith("fuse_")]


def pkg_config(package: str) -> tuple[list[str], list[str]]:
    """Compiler and linker flags of a library.

    Raises:
        Unavailable: it is not installed.
    """
    if shutil.which("pkg-config") is None:
        raise Unavailable("pkg-config is missing: apt-get install pkg-config.")
    flags = []
    for what in ("--cflags", "--libs"):
        done = subprocess.run(
            ["pkg-config", what, package], capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise Unavailable(
                f"{package} has no headers: apt-get install lib{package}-dev."
            )
        flags.append(done.stdout.split())
    return flags[0], flags[1]


def _stamp(command: Sequence[str], inputs: Sequence[Path]) -> str:
    digest = hashlib.sha256(repr(list(command)).encode())
    for path in [*inputs, *sorted(CSRC.glob("**/*.h")), *sorted(SOURCES.glob("*.h"))]:
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def program(
    name: str,
    sources: Sequence[Path],
    cflags: Sequence[str] = (),
    libs: Sequence[str] = (),
) -> Path:
    """The program `name`, made of `sources` with the product's flags.

    Raises:
        Unavailable: there is no C compiler.
        RuntimeError: it does not compile.
    """
    compiler = shutil.which("cc")
    if compiler is None:
        raise Unavailable("There is no C compiler: apt-get install gcc libc6-dev.")
    OUT.mkdir(parents=True, exist_ok=True)
    command = [compiler, *product_flags(), *cflags, f"-I{CSRC}", *map(str, sources)]
    target = OUT / f"{name}-{_stamp([*command, *libs], sources)}"
    if target.exists():
        return target
    partial = target.with_suffix(".partial")
    done = subprocess.run(
        [*command, "-o", str(partial), *libs],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{name} does not compile:\n{done.stderr}")
    for old in OUT.glob(f"{name}-*"):
        if old != partial:
            old.unlink()
    partial.rename(target)
    return target
