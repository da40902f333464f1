"""The texts of the mount's files, for the figures of the 2004 mail."""

import pytest
from fakes import S1_ZONES, FakeMachine, fake_mount, text_of

# T. Iwamoto, LKML 2004-04-06; the TAB and the line after the last node, which his
# mail lost, from va-proc_memhotplug.patch v1.14 (H. Takahashi, LKML 2004-07-14).
S1_LISTING = """\
Node 0 enabled nonhotremovable
\tDMA[0]: free 250, active 940, present 4096
\tNormal[1]: free 307, active 101623, present 126976

Node 1 enabled hotremovable
\tNormal[5]: free 336, active 9287, present 83968
\tHighMem[6]: free 88, active 14406, present 45056

"""


# mm/page_alloc.c vmstat_text[], Linux 2.6.0.
VMSTAT_2_6_0 = """
nr_dirty nr_writeback nr_unstable nr_page_table_pages nr_mapped nr_slab
pgpgin pgpgout pswpin pswpout pgalloc pgfree pgactivate pgdeactivate pgfault
pgmajfault pgscan pgrefill pgsteal pginodesteal kswapd_steal
kswapd_inodesteal pageoutrun allocstall pgrotated
"""


@pytest.fixture
def mount():
    return fake_mount()


def test_the_listing_is_the_one_of_the_mail(mount):
    """Byte for byte, for his figures."""

    assert text_of(mount, "memhotplug") == S1_LISTING


def test_a_node_is_disabled_when_all_its_zones_are():
    """One open gate is enough for `enabled`; free is what the lists hold."""
    machine = FakeMachine()
    machine.stats[5] = machine.stats[5]._replace(open=False)
    mount = fake_mount(machine)

    assert text_of(mount, "memhotplug") == S1_LISTING

    machine.stats[6] = machine.stats[6]._replace(open=False)
    machine.version += 1

    expected = S1_LISTING.replace("Node 1 enabled", "Node 1 disabled")
    assert text_of(mount, "memhotplug") == expected


def test_meminfo_is_in_the_form_of_2_6(mount):
    """Names padded to 14, kB in 8 columns, in the order of meminfo_read_proc()."""
    lines = text_of(mount, "meminfo").splitlines()

    assert lines[:4] == [
        "MemTotal:      1040384 kB",
        "MemFree:          3924 kB",
        "Buffers:             0 kB",
        "Cached:        1036460 kB",
    ]
    assert [line.split(":")[0] for line in lines] == (
        "MemTotal MemFree Buffers Cached SwapCached Active Inactive HighTotal HighFree "
        "LowTotal LowFree SwapTotal SwapFree Dirty Writeback Mapped Slab Committed_AS "
        "PageTables VmallocTotal VmallocUsed VmallocChunk"
    ).split()


def test_a_closed_gate_hides_free_pages_from_the_accounting_files():
    """MemFree leaves them out, MemTotal and the listing do not."""
    machine = FakeMachine()
    machine.stats[5] = machine.stats[5]._replace(open=False)
    mount = fake_mount(machine)

    assert "MemTotal:      1040384 kB" in text_of(mount, "meminfo")
    assert f"MemFree:      {(981 - 336) * 4:8} kB" in text_of(mount, "meminfo")
    assert "Normal[5]: free 336," in text_of(mount, "memhotplug")
    assert "Normal    336 " in text_of(mount, "buddyinfo")


def test_zoneinfo(mount):
    """One part a zone, with its marks."""

    assert text_of(mount, "zoneinfo").split("Node ")[3] == (
        "1, zone   Normal\n"
        "  pages free     336\n"
        "        min      99\n"
        "        low      198\n"
        "        high     297\n"
        "        active   9287\n"
        "        inactive 74345\n"
        "        scanned  0\n"
        "        spanned  83968\n"
        "        present  83968\n"
        "        managed  83968\n"
        "        protection: (0, 0, 0)\n"
        "  pagesets\n"
        "              count: 0\n"
        "              batch: 1\n"
        "  all_unreclaimable: 0\n"
        "  prev_priority:     12\n"
        "  temp_priority:     12\n"
        "  start_pfn:         4096\n"
    )


