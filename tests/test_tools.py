"""Programs that people use, on a real mount: unmodified, each run for real.

Those that can look below another root do; the others run under ``memfs exec``.
"""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from mounting import MEMFS, ROOT, mounted

pytestmark = pytest.mark.mount

PATIENCE_S = 60
# The real machine is never to be changed by a test that went astray.
GUARD = 'test "$(stat -f -c %T /sys/devices/system/memory)" = fuseblk && exec "$@"'


@pytest.fixture(scope="module")
def modern(tmp_path_factory):
    """The captured machine of Linux 6.1."""
    options = ("--machine", "modern", "--clock", "manual", "-o", "allow_other")
    directory = tmp_path_factory.mktemp("modern")
    with mounted(directory, command=MEMFS, options=options) as mount:
        yield mount


def run(*command, env=None, patience_s=PATIENCE_S):
    """Run a program; its output, when it ended well."""
    done = subprocess.run(
        command,
        env={**os.environ, "LC_ALL": "C", **(env or {})},
        capture_output=True,
        text=True,
        timeout=patience_s,
    )
    assert done.returncode == 0, (command, done.stdout, done.stderr)
    return done.stdout


def memfs(*words, check=True, **more):
    """Run the command line."""
    return subprocess.run(
        [sys.executable, "-m", "memfs", *words],
        cwd=ROOT,
        env={**os.environ, "LC_ALL": "C"},
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=check,
        **more,
    )


def inside(mount, *command, check=True):
    """Run a program that takes the mount for the machine; its output."""
    where = ("--mount", str(mount.path))
    done = memfs("exec", *where, "--", "sh", "-c", GUARD, "sh", *command, check=False)
    assert not check or done.returncode == 0, (command, done.stdout, done.stderr)
    return done.stdout if check else done


# By their own root switch.


def test_lsmem(modern):
    """Every block with its state, node and zone, exactly as Linux 6.1 had them."""
    columns = "RANGE,SIZE,STATE,REMOVABLE,BLOCK,NODE,ZONES"
    text = run("lsmem", "-s", modern.path, "-a", "-J", "-b", "-o", columns)
    blocks = json.loads(text)["memory"]

    assert [b["block"] for b in blocks] == [*map(str, (*range(16), *range(32, 48)))]
    assert {b["state"] for b in blocks} == {"online"}
    assert all(b["removable"] is True for b in blocks)
    assert [b["node"] for b in blocks] == [0] * 16 + [1] * 8 + [2] * 8
    zones = [b["zones"] for b in blocks]
    assert zones == ["None", *["DMA32"] * 14, "None", *["Normal"] * 16]
    assert "Total online memory:       4G" in run("lsmem", "-s", modern.path)


def test_lscpu(modern):
    """CPUs and the nodes they are on."""
    text = run("lscpu", "-s", modern.path)

    assert re.search(r"^CPU\(s\): +2$", text, re.M)
    assert re.search(r"^NUMA node\(s\): +3$", text, re.M)
    assert re.search(r"^NUMA node0 CPU\(s\): +0,1$", text, re.M)


