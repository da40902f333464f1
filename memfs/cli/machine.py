"""``memfs machine``: which machines there are, and what one of them looks like."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from memfs.cli import complete, machines
from memfs.cli.common import console, json_option, pages, plain_table, print_json
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
  memfs mount --machine my.toml mountpoint
"""


@click.group("machine", epilog=EXAMPLES)
def command() -> None:
    """List the built-in machines, or show one machine or machine file."""


def load(word: str) -> Layout:
    """The layout called *word*, built-in or a file.

    Raises:
        ClientError: there is none, or what is wrong in it, with line and key.
    """
    from memfs.vm import Layout, VmError

    try:
        if word in machines.builtin():
            return Layout.builtin(word)
        return Layout.load(word)
    except VmError as error:
        raise ClientError(f"{word}: {error.message}", code=error.errno) from None


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
