"""What else the machine was doing: load, and time that the hypervisor took."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple


class Noise(NamedTuple):
    """Over the time of one row."""

    load: float
    """Load average of the last minute, at the end."""
    steal: float
    """Per cent of all CPU time that another guest had."""


class NoiseMeter:
    """Reads /proc/stat when it is made and again when it is asked."""

    def __init__(self, stat: Path = Path("/proc/stat")) -> None:
        self._path = stat
        self._total, self._steal = self._read()

    def _read(self) -> tuple[int, int]:
        # cpu user nice system idle iowait irq softirq steal guest guest_nice;
        # guest time is in user already.
        fields = self._path.read_text().split("\n", 1)[0].split()[1:9]
        ticks = [int(field) for field in fields]
        return sum(ticks), ticks[7]

    def read(self) -> Noise:
        """Since it was made."""
        total, steal = self._read()
        passed = total - self._total
        return Noise(
            load=os.getloadavg()[0],
            steal=100 * (steal - self._steal) / passed if passed else 0.0,
        )
