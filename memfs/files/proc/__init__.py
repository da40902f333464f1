"""The rows of ``proc/``: the machine as a process of Linux 6.1 sees it."""

from __future__ import annotations

from memfs.files import buddyinfo, memhotplug
from memfs.files.proc import (
    clocks,
    host,
    meminfo,
    slabinfo,
    swaps,
    vmstat,
    zoneinfo,
)
from memfs.files.row import Row, never

ROWS = (
    Row(
        "proc/memhotplug",
        0o644,
        "pages",
        "the same file as in the root",
        memhotplug.render,
        store=memhotplug.store,
        holds=True,
    ),
    Row("proc/meminfo", 0o444, "kB", "memory of the machine", meminfo.render),
    Row("proc/zoneinfo", 0o444, "pages", "every zone of every node", zoneinfo.render),
    Row("proc/vmstat", 0o444, "pages, events", "gauges and counters", vmstat.render),
    Row("proc/buddyinfo", 0o444, "blocks", "free blocks by order", buddyinfo.render),
    Row("proc/swaps", 0o444, "kB", "the swap area", swaps.render),
    Row("proc/slabinfo", 0o400, "objects", "the caches of nodes", slabinfo.render),
    Row(
        "proc/stat",
        0o444,
        "ticks of 10 ms",
        "what the CPUs did",
        clocks.render_stat,
        version=None,
    ),
    Row(
        "proc/uptime",
        0o444,
        "s",
        "virtual time, and how much of it CPUs were idle",
        clocks.render_uptime,
        version=None,
    ),
    Row(
        "proc/loadavg",
        0o444,
        "tasks",
        "who wanted to run",
        clocks.render_loadavg,
        version=None,
    ),
    Row("proc/cpuinfo", 0o444, "", "the CPUs", host.render_cpuinfo, version=never),
    Row("proc/version", 0o444, "", "the kernel", host.render_version, version=never),
    Row("proc/cmdline", 0o444, "", "nothing", host.render_cmdline, version=never),
    Row(
        "proc/filesystems",
        0o444,
        "",
        "kinds of file systems",
        host.render_filesystems,
        version=never,
    ),
)
