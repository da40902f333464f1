"""What the core is told at boot: sizes of the layout, rules that it follows itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from memfs.vm import _ffi

if TYPE_CHECKING:
    from memfs.vm.layout import Layout
    from memfs.vm.rules import Rules


def core_conf(layout: Layout, rules: Rules) -> dict[str, int]:
    """Arguments of Core() that layout and rules decide."""
    return {
        "max_pfn": layout.max_pfn,
        "nr_zones": layout.node_slots * rules.zone_stride,
        "nr_nodes": layout.node_slots,
        "nr_cpus": layout.cpus,
        "swap_pages": 0,
        "rules": (rules.cumulative_min and _ffi.RULE_CUMULATIVE_MIN)
        | (rules.unmap_refuses_young and _ffi.RULE_UNMAP_REFUSES_YOUNG)
        | (rules.one_pcp and _ffi.RULE_ONE_PCP)
        | (rules.unevictable_lru and _ffi.RULE_UNEVICTABLE_LRU),
        "closed_rules": closed_rules(rules),
    }


def closed_rules(rules: Rules) -> int:
    """Rules for zones behind a closed gate, as the core's bits."""
    return (rules.shrink_unref and _ffi.RULE_SHRINK_UNREF) | (
        rules.refill_unref and _ffi.RULE_REFILL_UNREF
    )
