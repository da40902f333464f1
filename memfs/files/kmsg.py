"""``kmsg``: what the kernel would have printed, with virtual time stamps.

The text is the model's ring of 256 KiB; why a command was refused is there too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from memfs.mount import Mount


def render(mount: Mount) -> str:
    return mount.machine.klog.text()


def version(mount: Mount) -> object:
    """The file changes when a line is added, and only then."""
    return mount.machine.klog.count
