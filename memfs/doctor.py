"""What this machine must have before memfs builds, mounts and is tested.

One table, CHECKS; each row is a probe, the sentence that helps when it fails, and
the Debian packages that scripts/setup installs for it. Standard library only and
no import of the rest of the project: scripts/setup runs this file with whatever
python3 there is, before anything is built (``python3 -I memfs/doctor.py --plain``).
What was built is probed in a child process, so that a broken module cannot take
the doctor down.
"""

from __future__ import annotations

import argparse
import ctypes
import importlib.util
import json as json_format
import os
import shutil
import stat
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

ROOT = Path(__file__).resolve().parents[1]
VENV_PYTHON = ROOT / ".venv" / "bin" / "python"
FUSE_DEVICE = Path("/dev/fuse")
FUSE_CONF = Path("/etc/fuse.conf")
KERNEL_SOURCE = Path("/usr/src/linux-source-6.1.tar.xz")
MIN_PYTHON = (3, 11)

Stage = Literal["build", "mount", "built", "test"]
STAGES: tuple[Stage, ...] = ("build", "mount", "built", "test")
DEFAULT_STAGES: tuple[Stage, ...] = ("build", "mount", "built")


class Check(NamedTuple):
    """The outcome of one probe."""

    what: str
    """What was looked for, a noun phrase."""
    ok: bool
    found: str
    """What was found, a few words."""
    remedy: str
    """One sentence that says what to do; empty when ok."""
    required: bool
    """False: memfs works without it, in a lesser form."""
    packages: tuple[str, ...]
    """The Debian packages that bring it; empty when no package does."""


class Finding(NamedTuple):
    """What a probe answers. `remedy` overrides the row's when it knows better."""

    ok: bool
    found: str
    remedy: str = ""


class Row(NamedTuple):
    """One row of CHECKS."""

    what: str
    stage: Stage
    probe: Callable[[], Finding]
    remedy: str
    packages: tuple[str, ...] = ()
    required: bool = True
    user_only: bool = False
    """Asked only of ordinary users: root never needs it."""


def is_root() -> bool:
    return os.geteuid() == 0


def apt(*packages: str) -> str:
    """The sentence for a missing package."""
    return f"Install it with: sudo apt-get install {' '.join(packages)}."


# Probes: what is needed to build


def probe_python() -> Finding:
    version = ".".join(map(str, sys.version_info[:3]))
    return Finding(sys.version_info >= MIN_PYTHON, f"Python {version}")


def probe_venv() -> Finding:
    """Debian splits ensurepip off, without which venv makes no pip."""
    there = importlib.util.find_spec("ensurepip") is not None
    return Finding(there, "ensurepip is there" if there else "no module ensurepip")


def probe_compiler() -> Finding:
    """Compile and link a program: gcc alone lacks the C library's headers."""
    compiler = shutil.which("gcc")
    if compiler is None:
        return Finding(False, "no gcc in PATH")
    program = b'#include <stdio.h>\nint main(void) { return puts("") < 0; }\n'
    with tempfile.TemporaryDirectory(prefix="memfs-doctor-") as scratch:
        command = [compiler, "-x", "c", "-", "-o", f"{scratch}/a.out"]
        done = subprocess.run(command, input=program, capture_output=True, check=False)
    if done.returncode != 0:
        return Finding(False, f"{compiler} cannot build a small C program")
    return Finding(True, compiler)


def probe_python_headers() -> Finding:
    header = Path(sysconfig.get_paths()["include"]) / "Python.h"
    return Finding(header.exists(), str(header) if header.exists() else f"no {header}")


def probe_pkg_config() -> Finding:
    path = shutil.which("pkg-config")
    return Finding(path is not None, path or "no pkg-config in PATH")


def probe_libfuse_headers() -> Finding:
    try:
        done = subprocess.run(
            ["pkg-config", "--modversion", "fuse3"],
            capture_output=True,
            text=True,
            check=False,
        )
    except OSError:
        return Finding(False, "no pkg-config to ask")
    if done.returncode != 0:
        return Finding(False, "pkg-config does not know fuse3")
    return Finding(True, f"libfuse {done.stdout.strip()}")


# Probes: what is needed to mount


def probe_libfuse() -> Finding:
    for name in ("libfuse3.so.3", "libfuse3.so.4"):
        try:
            ctypes.CDLL(name)
        except OSError:
            continue
        return Finding(True, name)
    return Finding(False, "no libfuse3.so.3")


def probe_fusermount() -> Finding:
    """fusermount3, and for an ordinary user its setuid bit."""
    path = shutil.which("fusermount3")
    if path is None:
        return Finding(False, "no fusermount3 in PATH")
    mode = Path(path).stat().st_mode
    if is_root() or mode & stat.S_ISUID:
        return Finding(True, path)
    return Finding(False, f"{path} is not setuid root", f"As root: chmod u+s {path}.")


