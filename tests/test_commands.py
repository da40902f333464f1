"""The grammar of memhotplug, and who takes nodes and who takes zones."""

import errno
from types import SimpleNamespace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from memfs import commands
from memfs.commands import Command
from memfs.vm.errors import VmError

names = st.sampled_from([row.name for row in commands.TABLE])
numbers = st.integers(0, commands.MAX_NUMBER)


def machine(gate_takes="node", nodes=range(4), zones=(0, 1, 5, 6)):
    """What dialects depend on, of layout 2004 if nothing else is said."""
    return SimpleNamespace(
        rules=SimpleNamespace(gate_takes=gate_takes),
        nodes=dict.fromkeys(nodes),
        zones=dict.fromkeys(zones),
    )


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"disable 5", Command("disable", 5)),
        (b"disable 5\n", Command("disable", 5)),
        (b"purge 0x5\n", Command("purge", 5)),
        (b"purge 05", Command("purge", 5)),
        (b"purge 010", Command("purge", 8)),
        (b"plug 0", Command("plug", 0)),
        (b"disable node 1", Command("disable", 1, "node")),
        (b"enable zone 5\n", Command("enable", 5, "zone")),
        (b"remap 5 to 2", Command("remap", 5, "", 2)),
        (b"remap zone 5 to 0x2\n", Command("remap", 5, "zone", 2)),
        (b"remap 5 check", Command("remap", 5, "", None, "check")),
        (b"remap zone 5 to 1 nowait", Command("remap", 5, "zone", 1, "nowait")),
        (b"inuse 4294967295", Command("inuse", 4294967295)),
    ],
)
def test_what_is_a_command(data, expected):
    """A word, perhaps node or zone, and a number as C writes it."""

    assert expected == commands.parse(data)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"\n", "''"),
        (b"disable", "the number is missing"),
        (b"disable ", "one blank"),
        (b"disable  5", "one blank"),
        (b" disable 5", "one blank"),
        (b"disable 5 ", "one blank"),
        (b"disable 5\n\n", "more than one line; one command a write"),
        (b"disable 1\nremap 5\n", "more than one line; one command a write"),
        (b"disable\t5", "printable"),
        (b"disable 5\0", "printable"),
        (b"disable 5\x1f", "printable"),
        (b"disable 5\x7f", "printable"),
        (b"disable ~", "'~' is no number"),
        (b"disable \xd9\xa5", "printable"),
        (b"disable five", "'five' is no number"),
        (b"disable 5x", "'5x' is no number"),
        (b"disable 08", "'08' is no number"),
        (b"disable -1", "'-1' is no number"),
        (b"disable +1", "'+1' is no number"),
        (b"disable 1_0", "'1_0' is no number"),
        (b"disable 0b1", "'0b1' is no number"),
        (b"disable 4294967296", "out of range"),
        (b"disable 99999999999999999999", "out of range"),
        (b"disable 5 6", "'6' is too much"),
        (b"disable zone", "the number is missing"),
        (b"disable cpu 1", "'1' is too much"),
        (b"plug zone 1", "takes a node"),
        (b"purge node 1", "takes a zone"),
        (b"purge 5 to 1", "too much"),
        (b"remap 5 to", "'to' is too much"),
        (b"remap 5 check nowait", "'check' is too much"),
        (b"remap check", "'check' is no number"),
        (b"purge 5 check", "'check' is too much"),
        (b"remap 5 to x", "'x' is no number"),
        (b"explode 5", "no command 'explode'"),
        (b"Disable 5", "no command 'Disable'"),
        (b"disable 5" + b" " * 55, "64 bytes, at most 63; one command a write"),
        (b"purge 5\n" * 100, "800 bytes, at most 63; one command a write"),
    ],
)
def test_what_is_none(data, said):
    """It is EINVAL, and the message says what was found."""
    with pytest.raises(VmError) as raised:
        commands.parse(data)

    assert raised.value.errno == errno.EINVAL
    assert said in raised.value.message


def test_nothing_is_no_command_and_no_error():
    """A write of 0 bytes succeeds and does nothing."""

    assert commands.parse(b"") is None


