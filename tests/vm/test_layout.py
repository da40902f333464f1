"""Machine files: what they say, and what is said about their mistakes."""

from __future__ import annotations

import pytest

from memfs.vm import Layout, LayoutError

NODE = '[[node]]\nsize = "64M"\n'


def test_2004_is_the_machine_of_the_announcement():
    """Two nodes of 512 MiB, two empty slots; 8 MiB of a later node are its mem_map."""
    layout = Layout.builtin("2004")

    assert layout.kernel == "2.6.7"
    assert [node.pages for node in layout.nodes] == [131072] * 4
    assert [node.mem_map for node in layout.nodes] == [0, 2048, 2048, 2048]
    assert [node.plugged for node in layout.nodes] == [True, True, False, False]
    assert [node.removable for node in layout.nodes] == [False, True, True, True]
    assert layout.lowmem == 215040


def test_defaults_fill_in_everything_but_the_nodes():
    """A node with a size is a whole machine file."""
    layout = Layout.parse(NODE, "mine")

    assert layout.name == "mine"
    assert layout.cpus == 1
    assert layout.swap_pages == 64 * 256
    assert layout.block_pages == 2048
    assert layout.distances == ((10,),)
    assert layout.nodes[0].cpus == (0,)


def test_nodes_lie_one_behind_the_other_or_where_they_say():
    """`start` leaves a hole; without it a node begins where the last one ended."""
    layout = Layout.parse(NODE + '[[node]]\nsize="64M"\nstart="4G"\n' + NODE)

    assert [node.start_pfn for node in layout.nodes] == [0, 1 << 20, (1 << 20) + 16384]


def test_cpus_go_to_the_node_that_claims_them():
    """Node 0 has the CPUs that no node claims."""
    layout = Layout.parse("cpus = 3\n" + NODE + NODE + "cpus = [1]\n")

    assert [node.cpus for node in layout.nodes] == [(0, 2), (1,)]


def test_a_short_distance_table_is_filled_up():
    """Slots behind the table are 20 away, and 10 from themselves."""
    layout = Layout.parse("distances = [[10, 15], [15, 10]]\n" + NODE * 3)

    assert layout.distances == ((10, 15, 20), (15, 10, 20), (20, 20, 10))


