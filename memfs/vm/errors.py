"""The errors of the model.

One exception carries every refusal and every failure of an operation:
:class:`VmError`, an errno and a sentence. It is not for bugs: what is wrong with
the model itself raises as Python raises it. :class:`Cancelled` is no error but
the order to stop, thrown into an operation at its next step.
"""

from __future__ import annotations

import errno as _errno


class VmError(Exception):
    """A refusal or failure with an errno; nothing was changed when refused.

    Args:
        errno: positive errno.
        message: what was asked and what was found, without the errno's name.
    """

    def __init__(self, errno: int, message: str = "") -> None:
        super().__init__(errno, message)
        self.errno = errno
        self.message = message

    @property
    def name(self) -> str:
        """The errno's name, ``EBUSY``."""
        return errno_name(self.errno)

    def __str__(self) -> str:
        return f"{self.message} ({self.name})" if self.message else self.name


class LayoutError(VmError):
    """A mistake in a machine file: its line (1 for the first; 0: none) and key."""

    def __init__(self, line: int, key: str, message: str) -> None:
        where = f"line {line}" if line else "machine file"
        what = f"{where}, {key}: {message}" if key else f"{where}: {message}"
        super().__init__(_errno.EINVAL, what)
        self.line = line
        self.key = key


class Cancelled(BaseException):
    """Thrown into an operation that has to stop; its ``finally`` clauses tidy up.

    Not an Exception, so that no ``except VmError`` or ``except Exception`` of an
    operation swallows it.
    """


def errno_name(errno: int) -> str:
    """``EBUSY`` for 16; the number as text for one without a name."""
    return _errno.errorcode.get(errno, str(errno))
