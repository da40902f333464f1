"""QEMU's -smp: how many CPUs there are, how they lie together, and on which node.

Source: hw/core/machine-smp.c machine_parse_smp_config(), hw/i386/x86.c.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from memfs.machines.description import Groups, MachineError

# A property of -numa cpu and how many CPUs have it in common.
PROPERTIES = ("socket-id", "die-id", "core-id", "thread-id")


@dataclass(frozen=True)
class Smp:
    """What -smp says; 0: nothing."""

    cpus: int = 0
    maxcpus: int = 0
    sockets: int = 0
    dies: int = 0
    cores: int = 0
    threads: int = 0

    def filled(self) -> Smp:
        """What was left out, by QEMU's rule: cores before sockets, one thread.

        Raises:
            MachineError: the product is not what maxcpus or cpus says.
        """
        dies, threads = self.dies or 1, self.threads or 1
        total = self.maxcpus or self.cpus
        known = self.sockets, self.cores
        if not total:
            total = (self.sockets or 1) * dies * (self.cores or 1) * threads
        sockets, cores = known
        if not cores:
            sockets = sockets or 1
            cores = max(1, total // (sockets * dies * threads))
        elif not sockets:
            sockets = max(1, total // (dies * cores * threads))
        if sockets * dies * cores * threads != total:
            product = f"{sockets} sockets x {dies} dies x {cores} cores x {threads}"
            raise MachineError(f"-smp: {product} threads are not {total} CPUs")
        cpus = self.cpus or total
        if cpus > total:
            raise MachineError(f"-smp: {cpus} CPUs of at most {total}")
        return replace(
            self,
            cpus=cpus,
            maxcpus=total,
            sockets=sockets,
            dies=dies,
            cores=cores,
            threads=threads,
        )


def place(smp: Smp, cpu: int) -> dict[str, int]:
    """Where a CPU is: threads count fastest, then cores, dies and sockets."""
    thread, rest = cpu % smp.threads, cpu // smp.threads
    core, rest = rest % smp.cores, rest // smp.cores
    die, socket = rest % smp.dies, rest // smp.dies
    return dict(zip(PROPERTIES, (socket, die, core, thread), strict=True))


def topology(smp: Smp) -> tuple[Groups, Groups, Groups]:
    """CPUs by package, by die and by core."""

    def cut(size: int) -> Groups:
        return [
            tuple(range(first, min(first + size, smp.cpus)))
            for first in range(0, smp.cpus, size)
        ]

    core = smp.threads
    die = core * smp.cores
    return cut(die * smp.dies), cut(die), cut(core)


def owners(
    smp: Smp,
    nodes: list[int],
    said: dict[int, list[int]],
    rows: list[dict[str, int]],
) -> dict[int, list[int]]:
    """CPUs by node: as cpus= or -numa cpu say; else the sockets take turns.

    Raises:
        MachineError: a CPU or node that there is not.
    """
    owner: dict[int, int] = {}
    for nid, cpus in said.items():
        for cpu in cpus:
            if cpu >= smp.maxcpus:
                raise MachineError(f"-numa node: cpus={cpu} of {smp.maxcpus}")
            owner[cpu] = nid
    for row in rows:
        nid = row["node-id"]
        if nid not in nodes:
            raise MachineError(f"-numa cpu: there is no node {nid}")
        wanted = {key: row[key] for key in PROPERTIES if key in row}
        mine = [
            c for c in range(smp.maxcpus) if wanted.items() <= place(smp, c).items()
        ]
        if not mine:
            raise MachineError(f"-numa cpu: no CPU has {wanted}")
        owner.update(dict.fromkeys(mine, nid))
    ordered = sorted(nodes)
    found: dict[int, list[int]] = {nid: [] for nid in ordered}
    for cpu in range(smp.cpus):
        turn = ordered[place(smp, cpu)["socket-id"] % len(ordered)]
        default = turn if not owner else ordered[0]
        found[owner.get(cpu, default)].append(cpu)
    return found
