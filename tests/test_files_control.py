"""Commands and control files: what they take, refuse, and say in the kernel log."""

import errno
import os

import pytest
from fakes import FakeMachine, fake_mount, text_of, write
from hypothesis import given, settings
from hypothesis import strategies as st

from memfs.files import TABLE, disk
from memfs.tree import Interrupt, TreeError
from memfs.vm.sched import Until


@pytest.fixture
def mount():
    return fake_mount()


async def refused(mount, path, data):
    """The errno of a write that must be refused, and its line in the kernel log."""
    lines = mount.machine.klog.count
    with pytest.raises(TreeError) as raised:
        await write(mount, path, data)

    assert mount.machine.klog.count == lines + 1, "one line in the kernel log"
    return raised.value.errno, mount.machine.klog.text().splitlines()[-1]


async def test_a_command_is_carried_out(mount):
    """The write returns when it is done, with what was written."""

    assert await write(mount, "memhotplug", "disable 1\n") == 10
    assert "Node 1 disabled" in text_of(mount, "memhotplug")


async def test_a_bare_number_may_mean_a_zone(mount):
    """disable 5; purge 5: on the machine of 2004, too."""
    await write(mount, "memhotplug", "disable 5")
    await write(mount, "memhotplug", "purge 5")

    assert not mount.machine.stats[5].open
    assert mount.machine.stats[6].open
    assert mount.machine.done == [5]


@pytest.mark.parametrize(
    ("data", "code", "line"),
    [
        ("unplug 1\n", errno.EBUSY, "unplug 1: 336 pages still in use (EBUSY)"),
        ("plug 1", errno.EEXIST, "plug 1: node 1 is plugged (EEXIST)"),
        ("disable 11", errno.ENODEV, "disable 11: there is no node 11 (ENODEV)"),
        ("purge 9", errno.ENODEV, "purge 9: there is no zone 9 (ENODEV)"),
        ("junk 1\n", errno.EINVAL, "junk 1: no command 'junk'"),
        (b"disable\0 5", errno.EINVAL, "'disable\\x00 5': not printable ASCII"),
        ("x" * 64, errno.EINVAL, "64 bytes, at most 63; one command a write"),
        ("x" * 200_000, errno.EINVAL, "200000 bytes, at most 63; one command a write"),
        ("remap ", errno.EINVAL, "'remap ': words are apart by one blank"),
        ("disable 1\nremap 5\n", errno.EINVAL, "more than one line"),
        ("remap 9", errno.ENODEV, "remap 9: there is no zone 9 (ENODEV)"),
    ],
)
async def test_a_refused_command_says_why(mount, data, code, line):
    """An errno, one line in the kernel log, and nothing changed."""
    before = text_of(mount, "memhotplug")

    got, said = await refused(mount, "memhotplug", data)

    assert got == code
    assert f"memhotplug: {line}" in said or line in said
    assert text_of(mount, "memhotplug") == before


async def test_an_empty_write_succeeds_and_does_nothing(mount):
    """For every file that takes writes."""
    before = mount.machine.klog.count
    for row in TABLE:
        if row.store is not None:
            assert await write(mount, row.path, b"") == 0
    assert mount.machine.klog.count == before


async def test_a_signal_ends_a_command(mount):
    """EINTR, at the operation's next step."""
    interrupt = Interrupt()
    mount.pump.between = interrupt.set
    mount.machine.purge = lambda zid: (yield Until(10**18))

    with pytest.raises(TreeError) as raised:
        await write(mount, "memhotplug", "purge 5", interrupt)

    assert raised.value.errno == errno.EINTR


async def test_inuse_prints_a_histogram(mount):
    """Kinds that are there, and the first pages."""
    await write(mount, "memhotplug", "inuse 5")

    log = mount.machine.klog.text()
    assert "Normal[5]: 3 pages in use" in log
    assert "anon 3" in log
    assert "file" not in log
    assert "first pages: 7 8" in log


async def test_the_disk_keeps_what_is_not_given(mount):
    """Keys that are not given keep their value; what is read can be written."""
    before = text_of(mount, "control/disk")
    await write(mount, "control/disk", "latency=2ms swap.requests=4\n")

    assert mount.machine.disk.latency_ns == 2_000_000
    assert mount.machine.swap_disk.requests == 4
    assert text_of(mount, "control/disk") == before.replace(
        "latency=1ms\nbandwidth", "latency=2ms\nbandwidth", 1
    ).replace("swap.requests=128", "swap.requests=4")

    await write(mount, "control/disk", before)
    assert text_of(mount, "control/disk") == before


