"""``status``: running and last operations, and how the daemon itself fares.

One fact a line: a word, then ``key=value`` words. ``running`` and ``last`` lines
begin with the operation's number, which control/cancel takes, and its name in
quotes; ``why`` lines below them count the pages that stay, by reason, and ``holder``
lines those of which somebody is known to hold them, and since when (ns).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from memfs.files import clock, grammar

if TYPE_CHECKING:
    from memfs.mount import Mount
    from memfs.vm import Job, OpRecord

NS_PER_S = 1_000_000_000


def render(mount: Mount) -> str:
    return "".join(f"{line}\n" for line in _lines(mount))


def _lines(mount: Mount) -> list[str]:
    machine = mount.machine
    lines = [
        f"machine name={machine.layout.name} kernel={machine.layout.kernel}"
        f" seed={mount.settings.seed} version={machine.version}",
        f"clock now={machine.now} mode={clock.mode(mount)}",
        _host(mount),
        _client(mount),
        f"core batch={mount.settings.batch} prefetch={mount.settings.prefetch:d}"
        f" short_way={machine.core.lane_ops()}",
        f"shim missing={','.join(mount.shim_missing) or 'none'}",
    ]
    for job in machine.sched.jobs():
        lines += _operation("running", job.id, job.name, _running(mount, job))
    for done in machine.last_ops:
        lines += _operation("last", done.id, done.name, _last(done))
    return lines


def _host(mount: Mount) -> str:
    host = mount.machine.snapshot().host
    return "host " + " ".join(f"{key}={value}" for key, value in host._asdict().items())


def _client(mount: Mount) -> str:
    """Pages that real processes map, for all we know, and those taken back so far."""
    snapshot = mount.machine.snapshot()
    facts = {
        "mapped": snapshot.total.client,
        "revoking": mount.machine.revoke.outstanding,
        "revoked": snapshot.events.get("pgrevoked", 0),
    }
    return f"client{_pairs(facts)}"


def _running(mount: Mount, job: Job) -> dict[str, Any]:
    facts = dict(job.progress)
    zone = mount.machine.zones.get(facts.get("zone", -1))
    if zone is not None:
        facts["left"] = zone.in_use
        facts["done"] = max(0, facts.get("pages", 0) - zone.in_use)
    facts["for"] = "machine" if job.background else "caller"
    return facts | {"waiting": job.waiting}


def _last(done: OpRecord) -> dict[str, Any]:
    facts = done._asdict()
    if done.moved and done.duration_ns:
        facts["per_second"] = done.moved * NS_PER_S // done.duration_ns
    return {key: facts[key] for key in facts if key not in ("id", "name")}


def _operation(
    word: str, number: int, name: str, facts: Mapping[str, Any]
) -> list[str]:
    plain = {k: v for k, v in facts.items() if k not in ("reasons", "holders")}
    lines = [f'{word} {number} "{name}"{_pairs(plain)}']
    reasons = {k: v for k, v in facts.get("reasons", {}).items() if v}
    if reasons:
        lines.append(f"  why{_pairs(reasons)}")
    lines += [f"  holder{_pairs(one._asdict())}" for one in facts.get("holders", ())]
    return lines


def _pairs(facts: Mapping[str, Any]) -> str:
    return "".join(f" {key}={grammar.word(value)}" for key, value in facts.items())
