"""validate() names damage to what the policy keeps; the core's is tests/c/test_verify*.

One row for each sentence that it can say, and no other sentence may go untested.
"""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from vmkit import MIB, HostFile, assert_valid, small, write

from memfs.vm import validate
from memfs.vm.zones import Zone


def marks(m, zid, change):
    """Tell the core other marks than the rule's."""
    stat = m.zone_stat(zid)
    low_marks = (stat.pages_min, stat.pages_low, stat.pages_high)
    m.core.zone_marks(zid, tuple(change(low_marks)))


def told_wrong(monkeypatch, **less):
    """Have the core's figures of zones be less than they are."""
    real = Zone.stat

    def stat(zone):
        seen = real(zone)
        return seen._replace(**{k: getattr(seen, k) - n for k, n in less.items()})

    monkeypatch.setattr(Zone, "stat", stat)


def negative(monkeypatch):
    """Have a sum be less than nothing."""
    real = validate.stats.take

    def take(m):
        snap = real(m)
        return snap._replace(total=snap.total._replace(dirty=-1))

    monkeypatch.setattr(validate.stats, "take", take)


def forgetful(events):
    """Event counters that are 0."""
    return lambda m: dict.fromkeys(events(m), 0)


def closed_and_content(m):
    m.sched.run(m.disable_zone(5))
    marks(m, 5, lambda three: (*three[:2], three[1]))


# What is broken, on a machine with a dirty file and a plugged node 1; what is said.
ROWS = {
    "zonelist empty": (
        lambda m, p: m.zonelists.update({(0, 0): ()}),
        "zonelist 0 of node 0 is [], not",
    ),
    "gate closed behind its back": (
        lambda m, p: setattr(m.zones[5], "gate_open", False),
        "of node 0 has closed zone 5",
    ),
    "marks upside down": (
        lambda m, p: told_wrong(p, pages_low=1000),
        "marks of Normal[5] are (",
    ),
    "marks of another rule": (
        lambda m, p: marks(m, 5, lambda three: [n + 1 for n in three]),
        "marks of Normal[5] are not (",
    ),
    "gate of the core": (
        lambda m, p: m.core.zone_gate(5, False),
        "gate of Normal[5] is not what it is thought to be",
    ),
    "closed and content": (
        lambda m, p: closed_and_content(m),
        "5 is closed but pages_high is",
    ),
    "a page nowhere": (
        lambda m, p: told_wrong(p, managed=1),
        "pages are somewhere,",
    ),
    "a page not reserved": (
        lambda m, p: told_wrong(p, present=1),
        "Normal[5]: managed is not present less reserved",
    ),
    "kernel data in removable memory": (
        lambda m, p: m.core.alloc_in(5, 0),
        "Normal[5]: 1 kernel pages in memory that is to be removable",
    ),
    "no kswapd": (
        lambda m, p: setattr(m.nodes[1], "kswapd", None),
        "<Node 1 enabled> has (zones, kswapd) = (True, False)",
    ),
    "tables of an empty slot": (
        lambda m, p: m.nodes[2].tables.append(7),
        "<Node 2 unplugged> has tables",
    ),
    "a page more": (
        lambda m, p: setattr(m.zones[5], "present", m.zones[5].present + 1),
        "Normal[5] is thought to have",
    ),
    "a block less": (
        lambda m, p: setattr(m.zones[5], "present", m.zones[5].present + 1),
        "Normal[5] has 1025 pages, its blocks 1024",
    ),
    "a zone of no node": (
        lambda m, p: m.nodes[1].zones.pop(),
        "the sum of the nodes is not the machine",
    ),
    "a debt": (lambda m, p: negative(p), "a sum is negative"),
    "a counter that goes back": (
        lambda m, p: p.setattr(type(m), "events", forgetful(type(m).events)),
        "event pgalloc went down from",
    ),
    "memory from nowhere": (
        lambda m, p: told_wrong(p, present=-5),
        "present pages went from {0: ",
    ),
    "dirty in secret": (
        lambda m, p: m.writeback.dirty.clear(),
        "dirty pages and nobody knows",
    ),
    "dirty without a descriptor": (
        lambda m, p: m.files.held.clear(),
        "is dirty and has no descriptor",
    ),
}


def broken(name, tmp_path, monkeypatch):
    """What is said of a machine that was valid before its row of ROWS."""
    with small() as m, monkeypatch.context() as patch:
        file = m.files.create("file", HostFile(tmp_path / "file"))
        write(m, file, 0, bytes(MIB))
        assert_valid(m)
        ROWS[name][0](m, patch)
        return m.sched.run(m.validate())


@pytest.mark.parametrize("name", ROWS)
def test_damage_is_named(name, tmp_path, monkeypatch):
    """And not only something else that follows from it."""
    found = broken(name, tmp_path, monkeypatch)

    assert any(ROWS[name][1] in line for line in found), found


def sentences():
    """The longest fixed part of each sentence that the checks can say."""
    for node in ast.walk(ast.parse(Path(validate.__file__).read_text())):
        if not isinstance(node, ast.Yield):
            continue
        parts = getattr(node.value, "values", [node.value])
        fixed = [getattr(part, "value", None) for part in parts]
        texts = [text for text in fixed if isinstance(text, str)]
        if texts:
            yield max(texts, key=len)


def test_every_sentence_has_a_row(tmp_path, monkeypatch):
    """A check that is added is shown to be able to fail."""
    said = [line for name in ROWS for line in broken(name, tmp_path, monkeypatch)]
    silent = [text for text in sentences() if not any(text in line for line in said)]

    assert len(list(sentences())) > 10
    assert silent == []
