"""``python -m memfs`` is the ``memfs`` command."""

from __future__ import annotations

from memfs.cli import main

if __name__ == "__main__":
    main()
