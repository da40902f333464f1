"""Programs that people use, on a real mount: unmodified, each run for real.

Those that can look below another root do; the others run under ``memfs exec``.
"""

import contextlib
import ctypes
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
from mounting import MEMFS, PATIENCE_S, ROOT, mounted, wait_until
from terminal import draws

from memfs import namespace

PR_SET_DUMPABLE = 4
pytestmark = pytest.mark.mount

# Without process accounting, which is a matter of the whole host.
ATOP = ("env", "ATOPACCT=", "atop")
# The real machine is never to be changed by a test that went astray.
GUARD = 'test "$(stat -f -c %T /sys/devices/system/memory)" = fuseblk && exec "$@"'


@pytest.fixture(scope="module")
def modern(tmp_path_factory):
    """The captured machine of Linux 6.1."""
    options = ("--machine", "modern", "--clock", "manual", "-o", "allow_other")
    directory = tmp_path_factory.mktemp("modern")
    with mounted(directory, 600.0, command=MEMFS, options=options) as mount:
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
    assert zones == ["None", *["DMA32"] * 15, *["Normal"] * 16]
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


def test_exec_needs_no_standard_streams(modern):
    """A program whose caller has closed them ends as it would have."""
    ways = ("--machine 2004", f"--mount {modern.path}")
    for way in ways:
        command = f"{sys.executable} -m memfs exec {way} -- sh -c 'exit 7' <&- >&- 2>&-"
        assert subprocess.run(["sh", "-c", command], check=False).returncode == 7


def test_exec_changes_nothing_outside(modern):
    """What the model does not own is the host's; the host sees nothing of it."""
    theirs = inside(modern, "cat", "/proc/meminfo", "/proc/sys/kernel/pid_max")

    assert theirs.endswith(Path("/proc/sys/kernel/pid_max").read_text())
    assert "MemTotal:        4012912 kB" in theirs
    assert "MemTotal:        4012912 kB" not in Path("/proc/meminfo").read_text()
    assert str(modern.path / "proc") not in Path("/proc/self/mountinfo").read_text()


def test_a_static_program(modern):
    """No library is between it and its system calls."""
    busybox = shutil.which("busybox")
    assert b"dynamic" not in subprocess.check_output(["file", "-L", busybox])
    assert "MemTotal:        4012912 kB" in inside(
        modern, busybox, "cat", "/proc/meminfo"
    )
    online = inside(modern, busybox, "cat", "/sys/devices/system/node/online")
    assert online == "0-2\n"


@pytest.mark.skipif(os.geteuid() != 0, reason="an ordinary user is what root becomes")
def test_an_ordinary_user(modern):
    """In a user namespace; root is nobody's outside of it.

    The mount is seen at /mnt here, as the directories of a test are root's alone.
    """
    receive, send = os.pipe()
    child = os.fork()
    if not child:
        status = 1
        try:
            namespace.unshare()
            subprocess.run(["mount", "--bind", modern.path, "/mnt"], check=True)
            os.setgroups([])
            os.setgid(65534)
            os.setuid(65534)
            # As with a program that is started by that user: /proc/self is its own.
            ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 1)
            namespace.enter(Path("/mnt"))
            done = subprocess.run(["numactl", "-H"], stdout=send, check=False)
            status = done.returncode
        finally:
            os._exit(status)
    os.close(send)
    with open(receive) as pipe:
        text = pipe.read()
    assert os.waitpid(child, 0)[1] == 0
    assert "available: 3 nodes (0-2)" in text