def test_lstopo(modern):
    """Packages, cores, nodes with their memory, distances."""
    env = {"HWLOC_FSROOT": str(modern.path), "HWLOC_COMPONENTS": "linux,stop"}
    text = run("lstopo-no-graphics", "--of", "xml", env=env)

    sizes = re.findall(r'"NUMANode".*?local_memory="(\d+)"', text)
    assert [int(size) // 1024 for size in sizes] == [1951724, 1032016, 1029172]
    assert len(re.findall('type="PU"', text)) == 2
    assert "10 20 30 20 10 25 30 25 10" in text


# Inside a namespace.


def test_free(modern):
    """Totals of the model."""
    words = inside(modern, "free", "-k").split("\n")[1].split()

    assert words[1] == words[3] == "4012912"


def test_numactl(modern):
    """Nodes, CPUs, sizes and distances."""
    text = inside(modern, "numactl", "-H")

    assert "available: 3 nodes (0-2)" in text
    assert "node 0 cpus: 0 1\nnode 0 size: 1905 MB" in text
    assert "node 1 cpus:\nnode 1 size: 1007 MB" in text
    assert "  1:  20  10  25" in text


def test_numastat(modern):
    """A column a node."""
    text = inside(modern, "numastat", "-m")

    assert re.search(r"^MemTotal +1905.98 +1007.83 +1005.05 +3918.86 *$", text, re.M)


def test_vmstat_and_top(modern):
    """procps' others."""
    assert "4012912 K total memory" in inside(modern, "vmstat", "-s")
    assert "MiB Mem :   3918.9 total" in inside(modern, "top", "-bn1")


def test_lsmem_in_a_namespace(modern):
    """The same as by its switch."""
    assert inside(modern, "lsmem", "-a") == run("lsmem", "-s", modern.path, "-a")


# The namespace itself.


def test_exec_ends_as_its_program_does(modern):
    """Status, signal, not found, not to be run."""
    where = ("exec", "--mount", str(modern.path), "--")

    assert memfs(*where, "sh", "-c", "exit 7", check=False).returncode == 7
    assert memfs(*where, "no-such-program", check=False).returncode == 127
    assert memfs(*where, "/etc/passwd", check=False).returncode == 126


def test_exec_mounts_and_unmounts_a_machine():
    """Nothing stays behind, and a signal's status comes through."""
    before = sorted(os.listdir("/tmp"))
    text = memfs("exec", "--machine", "modern", "--", "numactl", "-H").stdout
    killed = memfs(
        "exec", "--machine", "2004", "--", "sh", "-c", "kill -9 $$", check=False
    )

    assert "available: 3 nodes" in text
    assert killed.returncode == 137
    left = [n for n in os.listdir("/tmp") if n.startswith("memfs-exec-")]
    assert [name for name in left if name not in before] == []
    assert "memfs-exec-" not in Path("/proc/mounts").read_text()


def test_exec_changes_nothing_outside(modern):
    """What the model does not own is the host's; the host sees nothing of it."""
    theirs = inside(modern, "cat", "/proc/meminfo", "/proc/sys/kernel/pid_max")

    assert theirs.endswith(Path("/proc/sys/kernel/pid_max").read_text())
    assert "MemTotal:        4012912 kB" in theirs
    assert "MemTotal:        4012912 kB" not in Path("/proc/meminfo").read_text()
    assert str(modern.path / "proc") not in Path("/proc/self/mountinfo").read_text()


# Memory that goes and comes.


@pytest.fixture
def hotplug(tmp_path):
    """The captured machine, for a test that changes it."""
    options = ("--machine", "modern", "--paranoid", "-o", "allow_other")
    with mounted(tmp_path, command=MEMFS, options=options) as mount:
        yield mount


@pytest.fixture(scope="session")
def kernel_source():
    """What the kernel's own tests are, unpacked from Debian's source once."""
    where = ROOT / "build" / "kernel"
    wanted = "linux-source-6.1/tools/testing/selftests/memory-hotplug"
    if not (where / wanted).is_dir():
        where.mkdir(parents=True, exist_ok=True)
        archive = "/usr/src/linux-source-6.1.tar.xz"
        tools = "linux-source-6.1/tools/vm"
        run("tar", "-C", str(where), "-xf", archive, wanted, tools, patience_s=300)
    return where / "linux-source-6.1" / "tools"


def test_chmem(hotplug):
    """Blocks go from the highest down, what cannot is skipped; and come back."""
    done = inside(hotplug, "chmem", "-v", "-d", "1G")

    assert "Memory Block 47" in done
    assert done.count("disable failed") == 2
    assert done.count(") disabled") == 8
    summary = run("lsmem", "-s", hotplug.path, "--summary=only")
    assert "Total offline memory:      1G" in summary
    some = inside(hotplug, "chmem", "-d", "3G", check=False)
    assert some.returncode == 64
    inside(hotplug, "chmem", "-e", "-b", "40-41")
    blocks = json.loads(run("lsmem", "-s", hotplug.path, "-a", "-J", "-o", "+ZONES"))
    zones = {b["block"]: b["zones"] for b in blocks["memory"]}
    assert zones["40"] == zones["41"] == "Movable"
    assert zones["42"] == "Normal/Movable"


def test_the_kernels_own_test(hotplug, kernel_source):
    """mem-on-off-test.sh, whole: with injected errors, nothing skipped."""
    script = kernel_source / "testing/selftests/memory-hotplug/mem-on-off-test.sh"
    hotplug.write("sys/devices/system/memory/memory36/state", "offline")
    done = inside(hotplug, "bash", str(script), "-r", "20", check=False)

    assert done.returncode == 0, (done.stdout, done.stderr)
    assert "offline->online memory36" in done.stdout
    assert "skip" not in (done.stdout + done.stderr).lower()
    assert "unexpected" not in done.stderr
    log = (hotplug / "kmsg").read_text()
    assert "MEM_GOING_ONLINE was refused (ENOMEM)" in log
    assert "MEM_GOING_OFFLINE was refused (ENOMEM)" in log
    assert "offline" not in run("lsmem", "-s", hotplug.path).replace(
        "Total offline", ""
    )
