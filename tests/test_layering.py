"""Who may import what, and what no file of the project may say.

The rooms of the package are ranked; an import points downwards or stays in its
room. The outside packages that bind a room to a mount, an event loop or the
compiled core have one importer each.
"""

from __future__ import annotations

import ast
import functools
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = pytest.mark.tree

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "memfs"

# Lower rooms first. What is not named (a new module) fails its test: rank it.
RANKS = (
    ("memfs.records",),
    ("memfs.elsewhere", "memfs.doing"),
    ("memfs.locks",),
    (
        "memfs.vm",
        "memfs.csrc",
        "memfs.doctor",
        "memfs.mountpoints",
        "memfs.namespace",
        "memfs.shim",
        "memfs.lanes",
    ),
    ("memfs.request", "memfs.volume", "memfs.machines", "memfs.manners"),
    ("memfs.detach",),
    ("memfs.node",),
    ("memfs.textfile",),
    ("memfs.tree", "memfs.inodes", "memfs.client"),
    ("memfs.export",),
    (
        "memfs.commands",
        "memfs.files",
        "memfs.mount",
        "memfs.background",
        "memfs.callers",
        "memfs.listings",
        "memfs.revoker",
        "memfs.turns",
    ),
    ("memfs.handlers", "memfs.wirebytes"),
    ("memfs.wirelists",),
    ("memfs.directnodes",),
    ("memfs.direct",),
    ("memfs.fuse",),
    ("memfs.daemon",),
    ("memfs.reports",),
    ("memfs.cli",),
    ("memfs.__main__",),
)

# Module: where it may be imported, everywhere else it may not.
ONLY_IN = {
    "pyfuse3": {"memfs.fuse"},
    "trio": {"memfs.fuse", "memfs.background", "memfs.daemon", "memfs.revoker"},
    "memfs.vm._vmcore": {"memfs.vm._ffi.lib"},
    "cffi": {"memfs.csrc.build_ffi"},
}

# Room: what of the package it must not import, whatever the ranks allow.
NEVER = {
    "memfs.request": {"memfs.vm"},
    "memfs.volume": {"memfs.vm"},
    "memfs.manners": {"memfs.vm"},
    "memfs.node": {"memfs.vm"},
    "memfs.textfile": {"memfs.vm"},
    "memfs.tree": {"memfs.vm"},
    "memfs.export": {"memfs.vm"},
    "memfs.files": {"memfs.fuse", "memfs.background", "memfs.daemon"},
    "memfs.commands": {"memfs.fuse", "memfs.background", "memfs.daemon"},
    "memfs.client": {"memfs.vm"},
}

CLOCKS = {"time.time", "time.monotonic", "time.sleep", "time.perf_counter"}


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


SOURCES = sorted(PACKAGE.rglob("*.py"))
MODULES = {module_name(path): path for path in SOURCES}


def in_room(module: str, room: str) -> bool:
    return module == room or module.startswith(f"{room}.")


def is_type_checking(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)


def walk_running(node: ast.AST) -> Iterator[ast.AST]:
    """Every node that runs; what only a type checker sees is left out."""
    yield node
    for child in ast.iter_child_nodes(node):
        if is_type_checking(child):
            for other in child.orelse:
                yield from walk_running(other)
        else:
            yield from walk_running(child)


def absolute(node: ast.ImportFrom, module: str, path: Path) -> str:
    """The package an import statement names, with its dots resolved."""
    if not node.level:
        return node.module or ""
    package = module.split(".")
    up = node.level - (path.name == "__init__.py")
    base = package[: len(package) - up]
    return ".".join([*base, node.module] if node.module else base)


