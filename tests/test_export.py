"""memfs export and memfs machine import: copies that programs read, and back."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile

import pytest
from click.testing import CliRunner
from fakesys import MACHINES
from mounting import MEMFS, PATIENCE_S, ROOT, mounted

from memfs.cli.group import cli
from memfs.machines.source import import_text
from memfs.vm import Layout

pytestmark = pytest.mark.python

COLUMNS = "RANGE,SIZE,STATE,REMOVABLE,BLOCK,NODE"


@pytest.fixture
def run():
    def invoke(*words: str):
        return CliRunner().invoke(cli, words, prog_name="memfs")

    return invoke


def program(*command: str, env: dict[str, str] | None = None) -> str:
    """Run a program; its output, when it ended well."""
    if shutil.which(command[0]) is None:
        pytest.skip(f"{command[0]} is not installed")
    done = subprocess.run(
        command,
        env={**os.environ, "LC_ALL": "C", **(env or {})},
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert done.returncode == 0, (command, done.stdout, done.stderr)
    return done.stdout


def lsmem(root, columns: str = COLUMNS) -> str:
    return program("lsmem", "-s", str(root), "-a", "-o", columns, "-n")


def same(machine: str) -> str:
    """What of a machine file must not change: all but its title and name."""
    return machine[machine.index("kernel =") :]


# Without a mount


def test_an_export_has_proc_and_sys_with_links_and_modes(run, tmp_path):
    """What can only be written is empty; a link points where it did."""
    done = run("export", "--machine", "power", str(tmp_path / "power"))
    sys = tmp_path / "power/sys/devices/system"

    assert done.exit_code == 0, done.output
    assert (sys / "node/online").read_text() == "0,8,16\n"
    assert (sys / "node/node16/memory16384/state").read_text() == "online\n"
    assert (sys / "node/node8/compact").read_bytes() == b""
    assert (sys / "node/node8/compact").stat().st_mode & 0o777 == 0o200
    assert "MemTotal:" in (tmp_path / "power/proc/meminfo").read_text()
    if shutil.which("lsmem"):
        assert " 16384   16\n" in lsmem(tmp_path / "power")


@pytest.mark.parametrize("suffix", [".tar", ".tar.gz", ".tgz", ".tar.xz"])
def test_an_export_to_a_tar_file_has_the_same_names(run, tmp_path, suffix):
    """Names, types and contents."""
    assert run("export", "--machine", "s390", str(tmp_path / "dir")).exit_code == 0
    target = tmp_path / f"s390{suffix}"
    assert run("export", "--machine", "s390", str(target)).exit_code == 0
    with tarfile.open(target) as tar:
        tar.extractall(tmp_path / "out", filter="data")
    names = [
        {path.relative_to(root) for path in root.rglob("*")}
        for root in (tmp_path / "dir", tmp_path / "out")
    ]

    assert names[0] == names[1]
    meminfo = "proc/meminfo"
    assert (tmp_path / "out" / meminfo).read_text() == (
        tmp_path / "dir" / meminfo
    ).read_text()


def test_an_export_changes_nothing_that_is_there(run, tmp_path):
    """A full directory, a tar file, a machine that there is not."""
    (tmp_path / "full").mkdir()
    (tmp_path / "full/mine").write_text("1")
    (tmp_path / "there.tar").write_text("2")

    for words, what in (
        (("--machine", "s390", "full"), "not empty"),
        (("--machine", "s390", "there.tar"), "File exists"),
        (("--machine", "s390", "no/such/dir"), "No such file"),
        (("--machine", "vax", "new"), "vax"),
    ):
        done = run("export", *words[:2], str(tmp_path / words[2]))
        assert done.exit_code == 1
        assert what in done.output
        assert len(done.output.splitlines()) == 1
    assert run("export", "--machine", "s390", "--mount", "x", "y").exit_code == 2
    assert (tmp_path / "full/mine").read_text() == "1"
    assert (tmp_path / "there.tar").read_text() == "2"
    assert sorted(os.listdir(tmp_path)) == ["full", "there.tar"]


@pytest.mark.parametrize("name", sorted(set(Layout.builtin_names()) - {"5t"}))
def test_what_was_exported_is_imported_again(run, tmp_path, name):
    """The import of an export exports to the same, but for what sysfs cannot say."""
    assert run("export", "--machine", name, str(tmp_path / "a")).exit_code == 0
    first = import_text(str(tmp_path / "a"))
    (tmp_path / "a.toml").write_text(first)
    copy = str(tmp_path / "b")
    assert run("export", "--machine", str(tmp_path / "a.toml"), copy).exit_code == 0

    assert same(import_text(copy)) == same(first)
    for part in ("memory", "node", "cpu"):
        here, there = (tmp_path / one / "sys/devices/system" / part for one in "ab")
        for path in here.rglob("*"):
            other = there / path.relative_to(here)
            if path.is_symlink():
                assert path.readlink() == other.readlink()
            elif path.is_file() and path.name not in ("possible", "vmstat", "meminfo"):
                assert path.read_bytes() == other.read_bytes(), path


# The command


def test_import_takes_one_word_or_several(run, tmp_path):
    """Options of QEMU are not those of the command."""
    one = run("machine", "import", "-m 1G -smp 2 -h nothing")
    several = run("machine", "import", "--name", "x", "-m", "1G", "-smp", "2")
    hwloc = run("machine", "import", "--name", "x", "pack:2 [numa] core:4", "pu:2")

    assert one.exit_code == several.exit_code == 0, one.output
    assert 'name = "x"' in several.output
    assert same(one.output) == same(several.output)
    assert hwloc.exit_code == 1
    assert run("machine", "import", "pack:2 core:4 pu:2").exit_code == 0
    assert "--kernel" in run("machine", "import", "--help").output


def test_a_refused_import_is_one_line_and_status_1(run, tmp_path):
    """A bad kernel is a usage error."""
    for source in ("nonsense", str(tmp_path), "-m x", "pack:2"):
        done = run("machine", "import", source)
        assert done.exit_code == 1
        assert len(done.output.splitlines()) == 1
    assert run("machine", "import", "--kernel", "5.0", "pu:2").exit_code == 2
    assert run("machine", "import").exit_code == 2


def test_the_gallery_is_listed_and_shown(run):
    """Each machine can be looked at."""
    listed = run("machine", "list").output
    for name in Layout.builtin_names():
        assert f"\n{name} " in f"\n{listed}"
        done = run("machine", "show", name)
        assert done.exit_code == 0, done.output


# On a real mount


def machine_mount(tmp_path, machine: str):
    options = ("--machine", machine, "--clock", "manual")
    return mounted(tmp_path, command=MEMFS, options=options)


@pytest.mark.mount
@pytest.mark.parametrize("name", sorted(MACHINES))
def test_a_mount_of_an_import_is_the_machine_to_lsmem(tmp_path, name):
    """The same ranges, sizes, states, removable, numbers, nodes; zones if it has."""
    source = tmp_path / "source"
    MACHINES[name](source)
    wanted = lsmem(source)
    (tmp_path / "m.toml").write_text(import_text(str(source)))
    (tmp_path / "mnt").mkdir()
    with machine_mount(tmp_path / "mnt", str(tmp_path / "m.toml")) as mount:
        found = lsmem(mount.path)
        if name == "bare":
            # No node and no removable there; here there are.
            wanted, found = (
                lsmem(root, "RANGE,SIZE,STATE,BLOCK") for root in (source, mount.path)
            )
        assert found == wanted
        if name in ("pc", "mainframe"):
            assert lsmem(mount.path, "BLOCK,ZONES") == lsmem(source, "BLOCK,ZONES")


@pytest.mark.mount
def test_a_copy_of_a_mounts_sys_is_imported(tmp_path):
    """cp -a; after a block has changed, and with an export of the same mount."""
    (tmp_path / "mnt").mkdir()
    (tmp_path / "cp").mkdir()
    with machine_mount(tmp_path / "mnt", "holes") as mount:
        mount.write("sys/devices/system/memory/memory36/state", "online_movable")
        mount.write("sys/devices/system/memory/memory58/state", "offline")
        copied = mount.shell(f'cp -a "$M/sys" "{tmp_path}/cp"')
        # As on a real machine: what can only be written cannot be copied.
        refused = copied.stderr.splitlines()
        assert [line for line in refused if "Permission denied" not in line] == []
        subprocess.run(
            [
                *(sys.executable, "-m", "memfs", "export", "--mount"),
                *(str(mount.path), str(tmp_path / "export.tar")),
            ],
            cwd=ROOT,
            check=True,
            capture_output=True,
            timeout=PATIENCE_S,
        )
        seen = lsmem(mount.path, COLUMNS + ",ZONES")
        numa = (mount / "sys/devices/system/node/node1/meminfo").read_text()
    text = import_text(str(tmp_path / "cp"))
    with tarfile.open(tmp_path / "export.tar") as tar:
        tar.extractall(tmp_path / "export", filter="data")

    assert lsmem(tmp_path / "export", COLUMNS + ",ZONES") == seen
    (tmp_path / "m.toml").write_text(text)
    (tmp_path / "mnt2").mkdir()
    with machine_mount(tmp_path / "mnt2", str(tmp_path / "m.toml")) as mount:
        assert lsmem(mount.path, COLUMNS + ",ZONES") == seen
        again = (mount / "sys/devices/system/node/node1/meminfo").read_text()
        assert again.splitlines()[0] == numa.splitlines()[0]


@pytest.mark.mount
def test_hwloc_sees_the_synthetic_machine_again(tmp_path):
    """What lstopo says of the form, it says of the mount."""
    form = "Package:2 [NUMANode(memory=64000000000)] Core:4 PU:2"
    (tmp_path / "m.toml").write_text(
        import_text("pack:2 [numa(memory=64GB)] core:4 pu:2")
    )
    (tmp_path / "mnt").mkdir()
    with machine_mount(tmp_path / "mnt", str(tmp_path / "m.toml")) as mount:
        env = {"HWLOC_FSROOT": str(mount.path), "HWLOC_COMPONENTS": "linux,stop"}
        found = program("lstopo-no-graphics", "--of", "synthetic", env=env)
        assert found.strip() == form


@pytest.mark.mount
@pytest.mark.parametrize(
    ("name", "nodes"),
    [
        ("cxl", "3 nodes (0-2)"),
        ("memoryless", "4 nodes (0-3)"),
        ("power", "3 nodes (0,8,16)"),
    ],
)
def test_numactl_sees_the_nodes_of_the_gallery(tmp_path, name, nodes):
    """A node without CPUs, one without memory, numbers with gaps."""
    options = ("--machine", name, "--clock", "manual", "-o", "allow_other")
    with mounted(tmp_path, command=MEMFS, options=options) as mount:
        command = (sys.executable, "-m", "memfs", "exec", "--mount", str(mount.path))
        found = program(*command, "--", "numactl", "-H")

    assert f"available: {nodes}" in found
    if name == "cxl":
        assert "node 2 cpus:\n" in found.replace("cpus: \n", "cpus:\n")
    if name == "memoryless":
        assert "node 0 size: 0 MB" in found


@pytest.mark.mount
def test_lsmem_lists_5_tib(tmp_path):
    """20480 blocks."""
    with machine_mount(tmp_path, "5t") as mount:
        found = program("lsmem", "-s", str(mount.path), "--summary=only")

    assert "Total online memory:     896G" in found
    assert "Total offline memory:    4.1T" in found
