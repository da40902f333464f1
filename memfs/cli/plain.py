"""A console for pipes and files."""

from __future__ import annotations

from typing import Any

import click
from rich.console import Console


class PlainConsole(Console):
    """No width to keep to, no blanks at the ends of lines."""

    def print(self, *objects: Any, **how: Any) -> None:
        """Print as a Console does, without the padding."""
        with self.capture() as captured:
            super().print(*objects, **how)
        for line in captured.get().splitlines():
            click.echo(line.rstrip())