@pytest.mark.parametrize(
    ("text", "line", "key"),
    [
        ("", 0, "node"),
        ("nonsense\n", 1, ""),
        ("name = \n" + NODE, 1, "name"),
        ("cpus = 1\ncpus = 2\n" + NODE, 2, "cpus"),
        (NODE + "cpus = [0,\n", 3, "cpus"),
        ("\n[node]\nsize = 1\n", 2, "node"),
        ("\n[block]\nsize = 1\n" + NODE, 2, "block"),
        (NODE + "\n[[node.zones]]\nspanned = 5\n" + NODE, 4, "zones"),
        (NODE + "[[node.zones]]\nsize = 5\n" + NODE + "swap = 1\n", 3, "zones"),
        (NODE + "cpus = [0, 0]\n", 3, "cpus"),
        ("bogus = 1\n" + NODE, 1, "bogus"),
        ("name = 1\n" + NODE, 1, "name"),
        ('kernel = "2.4.0"\n' + NODE, 1, "kernel"),
        ('lowmem = "12X"\n' + NODE, 1, "lowmem"),
        ('block = "12M"\n' + NODE, 1, "block"),
        ("cpus = 0\n" + NODE, 1, "cpus"),
        ("cpus = true\n" + NODE, 1, "cpus"),
        ("swap = -1\n" + NODE, 1, "swap"),
        ("min_free_kbytes = 99999999\n" + NODE, 1, "min_free_kbytes"),
        ("distances = [[10, 20]]\n" + NODE * 2, 1, "distances"),
        ("distances = [[11]]\n" + NODE, 1, "distances"),
        ("distances = [10]\n" + NODE, 1, "distances"),
        ('rules_off = ["oom"]\n' + NODE, 1, "rules_off"),
        ("\n[[node]]\n", 2, "size"),
        (NODE + "frobnicate = 1\n", 3, "frobnicate"),
        ('[[node]]\nsize = "1M"\n', 2, "size"),
        ('[[node]]\nsize = "6M"\n', 2, "size"),
        ('[[node]]\nsize = "2T"\n', 2, "size"),
        ("[[node]]\nsize = []\n", 2, "size"),
        (NODE + "plugged = false\n", 3, "plugged"),
        (NODE + "enabled = false\n", 3, "enabled"),
        (NODE + "removable = true\n", 3, "removable"),
        (NODE + 'mem_map = "64M"\n', 3, "mem_map"),
        (NODE + '[[node]]\nsize = "4M"\nstart = "8M"\n', 5, "start"),
        (NODE + '[[node]]\nsize = "1T"\n', 4, "size"),
        (NODE + "cpus = [1]\n", 3, "cpus"),
        ("cpus = 2\n" + NODE + NODE + "cpus=[1]\n" + NODE + "cpus=[1]\n", 9, "cpus"),
        (NODE + "zones = [1]\n", 3, "zones"),
        (NODE + 'zones = [{type = "Normal", spanned = 1}]\n', 3, "zones"),
        (
            NODE + 'zones = [{type="Normal",spanned=1024,present=1025,managed=1}]\n',
            3,
            "zones",
        ),
        (
            NODE + 'zones = [{type="Odd",spanned=1024,present=1024,managed=1}]\n',
            3,
            "zones",
        ),
        (
            NODE + 'zones = [{type="Normal",spanned=16385,present=9,managed=1}]\n',
            3,
            "zones",
        ),
        ("node = 1\n", 1, "node"),
        ("\nnode = [3]\n", 2, "node"),
        ("# deep\ncpus = " + "[" * 5000 + "]" * 5000 + "\n" + NODE, 2, ""),
        ('name = "a\\nb"\n' + NODE, 1, "name"),
        (NODE + "\n[[block]]\nnumber = 0\n", 4, "block"),
        (NODE + f"mem_map = {list(range(9999))}\n", 3, "mem_map"),
        (NODE * 65, 129, "node"),
    ],
)
def test_a_mistake_names_its_line_and_key(text, line, key):
    """Every mistake is a LayoutError, EINVAL, that says where it is."""
    with pytest.raises(LayoutError) as caught:
        Layout.parse(text)

    assert (caught.value.line, caught.value.key) == (line, key)
    assert caught.value.name == "EINVAL"
    assert len(str(caught.value)) < 500


def test_a_wrong_key_of_a_zone_is_named_before_one_that_is_missing():
    """Who misspells a key did not leave it out."""
    with pytest.raises(LayoutError, match="line 3, zones: unknown key 'presnt'"):
        Layout.parse(NODE + 'zones = [{type="Normal",spanned=1,presnt=1,managed=1}]\n')


def test_an_unknown_builtin_names_those_that_are_there():
    """A wrong name is answered with the right ones."""
    with pytest.raises(LayoutError, match="2003, 2004"):
        Layout.builtin("1999")


def test_a_file_that_cannot_be_read_is_a_layout_error(tmp_path):
    """No file, a directory, bytes that are no text, what has no end."""
    (tmp_path / "binary").write_bytes(b"\xff\xfe")

    for name in ("missing", ".", "binary", "/dev/zero"):
        with pytest.raises(LayoutError):
            Layout.load(tmp_path / name)


def test_load_names_a_machine_after_its_file(tmp_path):
    """`name` in the file wins over the file's own."""
    (tmp_path / "box.toml").write_text(NODE)
    (tmp_path / "other.toml").write_text('name = "mine"\n' + NODE)

    assert Layout.load(tmp_path / "box.toml").name == "box"
    assert Layout.load(tmp_path / "other.toml").name == "mine"


@pytest.mark.parametrize(
    ("text", "pages"),
    [
        ('swap = "1T"\n' + NODE, (1 << 28) - 1),
        ("swap = 1099511623680\n" + NODE, (1 << 28) - 1),
        ("swap = 1099511619584\n" + NODE, (1 << 28) - 2),
        ('kernel = "6.1"\n[[node]]\nsize = "1T"\n', (1 << 28) - 1),
    ],
)
def test_the_most_swap(text, pages):
    """A page less than there are numbers: one of them says that there is no slot."""
    assert Layout.parse(text).swap_pages == pages