async def test_a_mistake_in_one_key_changes_none(mount):
    """All of a write is checked before anything is set."""
    before = text_of(mount, "control/disk")

    code, said = await refused(mount, "control/disk", "latency=2ms requests=0")

    assert code == errno.EINVAL
    assert "requests: 0 is not in 1 .. 2048 (EINVAL)" in said
    assert text_of(mount, "control/disk") == before


async def test_the_ways_of_a_migration_are_read_and_written(mount):
    """What is not named stays; what there is not is EINVAL and changes nothing."""
    first = "dirty=carry\nanon=direct\nmaps=restore\n"
    assert text_of(mount, "control/migration") == first
    await write(mount, "control/migration", "maps=lazy dirty=writeout\n")
    assert mount.machine.ways.maps == "lazy"
    for junk in ("dirty=carry maps=never", "self=1 dirty=carry", "anon="):
        code, _ = await refused(mount, "control/migration", junk)
        assert code == errno.EINVAL
    assert mount.machine.ways.dirty == "writeout"
    await write(mount, "control/migration", first)
    assert text_of(mount, "control/migration") == first


async def test_who_keeps_a_zone_is_asked_and_read(mount):
    """A line for each group; an answer is of the last question."""
    assert text_of(mount, "control/why").startswith("nothing was asked")
    await write(mount, "control/why", "zone=5\n")
    assert text_of(mount, "control/why") == (
        "zone=5 groups=1\n"
        'pages=16 reason=pinned kind=file holder="pipe of \\"8\\"" since=7 first=100'
        ' frees="its holder letting go"\n'
    )
    for junk, code in (
        ("zone=5 node=1", errno.EINVAL),
        ("cpu=1", errno.EINVAL),
        ("zone=77", errno.ENODEV),
    ):
        got, _ = await refused(mount, "control/why", junk)
        assert got == code
    assert text_of(mount, "control/why").startswith("zone=5 ")


async def test_a_write_to_compact_defragments_its_node(mount):
    """Whatever is written, as in Linux."""
    await write(mount, "node1/compact", "1\n")
    await write(mount, "node0/compact", "please")

    assert mount.machine.done == ["compact 1", "compact 0"]


async def test_a_manual_clock_is_moved():
    """By a time, or to a time; it never goes back."""
    mount = fake_mount(clock="manual")
    await write(mount, "control/clock", "advance=100ms")
    assert text_of(mount, "control/clock") == "now=100000000\nmode=manual\n"

    await write(mount, "control/clock", "to=2s\n")
    assert mount.machine.now == 2_000_000_000

    for data in ("to=1s", "advance=1ms to=3s", "advance=-1", "advance", "to=4x"):
        code, _ = await refused(mount, "control/clock", data)
        assert code == errno.EINVAL, data
    assert mount.machine.now == 2_000_000_000

    _, said = await refused(mount, "control/clock", "step=1")
    assert "no key 'step'; there are mode, advance, now, to" in said


async def test_the_wall_clock_is_not_moved(mount):
    """EPERM, for what would be right otherwise."""
    code, said = await refused(mount, "control/clock", "advance=1ms")

    assert code == errno.EPERM
    assert "the wall clock moves by itself" in said


async def test_the_clock_takes_back_what_it_shows():
    """The same values change nothing; now itself cannot be set; mode can."""
    mount = fake_mount(clock="manual")
    await write(mount, "control/clock", text_of(mount, "control/clock"))
    assert (await refused(mount, "control/clock", "now=5"))[0] == errno.EPERM
    assert (await refused(mount, "control/clock", "mode=5"))[0] == errno.EINVAL

    await write(mount, "control/clock", "mode=wall")
    assert not mount.pump.manual
    earlier = text_of(mount, "control/clock")
    mount.machine.sched.advance(mount.machine.now + 1000)
    await write(mount, "control/clock", earlier)
    assert (await refused(mount, "control/clock", "now=999999999s"))[0] == errno.EPERM
    assert (await refused(mount, "control/clock", "to=9s"))[0] == errno.EPERM
    await write(mount, "control/clock", "mode=manual to=9s")
    assert mount.machine.now == 9_000_000_000


async def test_validate_keeps_its_result(mount):
    """never, ok, then each violation; the write succeeds whatever was found."""
    assert text_of(mount, "control/validate").startswith("never run")

    await write(mount, "control/validate", "1\n")
    assert text_of(mount, "control/validate") == "ok\n"

    mount.machine.found = ["zone 5: 3 pages too few", "zone 6: lost"]
    await write(mount, "control/validate", "1")
    assert text_of(mount, "control/validate") == (
        "violations=2\nzone 5: 3 pages too few\nzone 6: lost\n"
    )


