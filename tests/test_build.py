"""The build description: what is declared to Python and what is compiled."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

pytestmark = pytest.mark.tree

CSRC = Path(__file__).resolve().parents[1] / "memfs" / "csrc"


@pytest.fixture(scope="module")
def build_ffi():
    spec = importlib.util.spec_from_file_location("build_ffi", CSRC / "build_ffi.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_declarations_are_the_marked_text(build_ffi):
    header = "#x\n/* cdef-begin */\nint a;\n/* cdef-end */\n#y\n"
    assert build_ffi.declarations(header).strip() == "int a;"


def test_declarations_may_stand_in_several_places(build_ffi):
    part = "/* cdef-begin */int {};/* cdef-end */"
    text = build_ffi.declarations(part.format("a") + "#if 1\n" + part.format("b"))
    assert text.split() == ["int", "a;", "int", "b;"]


def test_header_without_a_mark_is_refused(build_ffi):
    with pytest.raises(ValueError, match="no text between cdef-begin and cdef-end"):
        build_ffi.declarations("int a;\n")


def test_every_c_file_is_the_cores_or_the_shims(build_ffi):
    sources = build_ffi.core_sources()
    assert "memfs/csrc/lru_scan.c" in sources
    shim = build_ffi.shim_sources()
    assert "memfs/csrc/fuse_shim.c" in shim
    assert not set(shim) & set(sources)
    assert len(sources) + len(shim) == len(list(CSRC.glob("*.c")))


def test_a_rebuild_depends_on_the_headers(build_ffi):
    assert "memfs/csrc/memfs.h" in build_ffi.headers()


@pytest.mark.parametrize(("value", "asked"), [("1", True), ("0", False), ("", False)])
def test_sanitizers_are_asked_for(build_ffi, monkeypatch, value, asked):
    monkeypatch.setenv("MEMFS_SANITIZE", value)
    flag = "-fsanitize=address,undefined"
    assert (flag in build_ffi.compile_args()) is asked
    assert (flag in build_ffi.link_args()) is asked
