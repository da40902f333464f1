"""``proc/cpuinfo``, ``version``, ``cmdline``, ``filesystems``: what does not change.

Source: arch/x86/kernel/cpu/proc.c show_cpuinfo(), Linux 6.1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from memfs.files.cpus import core_of, package_of, siblings

if TYPE_CHECKING:
    from memfs.mount import Mount


def render_cpuinfo(mount: Mount) -> str:
    return "".join(_cpu(mount, cpu) for cpu in range(mount.machine.layout.cpus))


def _cpu(mount: Mount, cpu: int) -> str:
    mates = siblings(mount, cpu)
    rows = {
        "processor": cpu,
        "vendor_id": "memfs",
        "cpu family": 6,
        "model": 0,
        "model name": "modelled CPU",
        "stepping": 0,
        "cpu MHz": "1000.000",
        "cache size": "0 KB",
        "physical id": package_of(mount, cpu),
        "siblings": len(mates),
        "core id": core_of(mount, cpu),
        "cpu cores": len({core_of(mount, mate) for mate in mates}),
        "apicid": cpu,
        "fpu": "yes",
        "flags": "pae lm" if mount.machine.rules.modern else "pae",
        "bogomips": "2000.00",
        "clflush size": 64,
        "cache_alignment": 64,
        "address sizes": "40 bits physical, 48 bits virtual",
    }
    lines = (
        f"{name}{chr(9) * max(1, 2 - len(name) // 8)}: {value}\n"
        for name, value in rows.items()
    )
    return "".join(lines) + "\n"


def render_version(mount: Mount) -> str:
    kernel = mount.machine.layout.kernel
    return f"Linux version {kernel} (memfs) #1 SMP\n"


def render_cmdline(mount: Mount) -> str:
    return "\n"


def render_filesystems(mount: Mount) -> str:
    return "".join(f"nodev\t{name}\n" for name in ("sysfs", "tmpfs", "proc"))
