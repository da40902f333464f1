"""All calls of the core in one object."""

from __future__ import annotations

from memfs.vm._ffi.blocks import BlockCalls
from memfs.vm._ffi.devices import DeviceCalls
from memfs.vm._ffi.files import FileCalls
from memfs.vm._ffi.hugetlb import HugeCalls
from memfs.vm._ffi.lanes import LaneCalls
from memfs.vm._ffi.pins import PinCalls
from memfs.vm._ffi.tasks import TaskCalls
from memfs.vm._ffi.zones import ZoneCalls


class Core(
    ZoneCalls,
    BlockCalls,
    FileCalls,
    LaneCalls,
    TaskCalls,
    PinCalls,
    HugeCalls,
    DeviceCalls,
):
    """One machine: every call that the core has."""
