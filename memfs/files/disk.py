"""``control/disk``: the speed of the files disk, and of the swap disk (``swap.``).

A change holds for every request that is queued after it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from memfs.files import grammar
from memfs.records import NamedTuple

if TYPE_CHECKING:
    from memfs.mount import Mount
    from memfs.tree import Caller, Interrupt

DAY_NS = 86_400 * 10**9
PAGE = 4096


class Setting(NamedTuple):
    """A key, and the device and the attribute behind it."""

    key: grammar.Key
    device: str
    attribute: str


def _settings(device: str, prefix: str, name: str) -> tuple[Setting, ...]:
    rows = (
        ("latency", grammar.TIME, 0, DAY_NS, "latency_ns", "one request takes"),
        (
            "bandwidth",
            grammar.RATE,
            PAGE,
            10**15,
            "bandwidth",
            "bytes a second are transferred",
        ),
        ("requests", grammar.NUMBER, 1, 2048, "requests", "at most are in flight"),
        ("readahead", grammar.SIZE, 0, 16 << 20, "readahead", "are read ahead"),
    )
    return tuple(
        Setting(
            grammar.Key(prefix + key, kind, low, high, f"{name}: {what}"), device, field
        )
        for key, kind, low, high, field, what in rows
        if (device, key) != ("swap", "readahead")
    )


TABLE = _settings("disk", "", "files disk") + _settings("swap", "swap.", "swap disk")
KEYS = tuple(setting.key for setting in TABLE)


def _values(mount: Mount) -> dict[str, int]:
    devices = {"disk": mount.machine.disk, "swap": mount.machine.swap_disk}
    return {s.key.name: getattr(devices[s.device], s.attribute) for s in TABLE}


def render(mount: Mount) -> str:
    return grammar.show(_values(mount), KEYS)


async def store(
    mount: Mount, data: bytes, caller: Caller, interrupt: Interrupt
) -> None:
    values = grammar.parse(data, KEYS)
    for device in ("disk", "swap"):
        changed = {
            s.attribute: values[s.key.name]
            for s in TABLE
            if s.device == device and s.key.name in values
        }
        if changed:
            mount.machine.set_device(device, **changed)
