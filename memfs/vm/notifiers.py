"""Whoever is told of a change of memory before it happens, and may refuse it.

Source: drivers/base/memory.c memory_notify(), lib/memory-notifier-error-inject.c,
Linux 6.1.
"""

from __future__ import annotations

from memfs.vm.errors import VmError

NOTIFIER_ACTIONS = ("MEM_GOING_ONLINE", "MEM_GOING_OFFLINE")


class Notifiers:
    """What each action is answered with.

    Attributes:
        errors: errno or 0, by action.
    """

    def __init__(self) -> None:
        self.errors = dict.fromkeys(NOTIFIER_ACTIONS, 0)

    def tell(self, action: str, what: str) -> None:
        """Tell of a change.

        Raises:
            VmError: the error that was set for the action.
        """
        error = self.errors[action]
        if error:
            raise VmError(error, f"{what}: {action} was refused")
