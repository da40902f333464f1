"""``memfs completion``: the script that makes a shell complete memfs."""

from __future__ import annotations

import click
from click.shell_completion import BashComplete, get_completion_class

EXAMPLES = """\
\b
Examples:
  eval "$(memfs completion bash)"                 in ~/.bashrc
  eval "$(memfs completion zsh)"                  in ~/.zshrc
  memfs completion fish > ~/.config/fish/completions/memfs.fish
"""

# As click's, but a colon and an equals sign end no word: readline takes `file:big` for
# three and wants only what follows the colon. Zsh and fish know better.
BASH = """\
%(complete_func)s() {
    local IFS=$'\\n' line=${COMP_LINE:0:COMP_POINT} words=() word bare done=
    local type value i
    for ((i = 0; i <= COMP_CWORD; i++)); do
        word=${COMP_WORDS[i]}
        bare=${line#"${line%%%%[![:space:]]*}"}
        if [[ $i -gt 0 && $bare == "$line" &&
            ($word == [:=]* || ${words[-1]} == *[:=]) ]]
        then
            words[-1]+=$word
        else
            words+=("$word")
        fi
        line=${bare#"$word"}
    done
    word=${words[-1]}
    if [[ $word == *:* && ${COMP_WORDS[COMP_CWORD]} != ?*:* ]]; then
        done=${word%%"${word##*:}"}
    fi
    COMPREPLY=()
    while IFS=, read -r type value; do
        case $type in
        dir) compopt -o dirnames ;;
        file) compopt -o default ;;
        plain) COMPREPLY+=("${value#"$done"}") ;;
        esac
        if [[ $value == *[:/] ]]; then compopt -o nospace; fi
    done < <(env COMP_WORDS="${words[*]}" COMP_CWORD=$((${#words[@]} - 1)) \\
        %(complete_var)s=bash_complete "$1")
}

complete -o nosort -F %(complete_func)s %(prog_name)s
"""


class Bash(BashComplete):
    """The script for bash; what it is answered is click's."""

    source_template = BASH


@click.command("completion", epilog=EXAMPLES)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def command(ctx: click.Context, shell: str) -> None:
    """Print a script that makes SHELL complete memfs.

    Commands and options are completed, and from the mount that answers: the numbers
    of zones, the names of machines, the files below files/.
    """
    kind = Bash if shell == "bash" else get_completion_class(shell)
    assert kind is not None
    script = kind(ctx.find_root().command, {}, "memfs", "_MEMFS_COMPLETE").source()
    click.echo(script)