def sleep_for_ever():
    yield Until(10**18)


async def test_cancel_stops_one_operation(mount):
    """By the number that status shows; the machine's own work is not stopped."""
    sched = mount.machine.sched
    wanted = sched.spawn(sleep_for_ever(), name="purge 5")
    other = sched.spawn(sleep_for_ever(), name="purge 6")
    kswapd = sched.spawn(sleep_for_ever(), name="kswapd0", background=True)
    sched.round()
    assert f'running {wanted.id} "purge 5"' in text_of(mount, "status")

    await write(mount, "control/cancel", f"{wanted.id}\n")
    sched.round()

    assert wanted.done
    assert not other.done
    code, said = await refused(mount, "control/cancel", f"{wanted.id}")
    assert code == errno.ESRCH
    assert f"no operation {wanted.id} is running" in said
    code, _ = await refused(mount, "control/cancel", f"{kswapd.id}")
    assert code == errno.EPERM
    await write(mount, "control/cancel", "all")
    sched.round()
    assert other.done
    assert not kswapd.done


@pytest.mark.parametrize("data", ["", " ", "everything", "1 2", "-1", "0x1", "\0"])
async def test_cancel_takes_a_number_or_all(mount, data):
    """Nothing else."""
    if data:
        assert (await refused(mount, "control/cancel", data))[0] == errno.EINVAL


def test_pid_and_seed():
    """A number each."""
    mount = fake_mount(seed=7)

    assert text_of(mount, "control/pid") == f"{os.getpid()}\n"
    assert text_of(mount, "control/seed") == "7\n"


def test_status_tells_of_the_daemon(mount):
    """One fact a line."""
    mount.shim_missing = ("lseek",)

    assert text_of(mount, "status").splitlines() == [
        "machine name=2004 kernel=2.6.7 seed=0 version=1",
        "clock now=0 mode=wall",
        "host resident=10 dropped=2 spilled=0 returned=3 limit=1000",
        "client mapped=0 revoking=0 revoked=0",
        "core batch=32 prefetch=1 short_way=12",
        "shim missing=lseek",
    ]


def test_status_counts_why_pages_stay(mount):
    """Below the operation, reasons that have pages."""
    job = mount.machine.sched.spawn(sleep_for_ever(), name="purge 5")
    job.progress |= {"done": 3, "left": 4, "reasons": {"dirty": 4, "locked": 0}}

    lines = text_of(mount, "status").splitlines()[-2:]

    assert lines == [
        f'running {job.id} "purge 5" done=3 left=4 for=caller waiting=running',
        "  why dirty=4",
    ]


def test_status_tells_how_far_a_purge_is(mount):
    """Pages left in its zone now, and done since it began."""
    job = mount.machine.sched.spawn(sleep_for_ever(), name="purge 5")
    job.progress |= {"zone": 5, "name": "Normal[5]", "pages": 83968}

    assert text_of(mount, "status").splitlines()[-1] == (
        f'running {job.id} "purge 5" zone=5 name=Normal[5] pages=83968 left=83632 '
        "done=336 for=caller waiting=running"
    )


def test_every_disk_key_is_of_one_device():
    """Names are unique, and name what they are of."""
    names = [setting.key.name for setting in disk.TABLE]

    assert len(names) == len(set(names))
    disks = "latency bandwidth requests readahead"
    swaps = "swap.latency swap.bandwidth swap.requests"
    assert names == f"{disks} {swaps}".split()


# proc/ and sys/ are asked on a real mount: test_files_mount.py.
controls = st.sampled_from(
    [
        row.path
        for row in TABLE
        if row.store is not None and not row.path.startswith(("proc/", "sys/"))
    ]
)


@settings(max_examples=300)
@given(path=controls, data=st.binary(min_size=1, max_size=70))
async def test_any_bytes_give_success_or_an_errno_and_a_line(path, data):
    """Nothing else comes out of a write, and a refusal is in the kernel log."""
    mount = fake_mount(FakeMachine())
    before, refusal = mount.machine.klog.count, None
    try:
        assert await write(mount, path, data) == len(data)
    except TreeError as error:
        refusal = error
    if refusal is not None:
        assert refusal.errno in errno.errorcode
        assert mount.machine.klog.count > before
