"""The ``memfs`` command: one module per subcommand, and one TABLE of them.

Each module has a click command called ``command``. It is imported when it is
asked for, so that ``memfs hog`` needs neither pyfuse3 nor the compiled core. What
the commands share is in ``common``; how they reach a mount is ``memfs.client``.

``memfs NAME|FILE MOUNTPOINT -o OPTS`` is how mount(8) calls a file system's helper;
it is the same as ``memfs mount --machine NAME|FILE MOUNTPOINT -o OPTS``.
"""

from __future__ import annotations

import gc
import sys
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from memfs.cli.group import cli

__all__ = ["cli", "main"]


def __getattr__(name: str) -> Any:
    if name != "cli":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from memfs.cli import group

    return group.cli


def main() -> NoReturn:
    """Run the command line of this process."""
    # There is no garbage yet: to look for it takes long.
    gc.disable()
    from memfs.cli import ahead, table

    try:
        ahead.begin(table.mount8(sys.argv[1:]))
        from memfs.cli import group

        gc.freeze()
        gc.enable()
        group.main()
    except KeyboardInterrupt:
        # Nothing was begun yet: what is begun says itself how it ended.
        raise SystemExit(130) from None
    finally:
        ahead.drop()