def probe_fuse_device() -> Finding:
    """Open it: in a container the mode may allow what the cgroup forbids."""
    if not FUSE_DEVICE.exists():
        return Finding(
            False,
            f"no {FUSE_DEVICE}",
            "As root: modprobe fuse; in a container, start it with --device /dev/fuse.",
        )
    try:
        os.close(os.open(FUSE_DEVICE, os.O_RDWR | os.O_CLOEXEC))
    except OSError as error:
        return Finding(False, f"{FUSE_DEVICE}: {error.strerror}")
    return Finding(True, f"{FUSE_DEVICE} opens for reading and writing")


def probe_user_allow_other() -> Finding:
    """fusermount3 takes `allow_other` from an ordinary user only with this line."""
    try:
        lines = FUSE_CONF.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError as error:
        return Finding(False, f"{FUSE_CONF}: {error.strerror}")
    there = any(line.strip() == "user_allow_other" for line in lines)
    return Finding(there, f"{'a' if there else 'no'} line in {FUSE_CONF}")


# Probes: what scripts/setup builds

MODULE_REMEDY = "Build it with: scripts/setup."
PYTHON_REMEDY = (
    "As the owner of .venv: remove it and build it from a Python that every user may "
    "run, with: PYTHON=/usr/bin/python3 scripts/setup."
)


def interpreter() -> str:
    """The Python that has what was built: this one, or the project's own."""
    if sys.prefix != sys.base_prefix or not os.path.lexists(VENV_PYTHON):
        return sys.executable
    return str(VENV_PYTHON)