def test_the_longest_command_is_taken():
    """63 bytes are, with the newline."""
    longest = b"remap zone 0x" + b"5".zfill(49) + b"\n"

    assert len(longest) == 63
    assert Command("remap", 5, "zone") == commands.parse(longest)


@given(names, numbers, st.sampled_from(["{}", "{:#x}", "0{:o}"]))
def test_a_number_is_read_as_c_writes_it(name, number, form):
    """Decimal, hexadecimal, octal."""
    text = f"{name} {form.format(number)}"

    assert Command(name, number) == commands.parse(text.encode())


@given(names, numbers)
def test_a_command_is_read_as_it_is_printed(name, number):
    """str() of a command is what kmsg says; it can be written again."""
    command = Command(name, number)

    assert command == commands.parse(str(command).encode())


@given(st.binary(max_size=80))
@example(b"disable \x00")
@example(b"disable \xff")
def test_any_bytes_are_a_command_or_an_errno(data):
    """Nothing but a VmError with EINVAL comes out of the parser."""
    check_any_bytes(data)


def check_any_bytes(data):
    refusal = None
    try:
        command = commands.parse(data)
    except VmError as error:
        refusal = error
    if refusal is None:
        assert command is None or command.verb in commands.BY_NAME
    else:
        assert refusal.errno == errno.EINVAL
        assert refusal.message.isprintable()


@given(names, st.text(alphabet=" 0123456789abxnodezt\n-", max_size=60))
def test_anything_after_a_verb_is_a_command_or_an_errno(name, rest):
    """The same for what looks almost right."""
    check_any_bytes(f"{name} {rest}".encode())


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("plug 2", "node"),
        ("unplug 1", "node"),
        ("purge 5", "zone"),
        ("remap 5", "zone"),
        ("inuse 1", "zone"),
        ("disable 1", "node"),
        ("enable 3", "node"),
        ("disable 5", "zone"),
        ("enable 6", "zone"),
        ("disable 11", "node"),
        ("disable 4", "node"),
        ("disable zone 1", "zone"),
        ("disable node 1", "node"),
        ("disable node 5", "node"),
    ],
)
def test_who_takes_what_in_2004(text, kind):
    """Gates are of nodes; a number that is no slot but is a zone means the zone."""

    assert kind == commands.kind_of(machine(), commands.parse(text.encode()))


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("disable 1", "zone"),
        ("enable 5", "zone"),
        ("disable node 1", "node"),
        ("plug 1", "node"),
        ("purge 5", "zone"),
    ],
)
def test_who_takes_what_in_2003(text, kind):
    """Gates are of zones."""
    machine_2003 = machine("zone", range(3), (0, 1, 2, 5, 8))

    assert kind == commands.kind_of(machine_2003, commands.parse(text.encode()))


@pytest.mark.parametrize("text", ["disable 11", "purge 4", "plug 4", "inuse 11"])
def test_what_is_not_there_is_enodev(text):
    """Whatever the command, a node or zone that is not there is ENODEV."""
    with pytest.raises(VmError) as raised:
        commands.start(machine(), commands.parse(text.encode()))

    assert raised.value.errno == errno.ENODEV


def test_every_row_of_the_table_does_what_it_takes():
    """A row for nodes has a node operation, one for gates both, and so on."""
    wanted = {"node": (True, False), "zone": (False, True), "gate": (True, True)}
    for row in commands.TABLE:
        has = (row.node is not None, row.zone is not None)

        assert wanted[row.takes] == has, row.name


def test_a_report_names_ten_pages():
    """Kinds that there are by name, then the first ten pfns; no line without any."""
    said = []
    zone = SimpleNamespace(name="Normal")
    fake = SimpleNamespace(zones={5: zone}, klog=SimpleNamespace(add=said.append))
    found = SimpleNamespace(kinds={"file": 9, "anon": 3, "huge": 0}, pfns=range(12))
    commands.report(fake, 5, "in use", found)
    commands.report(fake, 5, "active", SimpleNamespace(kinds={}, pfns=()))

    assert said == [
        "Normal[5]: 12 pages in use",
        "  anon 3",
        "  file 9",
        "  first pages: 0 1 2 3 4 5 6 7 8 9",
        "Normal[5]: 0 pages active",
    ]
