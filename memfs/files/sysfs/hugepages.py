"""``hugepages``: the pool of huge pages, of the machine and of each node.

There is one size: 2 MiB on 6.1, 4 MiB or 2 MiB on 2.6 without and with PAE.

Source: mm/hugetlb.c nr_hugepages_store_common(), per_node_hstate_attrs[], Linux 6.1.
"""

from __future__ import annotations

import errno
import re
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Final

from memfs.files.row import Row
from memfs.files.sysfs.memory import word
from memfs.tree import TreeError

if TYPE_CHECKING:
    from memfs.mount import Mount
    from memfs.tree import Caller, Interrupt
    from memfs.vm._ffi import HugeFigures

KB_PER_PAGE: Final = 4
KERNEL: Final = "sys/kernel/mm/hugepages"
NODE: Final = "sys/devices/system/node/nodeN/hugepages"
MEMBER: Final = "hugepages-NkB"
DECIMAL: Final = re.compile(r"\+?[0-9]+")
ULONG_MAX: Final = (1 << 64) - 1
INT_MAX: Final = (1 << 31) - 1


def sizes(mount: Mount, ids: tuple[int, ...]) -> Collection[int]:
    """The sizes that there are, kB."""
    return (KB_PER_PAGE << mount.machine.hugetlb.order,)


def figures(mount: Mount, ids: tuple[int, ...]) -> HugeFigures:
    """Of the node around, or of the machine.

    Raises:
        TreeError: ENODEV, the node has gone.
    """
    if len(ids) == 1:
        return mount.machine.hugetlb.figures()
    mount.node(ids[0])
    return mount.machine.hugetlb.figures(ids[0])


def decimal(data: bytes) -> int:
    """A number in decimal digits, and one newline at the end or none.

    Raises:
        TreeError: EINVAL, ERANGE.

    Source: lib/kstrtox.c kstrtoul(), Linux 6.1.
    """
    text = word(data)
    if not DECIMAL.fullmatch(text):
        raise TreeError(errno.EINVAL, f"{text[:40]!a} is no number")
    if int(text) > ULONG_MAX:
        raise TreeError(errno.ERANGE, f"{text[:40]} does not fit into 64 bits")
    return int(text)


async def resize(
    mount: Mount, number: int, nid: int | None, interrupt: Interrupt
) -> None:
    """Have so many huge pages; fewer is no error."""
    where = "" if nid is None else f" on node {nid}"
    op = mount.machine.hugetlb.resize(min(number, INT_MAX), nid)
    await mount.run(op, f"nr_hugepages {number}{where}", interrupt)
    if mount.settings.paranoid:
        await mount.validate(interrupt)


async def store_nr(
    mount: Mount,
    ids: tuple[int, ...],
    data: bytes,
    caller: Caller,
    interrupt: Interrupt,
) -> None:
    """Of the machine, or of the node around."""
    number = decimal(data)
    nid = ids[0] if len(ids) > 1 else None
    await resize(mount, number, nid, interrupt)


async def store_overcommit(
    mount: Mount,
    ids: tuple[int, ...],
    data: bytes,
    caller: Caller,
    interrupt: Interrupt,
) -> None:
    """How many areas may have beside those of the pool."""
    mount.machine.tune("nr_overcommit_hugepages", decimal(data))


def shown(pick: Callable[[HugeFigures], int]) -> Callable[..., str]:
    """The file that shows one of the figures."""
    return lambda mount, ids: f"{pick(figures(mount, ids))}\n"


def render_overcommit(mount: Mount, ids: tuple[int, ...]) -> str:
    return f"{mount.machine.tunables.nr_overcommit_hugepages}\n"


def pool(place: str, name: str, what: str) -> Row:
    """A file that grows and shrinks the pool."""
    return Row(
        f"{place}/{MEMBER}/{name}",
        0o644,
        "huge pages",
        what,
        render_in=shown(lambda seen: seen.total),
        store_in=store_nr,
        holds=True,
    )


def figure(place: str, name: str, what: str, pick: Callable[[HugeFigures], int]) -> Row:
    """A file that can be read."""
    path = f"{place}/{MEMBER}/{name}"
    return Row(path, 0o444, "huge pages", what, render_in=shown(pick))


FREE = "those that nobody uses"
MORE = "those that are more than the pool is to have"

ROWS: Final = (
    Row(f"{KERNEL}/{MEMBER}", 0o755, "", "huge pages of a size", ids=sizes),
    pool(KERNEL, "nr_hugepages", "all; a write has as many, or fewer"),
    pool(KERNEL, "nr_hugepages_mempolicy", "the same file"),
    Row(
        f"{KERNEL}/{MEMBER}/nr_overcommit_hugepages",
        0o644,
        "huge pages",
        "how many may be surplus",
        render_in=render_overcommit,
        store_in=store_overcommit,
    ),
    figure(KERNEL, "free_hugepages", FREE, lambda seen: seen.free),
    figure(
        KERNEL,
        "resv_hugepages",
        "free ones that areas were promised",
        lambda seen: seen.reserved,
    ),
    figure(KERNEL, "surplus_hugepages", MORE, lambda seen: seen.surplus),
    Row(f"{NODE}/{MEMBER}", 0o755, "", "huge pages of a size on the node", ids=sizes),
    pool(NODE, "nr_hugepages", "all of the node; a write has as many, or fewer"),
    figure(NODE, "free_hugepages", FREE, lambda seen: seen.free),
    figure(NODE, "surplus_hugepages", MORE, lambda seen: seen.surplus),
)
