"""What the jobs do that is no program of its own: making files, writing through maps.

Run as ``python -m stresslib.programs NAME SEED`` in the directory to work in. Same
seed, same files.
"""

from __future__ import annotations

import mmap
import os
import random
import sys
from collections.abc import Callable
from pathlib import Path

C_FILES = 200
C_HEADERS = 24
TREE_FILES = 60
MAP_BYTES = 6 << 20
MAP_WRITES = 6000
WORDS = "node zone page slot gate table purge remap plug unplug enable disable".split()


def c_tree(rng: random.Random) -> None:
    """A program of a few hundred small C files, and its Makefile."""
    Path("include").mkdir()
    Path("src").mkdir()
    for header in range(C_HEADERS):
        lines = [f"int f{i}(int);" for i in range(header, C_FILES, C_HEADERS)]
        text = "\n".join(["#pragma once", *lines, ""])
        Path(f"include/h{header}.h").write_text(text)
    for number in range(C_FILES):
        following = (number + 1) % C_FILES
        body = "\n".join(
            f"\tx = x * {rng.randrange(3, 99, 2)} + {rng.randrange(1000)};"
            for _ in range(rng.randrange(5, 40))
        )
        rest = f"f{following}(x)" if following else "x"
        Path(f"src/f{number}.c").write_text(
            f'#include "h{following % C_HEADERS}.h"\n'
            f'#include "h{number % C_HEADERS}.h"\n'
            f"int f{number}(int n)\n{{\n\tunsigned int x = (unsigned int)n;\n"
            f"{body}\n\treturn (int){rest};\n}}\n"
        )
    Path("src/main.c").write_text(
        '#include <stdio.h>\n#include "h0.h"\n'
        'int main(void)\n{\n\tprintf("%d\\n", f0(1));\n\treturn 0;\n}\n'
    )
    Path("Makefile").write_text(
        "SRC := $(sort $(wildcard src/*.c))\n"
        "OBJ := $(SRC:src/%.c=obj/%.o)\n"
        "prog: $(OBJ)\n\tgcc -o $@ $(OBJ)\n"
        "obj/%.o: src/%.c | obj\n\tgcc -O0 -Iinclude -c -o $@ $<\n"
        "obj:\n\tmkdir obj\n"
    )


def file_tree(rng: random.Random) -> None:
    """Directories with files of all sizes, links, permissions."""
    for number in range(TREE_FILES):
        place = Path("tree", f"d{number % 12}", f"e{number % 5}")
        place.mkdir(parents=True, exist_ok=True)
        size = rng.choice((0, 10, 1000, 4096, 5000, 20_000, 60_000))
        path = place / f"file{number}"
        path.write_bytes(rng.randbytes(size + number))
        path.chmod(rng.choice((0o644, 0o600, 0o755)))
        for name, every in ((f"link{number}", 10), (f"hard{number}", 15)):
            (place / name).unlink(missing_ok=True)
            if number % every == 0 and every == 10:
                (place / name).symlink_to(path.name)
            elif number % every == 0:
                (place / name).hardlink_to(path)


def sql(rng: random.Random) -> None:
    """A script of many small transactions and a few large ones."""
    lines = ["CREATE TABLE t (id INTEGER PRIMARY KEY, word TEXT, n INTEGER);"]
    lines.append("CREATE INDEX i ON t (word, n);")
    for number in range(40):
        rows = ", ".join(
            f"('{rng.choice(WORDS)}{rng.randrange(1000)}', {rng.randrange(10**6)})"
            for _ in range(rng.choice((1, 10, 200)))
        )
        lines.append(f"INSERT INTO t (word, n) VALUES {rows};")
        if number % 4 == 1:
            lines.append(f"UPDATE t SET n = n + {number} WHERE id % 7 = {number % 7};")
        if number % 6 == 2:
            lines.append(f"DELETE FROM t WHERE id % 11 = {number % 11};")
    lines.append("VACUUM;")
    Path("script.sql").write_text("\n".join(lines) + "\n")


def mapped(rng: random.Random) -> None:
    """A file written through a shared mapping, every byte checked against a copy."""
    shadow = bytearray(MAP_BYTES)
    with open("mapped", "w+b") as file:
        file.truncate(MAP_BYTES)
        with mmap.mmap(file.fileno(), MAP_BYTES) as view:
            for number in range(MAP_WRITES):
                at = rng.randrange(MAP_BYTES - 300)
                data = rng.randbytes(rng.randrange(1, 300))
                view[at : at + len(data)] = data
                shadow[at : at + len(data)] = data
                at = rng.randrange(MAP_BYTES - 5000)
                if view[at : at + 5000] != shadow[at : at + 5000]:
                    sys.exit(f"write {number}: other bytes at {at} through the map")
                if number % 1500 == 0:
                    view.flush()
            view.flush()
        if os.pread(file.fileno(), MAP_BYTES, 0) != shadow:
            sys.exit("other bytes in the file than in the map")


PROGRAMS: dict[str, Callable[[random.Random], None]] = {
    "c_tree": c_tree,
    "file_tree": file_tree,
    "sql": sql,
    "mapped": mapped,
}

if __name__ == "__main__":
    PROGRAMS[sys.argv[1]](random.Random(sys.argv[2]))