@functools.cache
def imports(module: str, path: Path) -> frozenset[str]:
    """Full names of what a module imports, inside its functions too."""
    found = set()
    for node in walk_running(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = absolute(node, module, path)
            # `from memfs import tree` names a module, `from memfs.tree import Dir`
            # does not; both are found as a prefix.
            found |= {f"{base}.{alias.name}" for alias in node.names}
    return frozenset(found)


def rank(module: str) -> int | None:
    for number, rooms in enumerate(RANKS):
        if any(in_room(module, room) for room in rooms):
            return number
    return None


every_module = pytest.mark.parametrize(
    ("module", "path"), MODULES.items(), ids=MODULES.keys()
)


@every_module
def test_no_import_points_upward(module, path):
    if module == "memfs":
        assert not [name for name in imports(module, path) if in_room(name, "memfs")]
        return
    assert rank(module) is not None, f"{module} has no rank in RANKS"
    upward = [
        name
        for name in imports(module, path)
        if (other := rank(name)) is not None and other > rank(module)
    ]
    assert upward == []


@every_module
def test_outside_packages_have_their_importers(module, path):
    for name in imports(module, path):
        for package, importers in ONLY_IN.items():
            assert not in_room(name, package) or module in importers, name


@every_module
def test_rooms_that_keep_apart(module, path):
    for room, banned in NEVER.items():
        if in_room(module, room):
            names = imports(module, path)
            assert not [n for n in names if any(in_room(n, b) for b in banned)]


def vm_modules() -> dict[str, Path]:
    return {name: path for name, path in MODULES.items() if in_room(name, "memfs.vm")}


def test_the_model_imports_nothing_of_the_package():
    """But how a NamedTuple is made, which imports nothing itself."""
    for module, path in vm_modules().items():
        outside = [
            name
            for name in imports(module, path)
            if in_room(name, "memfs")
            and not in_room(name, "memfs.vm")
            and not in_room(name, "memfs.records")
        ]
        assert outside == [], module


def test_named_tuples_are_made_quickly():
    """By memfs.records; doctor runs alone, with whatever Python there is."""
    slow = [
        module
        for module, path in MODULES.items()
        if re.search(r"^from typing import.*\bNamedTuple\b", path.read_text(), re.M)
    ]

    assert slow == ["memfs.doctor"]


def test_the_model_imports_the_standard_library_and_its_core_alone():
    for module, path in vm_modules().items():
        tops = {name.partition(".")[0] for name in imports(module, path)}
        assert tops <= set(sys.stdlib_module_names) | {"memfs"}, module


def calls(path: Path) -> set[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {ast.unparse(n.func) for n in ast.walk(tree) if isinstance(n, ast.Call)}


def test_the_model_reads_no_wall_clock_and_no_global_random():
    for module, path in vm_modules().items():
        called = calls(path)
        assert not called & CLOCKS, module
        assert not [c for c in called if re.fullmatch(r"random\.[a-z]\w*", c)], module


def test_the_model_is_usable_alone():
    """`import memfs.vm` where no other package can be found but cffi's run time."""
    program = (
        "import sys\n"
        "for name in 'pyfuse3 trio click rich memfs.tree memfs.fuse'.split():\n"
        "    sys.modules[name] = None\n"
        "import memfs.vm\n"
        "memfs.vm.Machine, memfs.vm.Layout\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


# An exported name of ours could be taken for the C library's, or the other way.


def exports(path: Path) -> set[str]:
    command = ["nm", "--dynamic", "--defined-only", str(path)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return {line.split()[-1] for line in done.stdout.splitlines()}


def test_compiled_core_exports_nothing_but_its_init():
    [path] = (PACKAGE / "vm").glob("_vmcore*.so")
    assert exports(path) == {"PyInit__vmcore"}


def test_shim_exports_its_own_names_and_those_it_takes_from_libfuse():
    names = exports(PACKAGE / "_fuse_shim.so")
    assert not [n for n in names if not n.startswith(("memfs_shim_", "fuse_"))]


# What no file says

SUFFIXES = {".py", ".c", ".h", ".toml", ".rst", ".sh", ".t", ".txt", ".md", ""}
SKIPPED = {"build", "dist"}

# Written in pieces, so that this file does not say them.
FORBIDDEN = {
    "a path of one machine": re.compile(r"(?<![\w.])/(?:home|root|work|Users)/\w"),
    "an unfinished place": re.compile(r"\b(?:TO" r"DO|FIX" r"ME|XX" r"X)\b"),
    "a stub": re.compile(r"\bNotImple" r"mentedError\b"),
}


def project_files() -> list[Path]:
    """Every text file of the project, whether git knows it yet or not."""
    found = []
    for top in sorted(ROOT.iterdir()):
        hidden = top.is_dir() and top.name.startswith(".") and top.name != ".ci"
        if hidden or top.name in SKIPPED or top.name.endswith(".egg-info"):
            continue
        paths = sorted(top.rglob("*")) if top.is_dir() else [top]
        found += [p for p in paths if p.suffix in SUFFIXES]
    return [p for p in found if p.is_file() and ROOT / "mountpoint" not in p.parents]


@pytest.mark.parametrize("what", FORBIDDEN)
def test_no_file_says(what):
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for path in project_files()
        for number, line in enumerate(
            path.read_text(encoding="utf-8", errors="replace").splitlines(), 1
        )
        if FORBIDDEN[what].search(line)
    ]
    assert found == []
