"""Which commands there are, and what the first words of a command line come to.

Without click, so that what is to be loaded is known before click is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from memfs.cli import machines

# One row per command: its name, its module, what `memfs --help` says of it.
COMMANDS: Mapping[str, tuple[str, str]] = {
    "mount": ("memfs.cli.mount", "Mount a machine."),
    "umount": ("memfs.cli.umount", "Write everything back and unmount."),
    "hog": ("memfs.cli.hog", "Be a modelled process that touches its memory."),
    "purge": ("memfs.cli.purge", "Empty a zone by reclaim, and say what stays."),
    "remap": ("memfs.cli.remap", "Empty a zone by migration, and say who stays."),
    "why": ("memfs.cli.why", "Say who keeps a zone, a node or a block from going."),
    "exec": ("memfs.cli.exec", "Run a program that takes the machine for real."),
    "report": ("memfs.cli.report", "Run a test report on a machine of its own."),
    "machine": ("memfs.cli.machine", "List, show and import machines."),
    "export": ("memfs.cli.export", "Copy proc/ and sys/ of a machine."),
    "validate": ("memfs.cli.validate", "Check every invariant of a mounted machine."),
    "doctor": ("memfs.cli.doctor", "Say what this computer lacks for memfs."),
    "completion": ("memfs.cli.completion", "Print a script that completes memfs."),
}


def mount8(args: Sequence[str]) -> list[str]:
    """Rewrite mount(8)'s ``NAME|FILE MOUNTPOINT -o OPTS`` to the mount command."""
    if args and args[0] not in COMMANDS and machines.is_machine(args[0]):
        return ["mount", "--machine", *args]
    return list(args)
