"""The rows of ``sys/``: nodes, memory blocks and CPUs as Linux 6.1 shows them."""

from __future__ import annotations

from memfs.files import migration
from memfs.files.cpus import core_mates, die_mates, siblings
from memfs.files.proc import vmstat
from memfs.files.row import (
    Ids,
    RenderAt,
    Row,
    Target,
    blocks_version,
    constant,
    never,
)
from memfs.files.sysfs import cpu, debug, hugepages, memory, node
from memfs.vm import NOTIFIER_ACTIONS

SYSTEM = "sys/devices/system"
NODE = f"{SYSTEM}/node"
MEMORY = f"{SYSTEM}/memory"
CPU = f"{SYSTEM}/cpu"
TOPOLOGY = f"{CPU}/cpuN/topology"


def directory(path: str, what: str, ids: Ids) -> Row:
    """A directory for each member of a family."""
    return Row(path, 0o755, "", what, ids=ids)


def link(path: str, what: str, target: Target, ids: Ids | None = None) -> Row:
    """A symbolic link, or one for each member of a family."""
    return Row(path, 0o777, "", what, link=target, ids=ids)


def bus(name: str, members: str, ids: Ids) -> Row:
    """The links of a bus to its devices."""
    target = f"../../../devices/system/{name}/{members[:-1]}"
    return link(
        f"sys/bus/{name}/devices/{members}",
        "a device of the bus",
        lambda at: f"{target}{at[-1]}",
        ids,
    )


def subsystem(path: str, name: str) -> Row:
    """The link of a device to its bus."""
    up = "../" * 4
    return link(f"{path}/subsystem", "its bus", lambda at: f"{up}bus/{name}")


def cpu_file(name: str, what: str, render: RenderAt) -> Row:
    """A file of a CPU's topology."""
    return Row(f"{TOPOLOGY}/{name}", 0o444, "", what, render_at=render, version=never)


NODE_ROWS = (
    Row(f"{NODE}/online", 0o444, "", "nodes there", node.listed(node.online)),
    Row(f"{NODE}/possible", 0o444, "", "node slots", node.listed(node.possible)),
    Row(f"{NODE}/has_cpu", 0o444, "", "nodes with CPUs", node.listed(node.has_cpu)),
    Row(
        f"{NODE}/has_memory",
        0o444,
        "",
        "nodes with pages",
        node.listed(node.has_memory),
    ),
    Row(
        f"{NODE}/has_normal_memory",
        0o444,
        "",
        "nodes with pages for the kernel itself",
        node.listed(node.has_normal_memory),
    ),
    constant(f"{NODE}/has_generic_initiator", "\n", "nodes that only do I/O: none"),
    directory(f"{NODE}/nodeN", "a node that is there", node.plugged),
    Row(
        f"{NODE}/nodeN/meminfo",
        0o444,
        "kB",
        "memory of the node",
        render_at=node.render_meminfo,
    ),
    Row(
        f"{NODE}/nodeN/numastat",
        0o444,
        "pages",
        "where allocations were served",
        render_at=node.render_numastat,
    ),
    Row(
        f"{NODE}/nodeN/vmstat",
        0o444,
        "pages, events",
        "gauges of the node",
        render_at=vmstat.render_node,
    ),
    Row(
        f"{NODE}/nodeN/distance",
        0o444,
        "",
        "how far the nodes are; 10 is itself",
        render_at=node.render_distance,
        version=blocks_version,
    ),
    Row(
        f"{NODE}/nodeN/cpumap",
        0o444,
        "",
        "its CPUs as a mask",
        render_at=node.render_cpumap,
        version=blocks_version,
    ),
    Row(
        f"{NODE}/nodeN/cpulist",
        0o444,
        "",
        "its CPUs as a list",
        render_at=node.render_cpulist,
        version=blocks_version,
    ),
    link(
        f"{NODE}/nodeN/memoryN",
        "a block of the node",
        lambda at: f"../../memory/memory{at[-1]}",
        node.blocks_of,
    ),
    link(
        f"{NODE}/nodeN/cpuN",
        "a CPU of the node",
        lambda at: f"../../cpu/cpu{at[-1]}",
        node.cpus_of,
    ),
    subsystem(f"{NODE}/nodeN", "node"),
)

