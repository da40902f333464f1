"""What became of the last commands, for the ``status`` file.

It prints nothing and keeps no more than a few records.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from memfs.records import NamedTuple
from memfs.vm.errors import Cancelled, VmError
from memfs.vm.sched import Op

if TYPE_CHECKING:
    from memfs.vm.machine import Machine

LAST_OPS = 64

T = TypeVar("T")


class OpRecord(NamedTuple):
    """A command that has ended, for the ``status`` file; pages and ns.

    `holders`: of pages that stayed, where they are known; NamedTuples.
    """

    id: int
    name: str
    result: str
    pages: int
    freed: int
    moved: int
    left: int
    reasons: dict[str, int]
    holders: tuple[Any, ...]
    started: int
    duration_ns: int


def recorded(m: Machine, name: str, op: Op[T]) -> Op[T]:
    """Run `op` and keep how it ended: ``ok``, an errno's name, EINTR if cancelled."""
    started = m.now
    result = "ok"
    try:
        return (yield from op)
    except VmError as error:
        result = error.name
        raise
    except (Cancelled, GeneratorExit):
        result = "EINTR"
        raise
    finally:
        m.last_ops.append(make(m, name, result, started))


def make(m: Machine, name: str, result: str, started: int) -> OpRecord:
    """The record of the running job, from what it has reported."""
    job = m.sched.current
    got = job.progress if job else {}
    return OpRecord(
        job.id if job else 0,
        name,
        result,
        got.get("pages", 0),
        got.get("freed", 0),
        got.get("moved", 0),
        got.get("left", 0),
        got.get("reasons", {}),
        tuple(got.get("holders", ())),
        started,
        m.now - started if m.core.is_open else 0,
    )
