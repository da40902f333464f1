"""Numbers that look random and depend on the machine's seed alone."""

from __future__ import annotations

MASK = (1 << 64) - 1


def mix(value: int) -> int:
    """64 bits that look random, from 64 bits (splitmix64)."""
    value = (value + 0x9E3779B97F4A7C15) & MASK
    value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9 & MASK
    value = (value ^ (value >> 27)) * 0x94D049BB133111EB & MASK
    return value ^ (value >> 31)


class Seeds:
    """Seeds of one machine; `seed` is its own, 64 bits."""

    def __init__(self, seed: int) -> None:
        self.seed = seed & MASK
        self._stamps = 0

    def of(self, *numbers: int) -> int:
        """A seed that depends on the machine's and on `numbers`."""
        value = mix(self.seed)
        for number in numbers:
            value = mix(value ^ (number & MASK))
        return value

    def stamp(self) -> int:
        """What the pages of the next task are recognised by; 32 bits, never 0."""
        self._stamps += 1
        return self.of(self._stamps) & 0xFFFFFFFF or 1