def probe_program(program: str) -> Finding:
    """Run `program` in a child; what it prints, or its last line of error."""
    python = interpreter()
    try:
        done = subprocess.run(
            [python, "-c", program],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
    except OSError as error:
        return Finding(False, f"{python}: {error.strerror}", PYTHON_REMEDY)
    if done.returncode == 0:
        return Finding(True, done.stdout.strip())
    errors = done.stderr.strip().splitlines() or [f"exit status {done.returncode}"]
    return Finding(False, errors[-1])


def probe_core() -> Finding:
    return probe_program("import memfs.vm._vmcore as m; print(m.__file__)")


def probe_pyfuse3() -> Finding:
    return probe_program("import pyfuse3 as m; print('pyfuse3', m.__version__)")


def probe_shim() -> Finding:
    return probe_program(
        "import ctypes, pathlib, memfs\n"
        "path = pathlib.Path(memfs.__file__).with_name('_fuse_shim.so')\n"
        "ctypes.CDLL(str(path))\n"
        "print(path)\n"
    )


# Probes: what the tests need


def probe_command(name: str) -> Callable[[], Finding]:
    """A probe that finds `name` in PATH."""

    def probe() -> Finding:
        path = shutil.which(name)
        return Finding(path is not None, path or f"no {name} in PATH")

    return probe


def probe_asan() -> Finding:
    """The sanitizer's run time, by the path that LD_PRELOAD will get."""
    if shutil.which("gcc") is None:
        return Finding(False, "no gcc to ask")
    done = subprocess.run(
        ["gcc", "-print-file-name=libasan.so"],
        capture_output=True,
        text=True,
        check=True,
    )
    # gcc answers the bare name when it does not know the file.
    path = done.stdout.strip()
    found = path if os.path.isabs(path) else "gcc has no libasan.so"
    return Finding(os.path.isabs(path), found)


def probe_pcp_libraries() -> Finding:
    for name in ("libpcp.so.3", "libpcp_pmda.so.3"):
        try:
            ctypes.CDLL(name)
        except OSError:
            return Finding(False, f"no {name}")
    return Finding(True, "libpcp.so.3, libpcp_pmda.so.3")


def probe_kernel_source() -> Finding:
    there = KERNEL_SOURCE.exists()
    return Finding(there, str(KERNEL_SOURCE) if there else f"no {KERNEL_SOURCE}")


def package_row(
    what: str, stage: Stage, probe: Callable[[], Finding], *packages: str
) -> Row:
    """A row whose remedy is to install `packages`."""
    return Row(what, stage, probe, apt(*packages), packages)


def command_row(name: str, package: str) -> Row:
    """A row for a command that the tests call."""
    return package_row(name, "test", probe_command(name), package)


# Programs that the tests have live on a mount.
LIVING = ("git", "make", "sqlite3", "rsync", "tar", "ed")

# Programs that the tests have look at a mounted machine, and their packages.
LOOKING = {
    "lsmem": "util-linux",
    "bc": "bc",
    "modprobe": "kmod",
    "free": "procps",
    "lstopo-no-graphics": "hwloc-nox",
    "numactl": "numactl",
    "sar": "sysstat",
    "htop": "htop",
    "atop": "atop",
    "busybox": "busybox-static",
    "file": "file",
    "prometheus-node-exporter": "prometheus-node-exporter",
}


CHECKS: tuple[Row, ...] = (
    Row(
        f"Python {MIN_PYTHON[0]}.{MIN_PYTHON[1]} or later",
        "build",
        probe_python,
        "Install a newer Python and name it: PYTHON=/path/to/python3 scripts/setup.",
    ),
    package_row("Python's venv module", "build", probe_venv, "python3-venv"),
    package_row("a C compiler", "build", probe_compiler, "gcc", "libc6-dev"),
    package_row("Python's C headers", "build", probe_python_headers, "python3-dev"),
    package_row("pkg-config", "build", probe_pkg_config, "pkg-config"),
    package_row("libfuse's headers", "build", probe_libfuse_headers, "libfuse3-dev"),
    package_row("libfuse", "mount", probe_libfuse, "libfuse3-3"),
    package_row("fusermount3", "mount", probe_fusermount, "fuse3"),
    Row(
        "/dev/fuse, readable and writable",
        "mount",
        probe_fuse_device,
        "As root: chmod 666 /dev/fuse.",
    ),
    Row(
        "user_allow_other",
        "mount",
        probe_user_allow_other,
        f"Only mounts with -o allow_other need it; as root: "
        f"echo user_allow_other >> {FUSE_CONF}.",
        required=False,
        user_only=True,
    ),
    Row("the compiled core, memfs.vm._vmcore", "built", probe_core, MODULE_REMEDY),
    Row("pyfuse3", "built", probe_pyfuse3, MODULE_REMEDY),
    Row(
        "the FUSE shim, memfs/_fuse_shim.so",
        "built",
        probe_shim,
        MODULE_REMEDY,
        required=False,
    ),
    command_row("clang", "clang"),
    command_row("clang-format", "clang-format"),
    command_row("shellcheck", "shellcheck"),
    command_row("dash", "dash"),
    command_row("bash", "bash"),
    *(command_row(name, name) for name in LIVING),
    command_row("mkfs.btrfs", "btrfs-progs"),
    *(command_row(name, package) for name, package in LOOKING.items()),
    package_row(
        "PCP's libraries",
        "test",
        probe_pcp_libraries,
        *("libpcp3", "libpcp-pmda3", "pcp-conf"),
    ),
    package_row(
        "the kernel's own tests", "test", probe_kernel_source, "linux-source-6.1"
    ),
    package_row("the address sanitizer", "test", probe_asan, "gcc"),
)


def examine(row: Row) -> Check:
    """Probe one row."""
    finding = row.probe()
    remedy = "" if finding.ok else finding.remedy or row.remedy
    # A probe with a remedy of its own has found that the package is there.
    packages = () if finding.remedy else row.packages
    return Check(row.what, finding.ok, finding.found, remedy, row.required, packages)


def run(stages: Sequence[Stage] = DEFAULT_STAGES) -> list[Check]:
    """Every check of `stages` that concerns this user, in the table's order."""
    return [
        examine(row)
        for row in CHECKS
        if row.stage in stages and not (row.user_only and is_root())
    ]


def describe(check: Check) -> str:
    """One line: the state, what, what was found, and the remedy."""
    if check.ok:
        return f"ok       {check.what}: {check.found}"
    state = "missing" if check.required else "lesser "
    return f"{state}  {check.what}: {check.found}. {check.remedy}"


def as_json(checks: Sequence[Check]) -> str:
    """A list of objects, one for each check."""
    return json_format.dumps([check._asdict() for check in checks], indent=2)


def failed(checks: Sequence[Check]) -> bool:
    """Whether something is missing that memfs cannot do without."""
    return any(check.required and not check.ok for check in checks)


def report(json: bool, stages: Sequence[Stage] = DEFAULT_STAGES) -> tuple[str, int]:
    """What `memfs doctor` prints, and its exit status: 1 when something is missing."""
    checks = run(stages)
    text = as_json(checks) if json else "\n".join(map(describe, checks))
    return text, int(failed(checks))


def missing_packages(checks: Sequence[Check]) -> list[str]:
    """The Debian packages that would mend `checks`, each once."""
    names = (name for check in checks if not check.ok for name in check.packages)
    return list(dict.fromkeys(names))


def parse_arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="doctor.py", description="What this machine lacks for memfs."
    )
    parser.add_argument(
        "--plain", action="store_true", help="text, one line a check (the default)"
    )
    parser.add_argument("--json", action="store_true", help="a list of objects")
    parser.add_argument(
        "--missing", action="store_true", help="only what is missing, or nothing"
    )
    parser.add_argument(
        "--packages", action="store_true", help="only the packages to install"
    )
    parser.add_argument(
        "--stage",
        action="append",
        choices=STAGES,
        help="only these checks; may be given again (default: all but test)",
    )
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line of scripts/setup."""
    options = parse_arguments(arguments)
    checks = run(options.stage or DEFAULT_STAGES)
    status = int(failed(checks))
    if options.packages:
        lines = missing_packages(checks)
    elif options.json:
        lines = [as_json(checks)]
    else:
        shown = [c for c in checks if not (options.missing and c.ok)]
        lines = [describe(check) for check in shown]
    for line in lines:
        print(line)
    return status


if __name__ == "__main__":
    sys.exit(main())
