"""``proc/sys/vm``: settings of the machine, one TABLE row each.

A setting that the model has is a name of ``memfs.vm.tunables``; one that it has not
is kept and shown, and has no effect (``acts`` is False: the README lists them).

Source: kernel/sysctl.c vm_table[], proc_dointvec_minmax(), Linux 6.1.
"""

from __future__ import annotations

import errno
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from memfs.files.row import Row, StoreRow
from memfs.files.sysfs import hugepages
from memfs.records import NamedTuple
from memfs.tree import TreeError
from memfs.vm.marks import min_free_kbytes
from memfs.vm.tunables import NAMES

if TYPE_CHECKING:
    from memfs.mount import Mount
    from memfs.tree import Caller, Interrupt

INT_MAX: Final = (1 << 31) - 1
ULONG_MAX: Final = (1 << 64) - 1
MAX_DIGITS: Final = 21  # of one number
PLACE: Final = "proc/sys/vm"
BLANKS: Final = " \t\n\v\f\r"
TOKEN: Final = re.compile(r"-?(?:0[xX][0-9a-fA-F]+|[0-9]+)")


class Number(NamedTuple):
    """A number that was read, and how much of the text it took."""

    value: int
    end: int


def number(text: str, at: int = 0) -> Number | None:
    """The next number of *text*, blanks around it included; None if there is none.

    Raises:
        TreeError: EINVAL what is no number, or one of too many digits.

    Source: kernel/sysctl.c proc_get_long(), Linux 6.1.
    """
    start = len(text) - len(text[at:].lstrip(BLANKS))
    if start == len(text):
        return None
    found = TOKEN.match(text, start)
    if not found or len(found[0]) > MAX_DIGITS:
        raise TreeError(errno.EINVAL, f"{text[start : start + 20]!a} is no number")
    end = found.end()
    if end < len(text) and text[end] not in BLANKS + "\0":
        raise TreeError(errno.EINVAL, f"{text[start : start + 20]!a} is no number")
    word = found[0]
    digits = word.lstrip("-")
    base = 16 if digits[:2] in ("0x", "0X") else 8 if digits[:1] == "0" else 10
    try:
        value = int(digits, base)
    except ValueError:
        raise TreeError(errno.EINVAL, f"{word!a} is no number") from None
    rest = text[end:]
    end += len(rest) - len(rest.lstrip(BLANKS))
    return Number(-value if word.startswith("-") else value, end)


class Knob(NamedTuple):
    """One setting that is one number.

    Attributes:
        low, high: what it may be; else EINVAL.
        default: of one that the model does not have.
        acts: it changes what the model does.
        unit: of the number.
    """

    name: str
    what: str
    low: int = 0
    high: int = INT_MAX
    default: int = 0
    acts: bool = True
    mode: int = 0o644
    unit: str = ""


