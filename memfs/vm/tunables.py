"""What can be set at run time and changes what the machine does: the sysctls.

Values only; what follows from a change is the business of whoever makes it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from memfs.vm.layout import Layout
    from memfs.vm.rules import Rules


@dataclass
class Tunables:
    """Settings of a machine.

    Attributes:
        min_free_kbytes: kB; None: the kernel's rule.
        thp: transparent huge pages are on: the rule leaves room for them.
        watermark_scale_factor: distance of the marks, 1/10000 of a zone.
        percpu_pagelist_high_fraction: 0: the rule.
        lowmem_reserve_ratio: by zone type; 0: no protection.
    """

    min_free_kbytes: int | None = None
    thp: bool = True
    watermark_scale_factor: int = 10
    percpu_pagelist_high_fraction: int = 0
    lowmem_reserve_ratio: tuple[int, ...] = ()

    @classmethod
    def of(cls, layout: Layout, rules: Rules) -> Tunables:
        """What a machine boots with."""
        return cls(
            min_free_kbytes=layout.min_free_kbytes,
            lowmem_reserve_ratio=rules.reserve_ratio,
        )
