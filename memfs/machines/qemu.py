"""QEMU's command line: ``-m 4G -smp 4 -object memory-backend-ram,... -numa node,...``.

Memory lies where QEMU's machine has it for its guest: node after node, with a hole
below 4 GiB on a PC; the memory of DIMMs behind all that, in blocks that are offline
until the guest puts them online. What has no part in this (disks, displays) is
listed as left out; a key of an option that is read is known or refused.

Source: QEMU's manual, qemu-system-x86_64(1); hw/i386/pc.c, hw/core/machine-smp.c.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from typing import Final

from memfs.machines.description import Description, MachineError
from memfs.machines.qemuboard import BOARDS, Asked, NodeMemory, described
from memfs.machines.qemucpus import Smp

UNITS: Final = {"": 0, "B": 0, "K": 10, "M": 20, "G": 30, "T": 40}
DIMMS: Final = ("pc-dimm", "nvdimm")


# Keys of the options that are read; those of the second row change nothing here.
KEYS: Final = {
    "-m": (("size", "slots", "maxmem"), ()),
    "-machine": (("type",), None),
    "-smp": (
        ("cpus", "maxcpus", "sockets", "dies", "cores", "threads"),
        ("drawers", "books", "clusters", "modules"),
    ),
    "-numa node": (("nodeid", "mem", "memdev", "cpus"), ("initiator",)),
    "-numa dist": (("src", "dst", "val"), ()),
    "-numa cpu": (
        ("node-id", "socket-id", "die-id", "core-id", "thread-id"),
        ("cluster-id", "module-id"),
    ),
    "-object": (
        ("id", "size"),
        (
            *("share", "prealloc", "prealloc-threads", "merge", "dump", "policy"),
            *("host-nodes", "mem-path", "hugetlb", "hugetlbsize", "seal", "align"),
            *("reserve", "discard-data", "pmem", "readonly", "rom"),
        ),
    ),
    "-device": (("id", "memdev", "node", "addr"), ("slot", "label-size", "unarmed")),
}
FLAGS: Final = ("-nographic", "-enable-kvm", "-no-reboot", "-S", "-s", "-snapshot")


def read(text: str) -> Description:
    """The guest that a command line makes.

    Raises:
        MachineError: what was found where something else is expected.
    """
    asked = Asked()
    ignored = []
    for option, value in options(text):
        reader = READERS.get(option)
        if reader is None:
            ignored.append(f"{option} {value}".strip())
        else:
            reader(asked, value)
    if ignored:
        asked.notes.append("Left out, no part of the model: " + ", ".join(ignored))
    return described(asked)


def options(text: str) -> Iterator[tuple[str, str]]:
    """Each option and its argument, ``""`` if it has none."""
    try:
        words = shlex.split(text.replace("\\\n", " "))
    except ValueError as error:
        raise MachineError(f"QEMU's arguments: {error}") from None
    at = 0
    while at < len(words):
        option = words[at]
        if len(option) > 2 and option.startswith("--"):
            option = option[1:]
        if not option.startswith("-") and at > 0:
            raise MachineError(f"an option like -m is expected, not {option!r}")
        at += 1
        if not option.startswith("-"):
            # The name of the program.
            continue
        has_value = at < len(words) and not words[at].startswith("-")
        if option in FLAGS or not has_value:
            yield ALIASES.get(option, option), ""
            continue
        yield ALIASES.get(option, option), words[at]
        at += 1


ALIASES: Final = {"-M": "-machine"}


def keys(asked: Asked, option: str, value: str, first: str = "") -> dict[str, str]:
    """``a=1,b=2`` of an option; `first` is the key of a value without one.

    Keys that change nothing become notes.

    Raises:
        MachineError: a key that there is not.
    """
    read_, ignored = KEYS[option]
    found: dict[str, str] = {}
    for number, word in enumerate(part for part in value.split(",") if part):
        key, equals, text = word.partition("=")
        if not equals and number == 0 and first:
            key, text = first, word
        elif not equals:
            text = "on"
        if key in read_:
            found[key] = text
        elif ignored is None or key in ignored:
            asked.notes.append(f"Left out: {key}={text} of {option}.")
        else:
            known = ", ".join((*read_, *ignored))
            raise MachineError(f"{option}: unknown key {key!r}; there are {known}")
    return found


def number(option: str, key: str, text: str) -> int:
    """A number of a key.

    Raises:
        MachineError: it is none.
    """
    if not re.fullmatch(r"0[xX][0-9a-fA-F]+|[0-9]+", text):
        raise MachineError(f"{option}: {key}={text}: a number is expected")
    return int(text, 0 if text[:2] in ("0x", "0X") else 10)


def bytes_of(option: str, key: str, text: str, unit: str = "B") -> int:
    """A size; `unit` is that of a number without one.

    Raises:
        MachineError: it is none.
    """
    found = re.fullmatch(r"([0-9]+)(?:\.([0-9]+))?([BKMGTbkmgt]?)", text)
    if not found:
        raise MachineError(f"{option}: {key}={text}: a size like 4G is expected")
    shift = UNITS[(found[3] or unit).upper()]
    part = (int(found[2]) << shift) // 10 ** len(found[2]) if found[2] else 0
    return (int(found[1]) << shift) + part


# -- the options ---------------------------------------------------------------------


def read_memory(asked: Asked, value: str) -> None:
    """-m [size=]SIZE[,slots=N,maxmem=SIZE]"""
    found = keys(asked, "-m", value, "size")
    if "size" in found:
        asked.memory = bytes_of("-m", "size", found["size"], "M")
    if "maxmem" in found:
        most = bytes_of("-m", "maxmem", found["maxmem"], "M")
        if most < asked.memory:
            raise MachineError(f"-m: maxmem={found['maxmem']} is below the size")
        slots = found.get("slots", "0")
        asked.notes.append(
            f"Left out: {slots} slots for up to {most} bytes. An empty slot that "
            "`plug` fills is a [[node]] with plugged = false."
        )


def read_machine(asked: Asked, value: str) -> None:
    """-machine [type=]NAME[,...]"""
    name = keys(asked, "-machine", value, "type").get("type", "pc")
    plain = re.sub(r"^pc-(q35|i440fx)(-.*)?$", r"\1", name).replace("i440fx", "pc")
    plain = re.sub(r"^(virt|pseries|s390-ccw-virtio)-[0-9].*$", r"\1", plain)
    if plain not in BOARDS:
        known = ", ".join(BOARDS)
        raise MachineError(f"-machine: no machine {name!r} is known; there are {known}")
    asked.board = plain


def read_smp(asked: Asked, value: str) -> None:
    """-smp [cpus=]N[,sockets=,dies=,cores=,threads=,maxcpus=]"""
    found = keys(asked, "-smp", value, "cpus")
    given = {key: number("-smp", key, text) for key, text in found.items()}
    asked.smp = Smp(**given)


def read_numa(asked: Asked, value: str) -> None:
    """-numa node,... | dist,... | cpu,..."""
    kind, _, rest = value.partition(",")
    if kind == "node":
        read_node(asked, rest)
    elif kind == "dist":
        found = keys(asked, "-numa dist", rest)
        numbers = [
            number("-numa dist", k, found.get(k, "")) for k in KEYS["-numa dist"][0]
        ]
        asked.distances[numbers[0], numbers[1]] = numbers[2]
    elif kind == "cpu":
        found = keys(asked, "-numa cpu", rest)
        row = {key: number("-numa cpu", key, text) for key, text in found.items()}
        if "node-id" not in row:
            raise MachineError("-numa cpu: node-id is missing")
        asked.cpu_rows.append(row)
    elif kind in ("hmat-lb", "hmat-cache"):
        asked.notes.append(f"Left out: -numa {value}.")
    else:
        raise MachineError(f"-numa {kind}: node, dist or cpu is expected")


def read_node(asked: Asked, rest: str) -> None:
    """-numa node[,nodeid=N][,mem=SIZE|memdev=ID][,cpus=A-B]..."""
    nid = max(asked.nodes, default=-1) + 1
    cpus: list[int] = []
    for word in rest.split(","):
        key, _, text = word.partition("=")
        if key == "cpus":
            low, _, high = text.partition("-")
            first = number("-numa node", "cpus", low)
            last = number("-numa node", "cpus", high or low)
            cpus += range(first, last + 1)
    found = keys(asked, "-numa node", rest)
    nid = number("-numa node", "nodeid", found.get("nodeid", str(nid)))
    if nid in asked.nodes:
        raise MachineError(f"-numa node: nodeid={nid} is there twice")
    if "mem" in found and "memdev" in found:
        raise MachineError(f"-numa node: node {nid} has mem= and memdev=")
    size = None
    if "mem" in found:
        size = bytes_of("-numa node", "mem", found["mem"], "M")
    asked.nodes[nid] = NodeMemory(size, found.get("memdev", ""))
    asked.cpus[nid] = cpus


def read_object(asked: Asked, value: str) -> None:
    """-object memory-backend-*,id=ID,size=SIZE"""
    kind, _, rest = value.partition(",")
    if kind.startswith("qom-type="):
        kind = kind.partition("=")[2]
    if not kind.startswith("memory-backend-"):
        asked.notes.append(f"Left out, no memory: -object {value}.")
        return
    found = keys(asked, "-object", rest)
    for key in ("id", "size"):
        if key not in found:
            raise MachineError(f"-object {kind}: {key} is missing")
    if found["id"] in asked.backends:
        raise MachineError(f"-object: id={found['id']} is there twice")
    asked.backends[found["id"]] = bytes_of("-object", "size", found["size"])


def read_device(asked: Asked, value: str) -> None:
    """-device pc-dimm,memdev=ID[,node=N][,addr=ADDRESS]"""
    kind, _, rest = value.partition(",")
    if kind == "nvdimm":
        asked.notes.append(f"Left out, no memory of the guest: -device {value}.")
        return
    if kind not in DIMMS:
        asked.notes.append(f"Left out, no DIMM: -device {value}.")
        return
    found = keys(asked, "-device", rest)
    if "memdev" not in found:
        raise MachineError(f"-device {kind}: memdev is missing")
    node = number("-device", "node", found.get("node", "0"))
    addr = number("-device", "addr", found["addr"]) if "addr" in found else None
    asked.dimms.append((found["memdev"], node, addr))


READERS: Final = {
    "-m": read_memory,
    "-machine": read_machine,
    "-smp": read_smp,
    "-numa": read_numa,
    "-object": read_object,
    "-device": read_device,
}