TABLE: Final = (
    Knob("swappiness", "how readily pages of tasks are reclaimed", high=200),
    Knob("min_free_kbytes", "free memory that is kept back", unit="kB"),
    Knob("watermark_scale_factor", "distance of the marks", 1, 3000, unit="1/10000"),
    Knob(
        "watermark_boost_factor",
        "how far marks are raised when kernel pages get among users'",
        unit="1/10000",
    ),
    Knob(
        "percpu_pagelist_high_fraction",
        "share of a zone that its per-CPU lists may have; 0 or 8 and more",
        unit="1/n",
    ),
    Knob("dirty_background_ratio", "where write-back begins", high=100, unit="percent"),
    Knob("dirty_ratio", "where writers wait", high=100, unit="percent"),
    Knob("dirty_background_bytes", "the same in bytes", 1, ULONG_MAX, unit="bytes"),
    Knob("dirty_bytes", "the same in bytes", 8192, ULONG_MAX, unit="bytes"),
    Knob(
        "dirty_writeback_centisecs", "how often old data are looked for", unit="10 ms"
    ),
    Knob("dirty_expire_centisecs", "age at which data are old", unit="10 ms"),
    Knob("page-cluster", "slots that a swap-in reads, as a power of two", high=31),
    Knob(
        "overcommit_memory",
        "0 refuses what is absurd, 1 nothing, 2 what is over the limit",
        high=2,
    ),
    Knob("overcommit_ratio", "share of memory in the limit", unit="percent"),
    Knob("overcommit_kbytes", "the same in kB", 0, ULONG_MAX, unit="kB"),
    Knob("admin_reserve_kbytes", "kept back from the limit", 0, ULONG_MAX, unit="kB"),
    Knob("user_reserve_kbytes", "kept back from the limit", 0, ULONG_MAX, unit="kB"),
    Knob("max_map_count", "areas that a task may have"),
    Knob("extfrag_threshold", "what is less fragmented is left alone", high=1000),
    Knob(
        "compaction_proactiveness",
        "a write defragments nodes until so much of their free memory is in one piece",
        high=100,
    ),
    Knob(
        "zone_reclaim_mode", "bit 0: a CPU's own node is reclaimed before others serve"
    ),
    Knob("numa_stat", "whether numastat is counted", high=1),
    Knob(
        "nr_overcommit_hugepages",
        "how many areas may have beside those of the pool",
        0,
        ULONG_MAX,
        unit="huge pages",
    ),
    # What the model has nothing of.
    Knob("compact_unevictable_allowed", "no effect", 0, 1, 1, acts=False),
    Knob("dirtytime_expire_seconds", "no effect", default=43200, acts=False, unit="s"),
    Knob("hugetlb_shm_group", "no effect", acts=False),
    Knob("laptop_mode", "no effect", acts=False),
    Knob("legacy_va_layout", "no effect", acts=False),
    Knob("min_slab_ratio", "no effect", 0, 100, 5, acts=False, unit="percent"),
    Knob("min_unmapped_ratio", "no effect", 0, 100, 1, acts=False, unit="percent"),
    Knob("mmap_min_addr", "no effect", 0, ULONG_MAX, 65536, acts=False, unit="bytes"),
    Knob("mmap_rnd_bits", "no effect", 28, 32, 28, acts=False, mode=0o600),
    Knob("mmap_rnd_compat_bits", "no effect", 8, 16, 8, acts=False, mode=0o600),
    Knob("oom_dump_tasks", "no effect", default=1, acts=False),
    Knob("oom_kill_allocating_task", "no effect", acts=False),
    Knob("page_lock_unfairness", "no effect", default=5, acts=False),
    Knob("panic_on_oom", "no effect", 0, 2, acts=False),
    Knob("stat_interval", "no effect", default=1, acts=False, unit="s"),
    Knob("unprivileged_userfaultfd", "no effect", 0, 1, acts=False),
    Knob("vfs_cache_pressure", "no effect", default=100, acts=False, unit="percent"),
)


def attribute(knob: Knob) -> str:
    """The knob's name among the machine's settings."""
    return knob.name.replace("-", "_")


def value_of(mount: Mount, knob: Knob) -> int:
    """What the knob stands at."""
    if knob.name == "min_free_kbytes":
        return min_free_kbytes(mount.machine)
    if attribute(knob) in NAMES:
        value = getattr(mount.machine.tunables, attribute(knob))
        assert isinstance(value, int)
        return value
    return mount.idle_knobs.get(knob.name, knob.default)


def check(knob: Knob, value: int) -> None:
    """Whether the knob can be set to a value.

    Raises:
        TreeError: EINVAL.
    """
    lists = knob.name == "percpu_pagelist_high_fraction"
    if not knob.low <= value <= knob.high or (lists and 0 < value < 8):
        raise TreeError(errno.EINVAL, f"{value} is not in {knob.low} .. {knob.high}")


def knob_row(knob: Knob) -> Row:
    """The file of a knob."""

    async def store(
        mount: Mount, data: bytes, caller: Caller, interrupt: Interrupt
    ) -> int:
        found = number(data.decode("latin-1"))
        if found is None:
            raise TreeError(errno.EINVAL, "no number")
        check(knob, found.value)
        if attribute(knob) in NAMES:
            mount.machine.tune(attribute(knob), found.value)
        else:
            mount.idle_knobs[knob.name] = found.value
            mount.machine.bump()
        if knob.name == "compaction_proactiveness" and found.value:
            op = mount.machine.compact_proactively()
            await mount.run(op, "compact proactively", interrupt)
        mount.pump.poke()
        return found.end

    return Row(
        f"{PLACE}/{knob.name}",
        knob.mode,
        knob.unit,
        knob.what,
        lambda mount: f"{value_of(mount, knob)}\n",
        store=store,
        holds=knob.name == "compaction_proactiveness",
    )


