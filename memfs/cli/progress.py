"""A bar that moves while a zone is emptied by somebody else."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

from memfs.client import ClientError, Mount

POLL_SECONDS = 0.1


def in_use(mount: Mount, zid: int) -> int:
    """Pages of the zone that are not free."""
    zone = mount.zone(zid)
    return zone.present - zone.free


@contextmanager
def progress_bar(
    mount: Mount, zid: int, title: str, total: int
) -> Iterator[Callable[[int], None]]:
    """A bar of the pages that are left: a thread watches the listing.

    The command itself is written by the main thread, so that Ctrl-C interrupts it.
    What is yielded shows a number of pages left at once.
    """
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn())
    bar = Progress(*columns, TextColumn("pages left: {task.fields[left]:,}"))
    task = bar.add_task(title, total=total, left=total)
    done = threading.Event()

    def show(left: int) -> None:
        bar.update(task, completed=max(0, total - left), left=left)

    def watch() -> None:
        while not done.wait(POLL_SECONDS):
            try:
                show(in_use(mount, zid))
            except ClientError:
                return

    watcher = threading.Thread(target=watch, daemon=True)
    try:
        # Ctrl-C may come while it is drawn for the first time, the cursor gone.
        bar.start()
        watcher.start()
        yield show
    finally:
        done.set()
        if watcher.ident is not None:
            # What it has read last may be older than what was shown since.
            watcher.join()
            with suppress(ClientError):
                show(in_use(mount, zid))
        bar.stop()
