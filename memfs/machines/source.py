"""From what a user gives to a machine file: which form it is in, and is it sound."""

from __future__ import annotations

import re
from pathlib import Path

from memfs.machines import hwloc, qemu, sysfs, toml
from memfs.machines.description import Description, MachineError
from memfs.vm import Layout, LayoutError
from memfs.vm.carving import carve
from memfs.vm.rules import Rules

QEMU_OPTION = re.compile(r"(?:^|\s)--?(m|M|smp|numa|object|machine|device)\s")
SYNTHETIC = re.compile(r"[:\[]|^[0-9 ]+$")


def describe(source: str, kernel: str | None = None) -> tuple[Description, str]:
    """The machine that `source` says, and where it is from.

    Args:
        source: a directory, hwloc's synthetic form, or QEMU's arguments.
        kernel: a column of RULES; None: by what is seen.

    Raises:
        MachineError: what was found where something else is expected.
    """
    path = Path(source)
    if QEMU_OPTION.search(source):
        found, title = qemu.read(source), f"From QEMU's arguments: {source}"
    elif source and "\0" not in source and len(source) < 4096 and path.is_dir():
        return sysfs.read(path, kernel), f"From sys/ of {path.resolve().name or '/'}."
    elif SYNTHETIC.search(source):
        found, title = hwloc.read(source), f"From hwloc's synthetic form: {source}"
    else:
        forms = "a directory with sys/, hwloc's synthetic form or QEMU's arguments"
        raise MachineError(f"{source!r} is neither {forms}")
    found.kernel = kernel or found.kernel
    return found, title


def import_text(source: str, kernel: str | None = None, name: str | None = None) -> str:
    """The machine file for `source`; see describe().

    Raises:
        MachineError: also for a machine that cannot be modelled.
    """
    machine, title = describe(source, kernel)
    machine.name = name or machine.name
    if machine.nodes[0].enabled is False:
        machine.notes.append("Node 0 was disabled: a model boots with it.")
        machine.nodes[0].enabled = True
    text = toml.text_of(machine, title)
    layout = parse(text)
    rules = Rules.resolve(layout.kernel)
    for node, spec in zip(machine.nodes, layout.nodes, strict=True):
        try:
            carve(spec, layout, rules)
        except LayoutError as error:
            machine.notes.append(f"All is managed: {error.message}.")
            node.managed = {}
            text = toml.text_of(machine, title)
    return text


def parse(text: str) -> Layout:
    """The layout of a machine file of ours.

    Raises:
        MachineError: it cannot be modelled.
    """
    try:
        return Layout.parse(text)
    except LayoutError as error:
        lines = text.splitlines()
        at = f" ({lines[error.line - 1].strip()[:60]})" if error.line else ""
        raise MachineError(f"it cannot be modelled: {error.message}{at}") from None