# -- those that are more than a number ---------------------------------------------


def render_reserve(mount: Mount) -> str:
    ratios = mount.machine.tunables.lowmem_reserve_ratio
    return "\t".join(map(str, ratios or (0,))) + "\n"


async def store_reserve(
    mount: Mount, data: bytes, caller: Caller, interrupt: Interrupt
) -> int:
    """Up to as many numbers as there are; the others keep. Bad input is ignored.

    Source: mm/page_alloc.c lowmem_reserve_ratio_sysctl_handler(), Linux 6.1.
    """
    ratios = list(mount.machine.tunables.lowmem_reserve_ratio)
    text, at = data.decode("latin-1"), 0
    for index in range(len(ratios)):
        try:
            found = number(text, at)
        except TreeError:
            return len(data)
        if found is None:
            break
        ratios[index] = found.value if 0 < found.value <= INT_MAX else 0
        at = found.end
    mount.machine.tune("lowmem_reserve_ratio", tuple(ratios))
    return at or len(data)


async def store_drop(
    mount: Mount, data: bytes, caller: Caller, interrupt: Interrupt
) -> int:
    """1 drops clean page cache, 2 slab, 3 both; 4 says no more about it."""
    found = number(data.decode("latin-1"))
    if found is None or not 1 <= found.value <= 4:
        raise TreeError(errno.EINVAL, "1, 2, 3 or 4")
    if found.value & 3:
        op = mount.machine.drop_caches(found.value & 3)
        await mount.run(op, f"drop_caches {found.value}", interrupt)
    return found.end


async def store_compact(
    mount: Mount, data: bytes, caller: Caller, interrupt: Interrupt
) -> None:
    """Defragment every node, whatever is written."""
    await mount.run(mount.machine.compact(), "compact_memory", interrupt)
    if mount.settings.paranoid:
        await mount.validate(interrupt)


async def store_refresh(
    mount: Mount, data: bytes, caller: Caller, interrupt: Interrupt
) -> None:
    """Take the figures anew."""
    mount.machine.bump()


async def store_zonelist(
    mount: Mount, data: bytes, caller: Caller, interrupt: Interrupt
) -> None:
    """There is one order of zonelists any more."""
    if data.strip().lower() not in (b"default", b"node", b"d", b"n"):
        raise TreeError(errno.EINVAL, "Node")


def render_pool(mount: Mount) -> str:
    """Huge pages that the pool is to have: without those that are surplus."""
    seen = mount.machine.hugetlb.figures()
    return f"{seen.total - seen.surplus}\n"


async def store_pool(
    mount: Mount, data: bytes, caller: Caller, interrupt: Interrupt
) -> int:
    """Have as many huge pages, or fewer."""
    found = number(data.decode("latin-1"))
    if found is None or not 0 <= found.value <= ULONG_MAX:
        raise TreeError(errno.EINVAL, "no number of huge pages")
    await hugepages.resize(mount, found.value, None, interrupt)
    return found.end


def special(
    name: str,
    mode: int,
    what: str,
    store: StoreRow,
    shows: Callable[[Mount], str] | None,
    unit: str = "",
) -> Row:
    """A file that is not one number, or does more than keep it."""
    return Row(f"{PLACE}/{name}", mode, unit, what, shows, store=store, holds=True)


POOL: Final = "huge pages of the pool; a write has as many, or fewer"
SPECIAL: Final = (
    special(
        "lowmem_reserve_ratio",
        0o644,
        "what each zone type keeps from requests of higher ones, a share of those",
        store_reserve,
        render_reserve,
    ),
    special(
        "drop_caches",
        0o200,
        "1 drops clean page cache, 2 slab (there is none), 3 both",
        store_drop,
        None,
    ),
    special("compact_memory", 0o200, "any write defragments", store_compact, None),
    special(
        "stat_refresh",
        0o600,
        "any write: figures anew",
        store_refresh,
        lambda m: "",
    ),
    special("nr_hugepages", 0o644, POOL, store_pool, render_pool, "huge pages"),
    special(
        "nr_hugepages_mempolicy",
        0o644,
        "the same setting",
        store_pool,
        render_pool,
        "huge pages",
    ),
    special(
        "numa_zonelist_order", 0o644, "no effect", store_zonelist, lambda m: "Node\n"
    ),
)

ROWS: Final = (*map(knob_row, TABLE), *SPECIAL)
