"""Runs a function in a forked child: the same state, as often as it is wanted.

A forked child has everything its parent has in memory, a machine in the middle of
its work included, and what it does to it stays in the child. So one state can be
purged under six sets of rules, and rows can be worked out side by side.

The process must have one thread. A result crosses by pickle.
"""

from __future__ import annotations

import os
import pickle
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator
from typing import Generic, TypeVar

T = TypeVar("T")
S = TypeVar("S")


class ChildError(Exception):
    """The function raised, or the child was killed; the text is its traceback."""


class Child(Generic[T]):
    """A function that runs in a child process."""

    def __init__(self, call: Callable[[], T]) -> None:
        receive, send = os.pipe()
        sys.stdout.flush()
        sys.stderr.flush()
        self._pid = os.fork()
        if self._pid == 0:
            os.close(receive)
            _work(call, send)
        os.close(send)
        self._receive = receive

    def result(self) -> T:
        """Wait for the function's result.

        Raises:
            ChildError: there is none.
        """
        with open(self._receive, "rb") as pipe:
            data = pipe.read()
        _, status = os.waitpid(self._pid, 0)
        if status or not data:
            raise ChildError(f"a child ended with wait status {status}")
        fine, value = pickle.loads(data)
        if not fine:
            raise ChildError(value)
        result: T = value
        return result


def _work(call: Callable[[], T], send: int) -> None:
    """The child's side; never returns."""
    status = 1
    try:
        answer: tuple[bool, T | str]
        try:
            answer = (True, call())
        except BaseException:
            answer = (False, traceback.format_exc())
        with open(send, "wb") as pipe:
            pickle.dump(answer, pipe)
        status = 0
    finally:
        os._exit(status)


def in_children(
    call: Callable[[S], T], arguments: Iterable[S], workers: int
) -> Iterator[T]:
    """``map`` over children, *workers* at a time; results in order."""
    running: list[Child[T]] = []
    for argument in arguments:
        if len(running) >= workers:
            yield running.pop(0).result()
        running.append(Child(lambda argument=argument: call(argument)))  # type: ignore[misc]
    for child in running:
        yield child.result()