def test_buddyinfo(mount):
    """Blocks of each order, 6 columns each."""
    first = text_of(mount, "buddyinfo").splitlines()[0]

    assert first == "Node 0, zone      DMA    250" + "      0" * 10 + " "


def test_vmstat_begins_as_2_6_0_printed_it(mount):
    """The list of 2.6.0 in its order, then what else is counted."""
    names = [line.split()[0] for line in text_of(mount, "vmstat").splitlines()]

    assert names[:25] == VMSTAT_2_6_0.split()
    assert names[25:] == ["pgcow"]
    assert "pgfault 7\n" in text_of(mount, "vmstat")


def test_swaps(mount):
    """One area; the header alone where there is none."""
    header = "Filename\t\t\t\tType\t\tSize\tUsed\tPriority\n"

    assert text_of(mount, "swaps").startswith(header)
    assert text_of(mount, "swaps").split("\n")[1].split() == [
        "/dev/swap", "partition", "1048576", "0", "-1"
    ]  # fmt: skip

    mount.machine.swap = mount.machine.swap._replace(total=0)
    mount.machine.version += 1
    assert text_of(mount, "swaps") == header


def test_numastat(mount):
    """Six lines; a node's figures are the sum of its zones'."""

    assert text_of(mount, "node1/numastat") == (
        "numa_hit 11\nnuma_miss 11\nnuma_foreign 11\n"
        "interleave_hit 11\nlocal_node 11\nother_node 11\n"
    )


def test_a_nodes_meminfo(mount):
    """Every line begins with the node."""

    assert text_of(mount, "node1/meminfo").startswith(
        "Node 1 MemTotal:       516096 kB\n"
        "Node 1 MemFree:          1696 kB\n"
        "Node 1 MemUsed:        514400 kB\n"
    )


def pages(text, name):
    """Sum of a zoneinfo field over all zones, pages."""
    return sum(int(line.split()[-1]) for line in text.splitlines() if name in line)


@pytest.mark.parametrize("closed", [(), (5,), (0, 1, 5, 6)])
def test_sums_agree(closed):
    """Machine = sum of nodes = sum of zones, whatever gates are closed."""
    machine = FakeMachine(S1_ZONES)
    for zid in closed:
        machine.stats[zid] = machine.stats[zid]._replace(open=False)
    mount = fake_mount(machine)
    whole = kb_of(text_of(mount, "meminfo"))
    nodes = [kb_of(text_of(mount, f"node{nid}/meminfo")) for nid in (0, 1)]
    zones = text_of(mount, "zoneinfo")

    for name in nodes[0]:
        if name != "MemUsed":
            assert whole[name] == sum(node[name] for node in nodes), name
    assert whole["MemTotal"] == 4 * pages(zones, "managed")
    assert whole["MemFree"] == 4 * pages(zones, "pages free")
    assert whole["Active"] == 4 * pages(zones, " active ")
    both = [text_of(mount, f"node{nid}/zoneinfo") for nid in (0, 1)]
    assert "".join(both) == zones


def kb_of(text):
    """kB by name; the node in front of the name is left out."""
    rows = [line.removesuffix(" kB").split(":") for line in text.splitlines()]
    return {name.split()[-1]: int(value) for name, value in rows}


def test_the_listing_of_2003_is_by_zone():
    """A line a zone; a closed gate does not show."""
    zones = (
        (0, 0, 0, 100, 1, 4096, (4, 8, 12)),
        (5, 1, 2, 262144, 0, 262144, (128, 256, 384)),
    )
    mount = fake_mount(FakeMachine(zones, column="2.6.0", name="2003"))

    assert text_of(mount, "memhotplug") == (
        "Zone 0: free 100, active 1, present 4096\n"
        "Zone 5: free 262144, active 0, present 262144\n"
    )