def test_no_namespace_is_one_sentence(modern):
    """And the program is not run."""
    refuse = 'echo 0 > /proc/sys/user/max_mnt_namespaces && exec "$@"'
    memfs_exec = (sys.executable, "-m", "memfs", "exec", "--mount", str(modern.path))
    done = subprocess.run(
        ["unshare", "-Ur", "sh", "-c", refuse, "sh", *memfs_exec, "--", "echo", "ran"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        "memfs: no namespace for echo: unshare: No space left on device\n"
    )


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
    wanted = (
        *("tools/testing/selftests/memory-hotplug", "tools/vm", "tools/lib/api"),
        *("tools/include", "include/uapi/linux"),
    )
    source = where / "linux-source-6.1"
    if not all((source / name).is_dir() for name in wanted):
        where.mkdir(parents=True, exist_ok=True)
        names = [f"{source.name}/{name}" for name in wanted]
        archive = "/usr/src/linux-source-6.1.tar.xz"
        run("tar", "-C", str(where), "-xf", archive, *names, patience_s=300)
    return source / "tools"


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


# What is asked of proc/ by programs of all kinds.


def test_node_exporter(modern):
    """Every collector of memory succeeds; what it says adds up."""
    port = free_port()
    names = "meminfo meminfo_numa zoneinfo buddyinfo vmstat stat loadavg slabinfo"
    names += " pressure diskstats cpu"
    command = [
        "prometheus-node-exporter",
        f"--path.procfs={modern.path}/proc",
        f"--path.sysfs={modern.path}/sys",
        "--collector.disable-defaults",
        *(f"--collector.{name}" for name in names.split()),
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    with background(command):
        text = wait_until(lambda: fetch(f"http://127.0.0.1:{port}/metrics"))

    done = re.findall(r'node_scrape_collector_success\{collector="(\w+)"\} (\d)', text)
    assert dict(done) == dict.fromkeys(names.split(), "1")
    values = dict(re.findall(r"^(node_mem\S+) (\S+)$", text, re.M))
    total = float(values["node_memory_MemTotal_bytes"])
    nodes = [
        float(values[f'node_memory_numa_MemTotal{{node="{nid}"}}']) for nid in range(3)
    ]
    assert total == sum(nodes) == 4012912 * 1024


def test_scrapes_while_a_node_goes_and_comes(hotplug):
    """No scrape finds half of a node: every one succeeds, with all nodes that are."""
    port = free_port()
    names = ("meminfo", "meminfo_numa", "zoneinfo", "buddyinfo", "vmstat")
    command = [
        "prometheus-node-exporter",
        f"--path.procfs={hotplug.path}/proc",
        f"--path.sysfs={hotplug.path}/sys",
        "--collector.disable-defaults",
        *(f"--collector.{name}" for name in names),
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    seen = set()
    with background(command):
        wait_until(lambda: fetch(f"http://127.0.0.1:{port}/metrics"))
        over = hotplug.client(
            "set -e; for i in $(seq 25); do"
            " for c in 'disable node 2' 'unplug 2' 'plug 2' 'enable node 2';"
            ' do echo "$c" > $M/memhotplug; done; done'
        )
        while over.poll() is None:
            text = fetch(f"http://127.0.0.1:{port}/metrics")
            found = r'scrape_collector_success\{collector="(\w+)"\} (\d)'
            assert dict(re.findall(found, text)) == dict.fromkeys(names, "1")
            seen.add(len(re.findall(r"^node_memory_numa_MemTotal", text, re.M)))
    assert over.returncode == 0
    assert seen <= {2, 3}
    assert 3 in seen


def free_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def fetch(url):
    """What is at *url*, or nothing while nobody answers."""
    try:
        with urllib.request.urlopen(url, timeout=PATIENCE_S) as answer:
            return answer.read().decode()
    except OSError:
        return ""


@contextlib.contextmanager
def background(command):
    """A program that runs as long as the block does."""
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        yield process
    finally:
        process.terminate()
        process.wait()


def test_psutil(modern):
    """By its own root switch, in a process of its own."""
    script = (
        "import psutil, json, sys\n"
        "psutil.PROCFS_PATH = sys.argv[1]\n"
        "v, s = psutil.virtual_memory(), psutil.swap_memory()\n"
        "psutil.cpu_stats(), psutil.cpu_times(percpu=True)\n"
        "print(json.dumps([v.total, v.available, s.total, psutil.boot_time()]))\n"
    )
    text = run(sys.executable, "-W", "error", "-c", script, f"{modern.path}/proc")
    total, available, swap, boot = json.loads(text)

    assert total == 4012912 * 1024
    assert available == 3870208 * 1024
    assert swap == 4194300 * 1024
    assert boot > 1.6e9


def test_pcp(modern, pcp):
    """pminfo with the Linux agent in its own process."""
    metrics = "mem.numa.util.total mem.physmem mem.zoneinfo.present hinv.nnode"
    metrics += " mem.vmstat.pgfault mem.buddyinfo.pages swap.length"
    agent = pcp / "usr/lib/pcp/pmdas/linux/pmda_linux.so"
    text = run(
        str(pcp / "usr/bin/pminfo"),
        *("-L", "-K", "clear", "-K", f"add,60,{agent},linux_init"),
        *("-n", str(pcp / "usr/lib/pcp/pmns/root_linux"), "-f", *metrics.split()),
        env={
            "LINUX_STATSPATH": str(modern.path),
            "PCP_BINADM_DIR": str(pcp / "usr/lib/pcp/bin"),
        },
    )

    assert 'inst [1 or "node1"] value 1032016' in text
    assert re.search(r"mem.physmem\s+value 4012912", text)
    assert '"Normal::node2"] value 1048576' in text
    assert re.search(r"hinv.nnode\s+value 3", text)


@pytest.fixture(scope="session")
def pcp():
    """PCP, unpacked: its package cannot be configured without systemd."""
    where = ROOT / "build" / "pcp"
    assert (where / "usr/bin/pminfo").exists(), "scripts/setup --test unpacks pcp"
    return where


def test_sar(modern):
    """Memory, paging and swapping of one interval."""
    text = inside(modern, "sar", "-r", "ALL", "-B", "-W", "-S", "-H", "1", "1")

    assert re.search(r"kbmemfree +kbavail", text)
    assert re.search(r"^Average: +4012912 +3870208 ", text, re.M)
    assert "pgscank/s" in text
    assert "pswpin/s" in text


def test_htop(modern):
    """It draws its meters on a terminal."""
    where = (sys.executable, "-m", "memfs", "exec", "--mount", str(modern.path))
    meters = ("3.83G", "Tasks:")
    text = draws((*where, "--", "htop", "--no-color"), meters, PATIENCE_S)

    assert all(meter in text for meter in meters), text[-2000:]


def test_slabtop_and_atop(modern):
    """One round each."""
    assert "radix_tree_node" in inside(modern, "slabtop", "-o")
    lines = inside(modern, *ATOP, "-P", "MEM,SWP,PAG,NUM", "1", "1").split("\n")
    # Label, host, two times, interval; then the figures, in pages.
    rows = [line.split() for line in lines if line.count(" ") > 6]
    figures = {words[0]: words[6:] for words in rows if words[0] != "NUM"}
    assert figures["MEM"][:3] == ["4096", "1003228", "1003228"]
    assert figures["SWP"][:3] == ["4096", "1048575", "1048575"]
    assert figures["PAG"][0] == "4096"
    nodes = [words[6:] for words in rows if words[0] == "NUM"]
    assert [words[:2] for words in nodes] == [[nid, "4096"] for nid in "012"]
    assert [words[3] for words in nodes] == ["487931", "258004", "257293"]


def test_page_types(hotplug, kernel_source, tmp_path):
    """The kernel's page-types counts what kpageflags says of each page."""
    binary = tmp_path / "page-types"
    lib = kernel_source / "lib"
    run(
        *("gcc", "-w", "-o", str(binary), str(kernel_source / "vm" / "page-types.c")),
        *(f"-I{path}" for path in (kernel_source / "include", lib, lib / "api")),
        *(str(lib / "api" / name) for name in ("fs/fs.c", "debug.c")),
    )
    text = inside(hotplug, str(binary))

    rows = [line.split() for line in text.splitlines()[1:]]
    pages = {
        row[4] if len(row) > 4 else "": int(row[1]) for row in rows if len(row) > 3
    }
    assert pages["nopage"] == 1572864 - 1048443
    assert sum(pages.values()) == 1572864


AVOCADO = """
from avocado.utils import memory as m
state = '/sys/devices/system/memory/memory33/state'
assert m.check_hotplug()
assert m.is_hot_pluggable('memory33')
m.hotunplug('memory33')
assert open(state).read() == 'offline\\n'
assert m.memtotal() == 4012912 - 131072
m.hotplug('memory33')
assert open(state).read() == 'online\\n'
try:
    m.hotunplug('memory0')
except OSError as error:
    assert error.errno == 22, error
else:
    raise AssertionError('memory0 went')
assert m.numa_nodes() == m.numa_nodes_with_memory() == [0, 1, 2]
assert m.node_size() == 4012912 * 1024 / 3, m.node_size()
assert m.memtotal() == m.MemInfo().MemTotal.k == 4012912
assert m.memtotal_sys() == 32 << 17, m.memtotal_sys()
assert m.freememtotal() == m.read_from_meminfo('MemFree')
assert m.get_page_size() == 4096
assert m.get_huge_page_size() == 2048
m.set_num_huge_pages(12)
assert m.get_num_huge_pages() == 12
assert m.read_from_vmstat('htlb_buddy_alloc_success') == 12
m.set_num_huge_pages(0)
m.drop_caches()
assert m.read_from_vmstat('drop_pagecache') == 1
assert m.get_buddy_info('>=0')['10'] > 900
print('done')
"""


def test_avocado(hotplug):
    """Its memory utilities plug, unplug, count, and hear of refusals."""
    assert inside(hotplug, sys.executable, "-c", AVOCADO).strip() == "done"


def test_sysctl_and_swapon(modern):
    """Settings by sysctl(8), the swap area by swapon(8)."""
    assert "vm.swappiness = 60" in inside(modern, "sysctl", "-a", "-r", "^vm")
    assert inside(modern, "swapon", "--show=NAME,SIZE", "--noheadings").split() == [
        "/swap", "4G"
    ]  # fmt: skip
