"""``memfs machine``: which machines there are, and what one of them looks like."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from memfs.cli import complete, machines
from memfs.cli.common import console, json_option, pages, plain_table, print_json
from memfs.cli.machines import load
from memfs.client import ClientError

if TYPE_CHECKING:
    from memfs.vm import Layout, Machine

EXAMPLES = """\
\b
Examples:
  memfs machine list
  memfs machine show 2004                  its nodes and zones
  memfs machine show --file 2004 > my.toml     a file to start from
  memfs machine show my.toml               checks it: a mistake names line and key
  memfs machine import /srv/snapshot > my.toml     a copy of another machine's sys/
  memfs mount --machine my.toml mountpoint
"""

IMPORT_EXAMPLES = """\
\b
Examples:
  memfs machine import / > here.toml                   this computer
  cp -a mountpoint/sys copy/ && memfs machine import copy
  memfs machine import 'pack:2 [numa(memory=64GB)] core:4 pu:2'
  memfs machine import '-m 4G -smp 4 -numa node,cpus=0-1 -numa node,cpus=2-3'

\b
SOURCE is one of
  a directory that contains sys/, as lsmem -s takes it; if it contains proc/ too,
    figures of zones and swap come from there;
  hwloc's synthetic form, as lstopo -i takes it;
  QEMU's arguments: -m, -machine, -smp, -numa, -object and -device, in one word or
    in several.

\b
What cannot be taken over is said in comments of the file. It is checked as `memfs
machine show` would.
"""


@click.group("machine", epilog=EXAMPLES)
def command() -> None:
    """List the built-in machines, show one or a machine file, or import another."""


@command.command("list")
@json_option
def list_command(as_json: bool) -> None:
    """List the built-in machines."""
    rows = [(name, load(name)) for name in machines.builtin()]
    if as_json:
        print_json([summary(name, layout) for name, layout in rows])
        return
    table = plain_table("name", "kernel", "nodes", "empty slots", "memory")
    for name, layout in rows:
        facts = summary(name, layout)
        table.add_row(
            name,
            facts["kernel"],
            str(facts["nodes"]),
            str(facts["empty_slots"]),
            pages(facts["pages"]),
        )
    console().print(table)


def summary(name: str, layout: Layout) -> dict[str, Any]:
    """A machine in one row; pages are those of the nodes plugged at boot."""
    plugged = [node for node in layout.nodes if node.plugged]
    return {
        "name": name,
        "kernel": layout.kernel,
        "nodes": len(plugged),
        "empty_slots": len(layout.nodes) - len(plugged),
        "pages": layout.pages,
    }


class ImportCommand(click.Command):
    """Options before the source are its own; those behind are the source's."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        at = 0
        while at < len(args) and args[at] in OWN_OPTIONS:
            at += OWN_OPTIONS[args[at]]
        if at < len(args) and not args[at].startswith("--"):
            args = [*args[:at], "--", *args[at:]]
        return super().parse_args(ctx, args)


# Options of the import, and how many words each has.
OWN_OPTIONS = {"--kernel": 2, "--name": 2, "-h": 1, "--help": 1}


@command.command("import", cls=ImportCommand, epilog=IMPORT_EXAMPLES)
@click.option(
    "--kernel",
    metavar="VERSION",
    help="A column of RULES (default: 6.1; 2.6.7 for a machine with HighMem).",
)
@click.option("--name", help="What the machine is called.")
@click.argument("source", nargs=-1, required=True, metavar="SOURCE")
def import_command(
    source: tuple[str, ...], kernel: str | None, name: str | None
) -> None:
    """Print a machine file for a machine that something else describes."""
    import shlex

    from memfs.machines.description import MachineError
    from memfs.machines.source import import_text
    from memfs.vm.rules import COLUMNS

    if kernel is not None and kernel not in COLUMNS:
        raise click.UsageError(f"--kernel: one of {', '.join(COLUMNS)}, not {kernel!r}")
    text = source[0] if len(source) == 1 else shlex.join(source)
    try:
        click.echo(import_text(text, kernel, name), nl=False)
    except MachineError as error:
        raise ClientError(str(error)) from None


@command.command("show")
@json_option
@click.option("--file", "as_file", is_flag=True, help="Print the machine file itself.")
@click.argument("name", metavar="NAME|FILE", shell_complete=complete.machine_names)
def show_command(name: str, as_json: bool, as_file: bool) -> None:
    """Show the nodes, zones and watermarks of a machine as it boots, in pages."""
    layout = load(name)
    if as_file:
        click.echo(machines.text_of(name), nl=False)
        return
    facts = details(layout)
    if as_json:
        print_json(facts)
        return
    click.echo(
        f"{facts['name']}: Linux {facts['kernel']}, {facts['cpus']} CPUs, "
        f"swap {pages(facts['swap_pages'])}"
    )
    for node in facts["nodes"]:
        show_node(node)


def show_node(node: dict[str, Any]) -> None:
    """A node's line and the table of its zones."""
    state = "plugged" if node["plugged"] else "an empty slot"
    removable = "hot-removable" if node["removable"] else "not hot-removable"
    size = pages(node["pages"])
    click.echo(f"\nNode {node['nid']}: {size} from {node['start_pfn']}, ", nl=False)
    click.echo(f"{state}, {removable}")
    if not node["zones"]:
        return
    keys = ("start_pfn", "spanned", "present", "managed", "min", "low", "high")
    table = plain_table("  zone", *keys)
    for zone in node["zones"]:
        table.add_row(f"  {zone['name']}[{zone['zid']}]", *(str(zone[k]) for k in keys))
    console().print(table)


def details(layout: Layout) -> dict[str, Any]:
    """A machine with its nodes and zones, from booting it; sizes in pages."""
    from memfs.vm import Machine

    machine = Machine(layout)
    try:
        nodes = [node_details(machine, spec) for spec in layout.nodes]
    finally:
        machine.close()
    return {
        "name": layout.name,
        "kernel": layout.kernel,
        "cpus": layout.cpus,
        "swap_pages": layout.swap_pages,
        "distances": [list(row) for row in layout.distances],
        "nodes": nodes,
    }


def node_details(machine: Machine, spec: Any) -> dict[str, Any]:
    """One node slot; an empty one has no zones."""
    zones = machine.nodes[spec.nid].zones if spec.plugged else []
    return {
        "nid": spec.nid,
        "start_pfn": spec.start_pfn,
        "pages": spec.pages,
        "mem_map": spec.mem_map,
        "removable": spec.removable,
        "plugged": spec.plugged,
        "zones": [zone_details(machine, zone) for zone in zones],
    }


def zone_details(machine: Machine, zone: Any) -> dict[str, Any]:
    """One populated zone and its watermarks."""
    stat = machine.zone_stat(zone.zid)
    return {
        "zid": zone.zid,
        "name": zone.name,
        "start_pfn": zone.start_pfn,
        "spanned": zone.spanned,
        "present": zone.present,
        "managed": zone.managed,
        "min": stat.pages_min,
        "low": stat.pages_low,
        "high": stat.pages_high,
    }
