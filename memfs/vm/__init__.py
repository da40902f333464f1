"""The model of a Linux machine's memory: a library of its own.

It needs cffi and the compiled core, no FUSE and no event loop::

    from memfs.vm import Layout, Machine

    m = Machine(Layout.builtin("2004"))
    m.sched.run(m.disable_zone(5))
    print(m.sched.run(m.purge(5)))

The names below are the interface; the modules are inside.
"""

from __future__ import annotations

from memfs.vm._ffi import EVENT_NAMES, REASON_NAMES, ZoneItem, ZoneStat
from memfs.vm.compact import CompactResult
from memfs.vm.devices import DeviceConf
from memfs.vm.errors import Cancelled, LayoutError, VmError
from memfs.vm.hotplug import InUse, PurgeResult
from memfs.vm.layout import Layout
from memfs.vm.machine import Machine, Target
from memfs.vm.migrate import CheckResult, RemapResult
from memfs.vm.notifiers import NOTIFIER_ACTIONS
from memfs.vm.oplog import OpRecord
from memfs.vm.pagecache import FileOwner, PageFile
from memfs.vm.pins import Holder, Pin
from memfs.vm.readahead import ReadAhead
from memfs.vm.rules import RULES, S0_CHANGES, Rules
from memfs.vm.sched import MORE, Io, Job, Op, Park, Scheduler, Until
from memfs.vm.stats import Snapshot, Sums
from memfs.vm.tasks import Task, TaskStat
from memfs.vm.ways import WAYS, Ways
from memfs.vm.zones import Node, Zone

__all__ = [
    "EVENT_NAMES",
    "MORE",
    "NOTIFIER_ACTIONS",
    "REASON_NAMES",
    "RULES",
    "S0_CHANGES",
    "WAYS",
    "Cancelled",
    "CheckResult",
    "CompactResult",
    "DeviceConf",
    "FileOwner",
    "Holder",
    "InUse",
    "Io",
    "Job",
    "Layout",
    "LayoutError",
    "Machine",
    "Node",
    "Op",
    "OpRecord",
    "PageFile",
    "Park",
    "Pin",
    "PurgeResult",
    "ReadAhead",
    "RemapResult",
    "Rules",
    "Scheduler",
    "Snapshot",
    "Sums",
    "Target",
    "Task",
    "TaskStat",
    "Until",
    "VmError",
    "Ways",
    "Zone",
    "ZoneItem",
    "ZoneStat",
]
