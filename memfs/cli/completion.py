"""``memfs completion``: the script that makes a shell complete memfs."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

EXAMPLES = """\
\b
Examples:
  eval "$(memfs completion bash)"                 in ~/.bashrc
  eval "$(memfs completion zsh)"                  in ~/.zshrc
  memfs completion fish > ~/.config/fish/completions/memfs.fish
"""


@click.command("completion", epilog=EXAMPLES)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def command(ctx: click.Context, shell: str) -> None:
    """Print a script that makes SHELL complete memfs.

    Commands and options are completed, and from the mount that answers: the numbers
    of zones, the names of machines, the files below files/.
    """
    kind = get_completion_class(shell)
    assert kind is not None
    script = kind(ctx.find_root().command, {}, "memfs", "_MEMFS_COMPLETE").source()
    click.echo(script)
