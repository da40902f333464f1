"""A daemon with a tree of its own and no model: what tests of the mount talk to.

Run as ``python tests/fakedaemon.py MOUNTPOINT [--ready-fd N] [--detach] ...``. The
tree has one of everything; ``memhotplug`` takes these commands:

    echo TEXT    shown by reading it
    wait MS      holds its writer for so much virtual time
    spin MS      holds its writer in steps of 100 us of work
    hang         holds its writer for ever
    refuse N     answers with errno N
    boom         raises what no handler may raise
"""

from __future__ import annotations

import argparse
import contextlib
import errno
import sys
import time
from pathlib import Path

import trio
from memvolume import MemVolume

from memfs import tree
from memfs.background import Pump
from memfs.daemon import DaemonOptions, MountError, mount
from memfs.inodes import number
from memfs.vm.sched import MORE, Park, Scheduler, Until


class FakeClock:
    """Virtual time without devices."""

    def __init__(self):
        self.ns = 0

    def now(self):
        return self.ns

    def next_event(self):
        return None

    def advance(self, to_ns):
        self.ns = to_ns

    def drain(self, to_ns):
        pass

    def completions(self):
        return 0

    def set_horizon(self, ns):
        pass


class Appearing(tree.Dir):
    """Shows the names in a set that a command changes."""

    dynamic = True

    def __init__(self, names):
        super().__init__(mode=0o755, manners=tree.SYSFS)
        self._names = names

    def lookup(self, name):
        return self._names.get(name)

    def names(self):
        return tree.Names(sorted(self._names))


class FakeMount:
    """What ``make_mount`` of the real thing gives, with nothing behind it."""

    def __init__(self, options):
        self.settings = options.settings
        self.sched = Scheduler(FakeClock())
        self.pump = Pump(self.sched, manual=options.settings.get("clock") == "manual")
        self.said = b"nothing\n"
        self.lines = 0
        self.private_files = None
        self.unwritten = []
        self.shim_missing = ()
        self.watcher = None
        self.volume = MemVolume(self.pump)
        self.revoker = None
        self.nodes = {b"node0": self.node_dir()}
        self.root = self.build()
        self.shutdowns = 0

    def build(self):
        numbers = {
            b"%d" % i: tree.TextFile(lambda i=i: b"%d\n" % i) for i in range(100)
        }
        proc = tree.Dir(mode=0o555, manners=tree.PROC)
        proc.add(b"meminfo", tree.TextFile(lambda: b"x" * 9000, manners=tree.PROC))
        nodes = Appearing(self.nodes)
        nodes.add(b"unused", tree.Link(b"nowhere"))
        return tree.Dir(
            {
                b"memhotplug": tree.ControlFile(
                    lambda: self.said, self.store, fresh_inode=True
                ),
                b"status": tree.TextFile(self.status, version=self.version),
                b"log": tree.TextFile(self.log),
                b"broken": tree.TextFile(lambda: 1 // 0, size=1),
                b"attribute": tree.TextFile(
                    lambda: b"1\n", size=4096, manners=tree.SYSFS
                ),
                b"probe": tree.ControlFile(
                    None, self.store, mode=0o200, manners=tree.SYSFS
                ),
                b"latest": tree.Link(b"status"),
                b"numbers": tree.Dir(numbers),
                b"proc": proc,
                b"nodes": nodes,
                b"files": tree.VolumeDir(self.volume),
                b"shm": tree.VolumeDir(MemVolume(self.pump)),
            }
        )

    def node_dir(self):
        node = tree.Dir({b"meminfo": tree.TextFile(lambda: b"free\n")})
        node.entry_timeout = 0
        return node

    def version(self):
        return self.lines, self.pump.foreground

    def status(self):
        missing = ", ".join(self.shim_missing)
        return f"waiting={self.pump.foreground}\nmissing={missing}\n".encode()

    def log(self):
        self.lines += 1
        return b"".join(b"line %06d\n" % i for i in range(self.lines))

    async def store(self, data, caller, interrupt):
        word, _, argument = data.decode().strip().partition(" ")
        command = getattr(self, "do_" + word, None)
        if command is None:
            raise tree.TreeError(errno.EINVAL, word)
        await command(argument, interrupt)

    async def do_echo(self, argument, interrupt):
        self.said = argument.encode() + b"\n"

    async def do_plug(self, argument, interrupt):
        self.nodes[b"node" + argument.encode()] = self.node_dir()

    async def do_unplug(self, argument, interrupt):
        del self.nodes[b"node" + argument.encode()]

    async def do_refuse(self, argument, interrupt):
        raise tree.TreeError(int(argument), "as asked")

    async def do_boom(self, argument, interrupt):
        raise ZeroDivisionError(argument)

    async def do_change(self, argument, interrupt):
        """Change a file of the volume under its mappings, then revoke them."""
        # The session is the process's only one.
        from memfs.fuse import SHIM

        [ino] = [n for n, f in self.volume.files.items() if f.data[:4] == b"page"]
        self.volume.files[ino].data[4096:4100] = b"seen"
        await trio.to_thread.run_sync(
            SHIM.invalidate, number(0, ino), int(argument), 4096
        )

    async def do_wait(self, argument, interrupt):
        await self.pump.run_job(self.waiting(int(argument)), "wait", interrupt)

    async def do_hang(self, argument, interrupt):
        await self.pump.run_job(self.hanging(), "hang", interrupt)

    async def do_spin(self, argument, interrupt):
        await self.pump.run_job(self.spinning(int(argument)), "spin", interrupt)

    def waiting(self, ms):
        yield Until(self.sched.now + ms * 1_000_000)

    def hanging(self):
        yield Park("for ever")

    def spinning(self, ms):
        for _ in range(ms * 10):
            end = time.perf_counter_ns() + 100_000
            while time.perf_counter_ns() < end:
                pass
            yield MORE

    async def sync(self):
        await self.shutdown()

    async def shutdown(self):
        """Tell what would be on the disk now."""
        self.shutdowns += 1
        told = self.settings.get("tell")
        if told:
            heads = {n: bytes(f.data[:20]) for n, f in self.volume.files.items()}
            async with await trio.open_file(told, "a") as file:
                await file.write(f"shutdown {self.shutdowns} {heads}\n")


def make_mount(options):
    """The factory; ``--machine bad`` is a mistake, ``--machine bug`` is one of ours."""
    machine = options.settings["machine"]
    if machine == "bad":
        raise tree.TreeError(errno.EINVAL, "line 3, size: not a number")
    if machine == "bug":
        raise ZeroDivisionError("of the factory")
    return FakeMount(options)


def main(argv):
    parser = argparse.ArgumentParser()
    parser.add_argument("mountpoint", type=Path)
    parser.add_argument("--ready-fd", type=int)
    parser.add_argument("--detach", action="store_true")
    parser.add_argument("--files", type=Path)
    parser.add_argument("--clock", default="wall")
    parser.add_argument("--tell")
    parser.add_argument("--machine")
    parser.add_argument("-o", dest="fuse", action="append", default=[])
    args = parser.parse_args(argv)
    options = DaemonOptions(
        args.mountpoint,
        files=args.files,
        fuse=args.fuse,
        foreground=not args.detach,
        ready_fd=args.ready_fd,
        settings={"clock": args.clock, "tell": args.tell, "machine": args.machine},
    )
    try:
        return mount(options, make_mount)
    except MountError as exc:
        print(exc, file=sys.stderr)
        return 1


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        sys.exit(main(sys.argv[1:]))
