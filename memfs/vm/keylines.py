"""Which line of a TOML text holds a key.

The TOML reader of the standard library keeps no lines; this finds them again for
error messages, by looking at the text line by line. It reads no value.
"""

from __future__ import annotations

import re

_HEADER = re.compile(
    r"\s*\[\[?\s*([A-Za-z0-9_-]+)\s*(?:\.\s*([A-Za-z0-9_-]+)[^]]*)?\]\]?\s*(#.*)?$"
)
_KEY = re.compile(r"\s*\"?([A-Za-z0-9_-]+)\"?\s*=")
_AT = re.compile(r"\s*\(at line (\d+), column \d+\)")


class KeyLines:
    """Lines of the keys of a text, by table, position of the table, and key."""

    def __init__(self, text: str) -> None:
        self._keys: dict[tuple[str, int, str], int] = {}
        self._tables: dict[tuple[str, int], int] = {}
        self._scan(text)

    def find(self, table: str, index: int, key: str) -> int:
        """Line of `key`; of its table if the key is not there; 0 if neither is.

        A key of the top may be a table: then it is the line of its header.
        """
        line = self._keys.get((table, index, key))
        if line is None and not table:
            line = self._tables.get((key, 0))
        return line or self._tables.get((table, index), 0)

    @staticmethod
    def of_syntax_error(message: str, text: str) -> tuple[int, str, str]:
        """Line, key (or "") and plain message of a TOML syntax error."""
        lines = text.splitlines()
        found = _AT.search(message)
        number = int(found[1]) if found else max(1, len(lines))
        key = _KEY.match(lines[number - 1]) if number <= len(lines) else None
        plain = _AT.sub("", message).replace(" (at end of document)", "")
        return number, key[1] if key else "", plain

    @staticmethod
    def of_deepest(text: str) -> int:
        """The line that opens most brackets."""
        opened = [sum(map(line.count, "[{")) for line in text.splitlines()]
        return opened.index(max(opened)) + 1

    def _scan(self, text: str) -> None:
        table, index = "", 0
        seen: dict[str, int] = {}
        within = False
        for number, line in enumerate(text.splitlines(), 1):
            if header := _HEADER.match(line):
                table, below = header[1], header[2]
                within = below is not None
                if below:
                    # [[node.zones]] is a key of the node before it.
                    index = max(0, seen.get(table, 0) - 1)
                    self._keys.setdefault((table, index, below), number)
                    continue
                index = seen.get(table, 0)
                seen[table] = index + 1
                self._tables[table, index] = number
            elif (key := _KEY.match(line)) and not within:
                self._keys.setdefault((table, index, key[1]), number)