MEMORY_ROWS = (
    Row(
        f"{MEMORY}/block_size_bytes",
        0o444,
        "bytes",
        "size of a block, in hexadecimal digits",
        memory.render_block_size,
        version=never,
    ),
    Row(
        f"{MEMORY}/auto_online_blocks",
        0o644,
        "",
        "what becomes of blocks that are found: offline, online, online_kernel or "
        "online_movable",
        memory.render_auto,
        store=memory.store_auto,
    ),
    Row(
        f"{MEMORY}/probe",
        0o200,
        "bytes",
        "the block at a physical address is found, offline",
        store=memory.store_probe,
        version=never,
        holds=True,
    ),
    Row(
        f"{MEMORY}/soft_offline_page",
        0o200,
        "bytes",
        "the page at a physical address is taken out of use, its contents move",
        store=memory.store_soft_offline,
        version=never,
        holds=True,
    ),
    Row(
        f"{MEMORY}/hard_offline_page",
        0o200,
        "bytes",
        "EOPNOTSUPP: pages do not go bad",
        store=memory.store_hard_offline,
        version=never,
    ),
    Row(
        f"{MEMORY}/uevent",
        0o644,
        "",
        "takes an action; nobody listens",
        memory.render_nothing,
        store=memory.store_uevent,
        version=never,
    ),
    directory(f"{MEMORY}/memoryN", "a memory block", memory.there),
    Row(
        f"{MEMORY}/memoryN/state",
        0o644,
        "",
        "online, offline or going-offline; takes online, online_kernel, "
        "online_movable, offline",
        render_at=memory.render_state,
        version=blocks_version,
        store_at=memory.store_state,
        holds=True,
        polls=memory.changes,
    ),
    Row(
        f"{MEMORY}/memoryN/online",
        0o644,
        "",
        "1 or 0; takes either",
        render_at=memory.render_online,
        version=blocks_version,
        store_at=memory.store_online,
        holds=True,
    ),
    Row(
        f"{MEMORY}/memoryN/uevent",
        0o644,
        "",
        "takes an action; nobody listens",
        render_at=memory.render_uevent,
        store_at=memory.store_uevent_at,
        version=never,
    ),
    Row(
        f"{MEMORY}/memoryN/removable",
        0o444,
        "",
        "1 or 0",
        render_at=memory.render_removable,
        version=blocks_version,
    ),
    Row(
        f"{MEMORY}/memoryN/phys_index",
        0o444,
        "",
        "its number, in hexadecimal digits",
        render_at=memory.render_phys_index,
        version=blocks_version,
    ),
    Row(
        f"{MEMORY}/memoryN/phys_device",
        0o444,
        "",
        "0",
        render_at=memory.render_phys_device,
        version=never,
    ),
    Row(
        f"{MEMORY}/memoryN/valid_zones",
        0o444,
        "",
        "its zone, or where it can go; the default first",
        render_at=memory.render_valid_zones,
        version=blocks_version,
    ),
    link(
        f"{MEMORY}/memoryN/nodeN",
        "the block's node",
        lambda at: f"../../node/node{at[-1]}",
        memory.nodes_of,
    ),
    subsystem(f"{MEMORY}/memoryN", "memory"),
)

CPU_ROWS = (
    Row(f"{CPU}/online", 0o444, "", "CPUs that run", cpu.render_all, version=never),
    Row(f"{CPU}/possible", 0o444, "", "CPUs there can be", cpu.render_all),
    Row(f"{CPU}/present", 0o444, "", "CPUs there are", cpu.render_all),
    Row(f"{CPU}/offline", 0o444, "", "CPUs that do not run", cpu.render_none),
    Row(f"{CPU}/kernel_max", 0o444, "", "largest number", cpu.render_kernel_max),
    directory(f"{CPU}/cpuN", "a CPU", cpu.all_cpus),
    Row(f"{CPU}/cpuN/online", 0o444, "", "1", render_at=cpu.render_online),
    cpu_file("physical_package_id", "its package", cpu.render_package),
    cpu_file("core_id", "its core in the package", cpu.render_core),
    cpu_file("die_id", "its die in the package", cpu.render_die),
    cpu_file("core_cpus", "CPUs of its core", cpu.mask(core_mates)),
    cpu_file("core_cpus_list", "CPUs of its core", cpu.numbers(core_mates)),
    cpu_file("thread_siblings", "CPUs of its core", cpu.mask(core_mates)),
    cpu_file("thread_siblings_list", "CPUs of its core", cpu.numbers(core_mates)),
    cpu_file("die_cpus", "CPUs of its die", cpu.mask(die_mates)),
    cpu_file("die_cpus_list", "CPUs of its die", cpu.numbers(die_mates)),
    cpu_file("package_cpus", "CPUs of its package", cpu.mask(siblings)),
    cpu_file("package_cpus_list", "CPUs of its package", cpu.numbers(siblings)),
    cpu_file("core_siblings", "CPUs of its package", cpu.mask(siblings)),
    cpu_file("core_siblings_list", "CPUs of its package", cpu.numbers(siblings)),
    link(
        f"{CPU}/cpuN/nodeN",
        "the CPU's node",
        lambda at: f"../../node/node{at[-1]}",
        cpu.nodes_of,
    ),
    subsystem(f"{CPU}/cpuN", "cpu"),
)

MODULE = "sys/module/memory_hotplug/parameters"
NOTIFIER = "sys/kernel/debug/notifier-error-inject/memory"

MISC_ROWS = (
    constant(f"{MODULE}/online_policy", "contig-zones\n", "how a zone is chosen"),
    constant(f"{MODULE}/auto_movable_ratio", "301\n", "of another policy", "percent"),
    constant(f"{MODULE}/auto_movable_numa_aware", "Y\n", "of another policy"),
    constant(f"{MODULE}/memmap_on_memory", "N\n", "where memory maps lie"),
    *(debug.row(NOTIFIER, action) for action in NOTIFIER_ACTIONS),
    Row(
        f"{NODE}/nodeN/compact",
        0o200,
        "",
        "any write defragments the node's zones; returns when it is done",
        store_at=migration.store_compact,
        version=never,
        holds=True,
    ),
)

ROWS = (
    *NODE_ROWS,
    *MEMORY_ROWS,
    *CPU_ROWS,
    *MISC_ROWS,
    *hugepages.ROWS,
    bus("node", "nodeN", node.plugged),
    bus("memory", "memoryN", memory.there),
    bus("cpu", "cpuN", cpu.all_cpus),
)
