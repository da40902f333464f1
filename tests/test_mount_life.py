"""Ordinary programs at work on files/ and shm/ while memory comes and goes.

Each program is a row of PROGRAMS: a script that runs in an empty directory of the
mount and must end with 0. All the while another process disables, purges, remaps and
enables the zones of the hot-removable node, unplugs it when it can and plugs it in
again, and the model checks itself.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import NamedTuple

import pytest
from mounting import PATIENCE_S
from test_mount_files import facts, memfs, sh

pytestmark = [pytest.mark.mount, pytest.mark.slow]

# Node 1 of the machine: Normal and HighMem. What cannot be had is refused: the
# programs hold memory there and one zone may be all that is free.
TROUBLE = """
    say() { echo "$1" > "$M/memhotplug" 2>/dev/null || true; }
    rounds=0
    while [ -e "$1" ]; do
        for zone in 5 6; do
            say "disable $zone"; say "purge $zone"; say "remap $zone"
            say "enable $zone"
        done
        say "disable 5"; say "disable 6"; say "purge 5"; say "purge 6"
        say "remap 5"; say "remap 6"; say "unplug 1"; say "plug 1"
        say "enable 5"; say "enable 6"
        rounds=$((rounds + 1))
        sleep 0.2  # so that the programs get somewhere
    done
    echo $rounds
"""


class Program(NamedTuple):
    """A row: what it is, the command that must be there, and the script.

    $1 is the directory of things to work on, $2 a Python. Some distributions do not
    bring the standard library's own tests along.
    """

    name: str
    command: str
    script: str
    places: tuple[str, ...] = ("files", "shm")
    module: str = "os"


PROGRAMS = (
    Program(
        "git",
        "git",
        """
        export GIT_CONFIG_GLOBAL=/dev/null GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@b
        export GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@b
        git init -q one; cp -R "$1/c" one/c; cd one
        git add .; git commit -qm first; test -z "$(git status --porcelain)"
        for i in 1 2 3; do echo "/* $i */" >> c/f$i.c; git commit -qam "change $i"; done
        cd ..; git clone -q --no-hardlinks one two; cd two
        git gc -q; git fsck --strict; git log --stat | grep -c f1.c
        cmp c/f1.c ../one/c/f1.c; git checkout -q HEAD~2; git status --porcelain
        """,
    ),
    Program(
        "make",
        "make",
        """
        cp -R "$1/c" c; cd c
        make -s -j4; ./all; make -s -j4 | wc -l; touch f3.c; make -j4 | grep -c f3.o
        test "$(make -q && echo done)" = done
        """,
    ),
    Program(
        "sqlite",
        "sqlite3",
        """
        for mode in delete wal; do
            {
                echo "pragma journal_mode=$mode; create table t (i integer, s text);"
                for part in 1 2 3 4 5; do
                    echo "begin;"
                    seq $((part * 200)) | sed "s/.*/insert into t values(&, 'text &');/"
                    echo "commit; delete from t where i % 7 = $part;"
                done
                echo "vacuum; pragma integrity_check;"
            } | sqlite3 $mode.db | tail -n 1 | grep -x ok
        done
        test "$(sqlite3 wal.db .dump)" = "$(sqlite3 delete.db .dump)"
        """,
    ),
    Program(
        "rsync",
        "rsync",
        """
        rsync -aH "$1/" copy/
        test -z "$(rsync -aiH "$1/" copy/)"
        rsync -aH copy/ again/; test -z "$(rsync -aiHc copy/ again/)"
        file=$(find copy -type f | head -n 1)
        python3 -c 'import os, sys; os.setxattr(sys.argv[1], "user.a", b"b")' "$file"
        rsync -aHX copy/ again/; test -z "$(rsync -aiHX copy/ again/)"
        tar -C copy --xattrs -cf x.tar .; mkdir out; tar -C out --xattrs -xf x.tar
        test -z "$(rsync -aiHX copy/ out/)"
        """,
    ),
    Program(
        "tar",
        "tar",
        """
        tar -C "$1" -cf t.tar .; mkdir out; tar -C out -xf t.tar
        tar -C out -df t.tar; tar -C "$1" -df t.tar
        tar -C out -czf - . | tar -tzf - | wc -l
        """,
    ),
    Program(
        "venv and pip",
        "bash",
        """
        "$2" -m venv --without-pip v
        export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_NO_INDEX=1
        "$2" -m pip -q --python v/bin/python install "$1/demo-1.0-py3-none-any.whl"
        test "$(v/bin/python -c 'import demo; print(demo.ANSWER)')" = 42
        v/bin/demo; v/bin/python -m pip --version 2>/dev/null && exit 1; rm -r v
        """,
    ),
    Program(
        "python's test_mmap",
        "bash",
        '"$2" -m test --tempdir="$PWD" -q test_mmap',
        module="test.test_mmap",
    ),
    Program(
        "python's test_os",
        "bash",
        '"$2" -m test --tempdir="$PWD" -q test_os',
        module="test.test_os",
    ),
    Program(
        "an editor's save",
        "ed",
        """
        seq 100 > text
        for i in $(seq 30); do
            sed -i "s/^$i\\$/line $i/" text
            printf '%s\\n' "1i" "edited $i" . w q | ed -s text
        done
        test "$(wc -l < text)" = 130; grep -c '^line' text
        for i in $(seq 30); do
            sed "s/line/row/" text > .text.new; sync .text.new; mv .text.new text
        done
        test "$(ls -A)" = text
        """,
    ),
)

ROWS = [
    pytest.param(program, place, id=f"{program.name}-{place}")
    for program in PROGRAMS
    for place in program.places
]


@pytest.fixture(scope="module")
def things(tmp_path_factory) -> Path:
    """A C tree, a wheel, and files of some sizes with times in the past."""
    top = tmp_path_factory.mktemp("things")
    tree = top / "c"
    tree.mkdir()
    names = [f"f{i}" for i in range(24)]
    for name in names:
        (tree / f"{name}.c").write_text(
            f'#include "all.h"\nint {name}(void){{ return strlen(TEXT) != 5; }}\n'
        )
    (tree / "all.h").write_text(
        '#include <stdio.h>\n#include <string.h>\n#define TEXT "hello"\n'
        + "".join(f"int {name}(void);\n" for name in names)
    )
    calls = " + ".join(f"{name}()" for name in names)
    (tree / "main.c").write_text(f'#include "all.h"\nint main(void){{return {calls};}}')
    objects = " ".join(f"{name}.o" for name in [*names, "main"])
    (tree / "Makefile").write_text(
        f"all: {objects}\n\t$(CC) -o $@ $^\n{objects}: all.h\n"
    )
    with zipfile.ZipFile(top / "demo-1.0-py3-none-any.whl", "w") as wheel:
        info = "demo-1.0.dist-info"
        wheel.writestr("demo.py", "ANSWER = 42\ndef main():\n    pass\n")
        wheel.writestr(
            f"{info}/entry_points.txt", "[console_scripts]\ndemo = demo:main\n"
        )
        wheel.writestr(
            f"{info}/METADATA", "Metadata-Version: 2.1\nName: demo\nVersion: 1.0\n"
        )
        wheel.writestr(
            f"{info}/WHEEL",
            "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        )
        wheel.writestr(f"{info}/RECORD", "")
    for i, size in enumerate((0, 1, 4096, 100_001, 3_000_000)):
        (top / f"data{i}").write_bytes(os.urandom(size))
    os.link(top / "data3", top / "linked")
    (top / "to").symlink_to("data1")
    for i, path in enumerate(sorted(top.rglob("*"), reverse=True)):
        when = 1_000_000_000_000_000_000 + i * 1_000_000_007
        os.utime(path, ns=(when, when), follow_symlinks=False)
    return top


@pytest.fixture(scope="module")
def mount(tmp_path_factory):
    """A mount whose memory comes and goes for as long as it is there."""
    directory = tmp_path_factory.mktemp("life")
    mount = memfs(directory)
    (go := directory / "go").touch()
    try:
        trouble = mount.client(f"set -- {go}\n{TROUBLE}", stdout=subprocess.PIPE)
        yield mount
        go.unlink()
        rounds = int(trouble.communicate(timeout=PATIENCE_S)[0])
        assert rounds > 1
        mount.write("control/validate", "1")
        assert (mount / "control" / "validate").read_text() == "ok\n"
        mount.finish()
    finally:
        mount.destroy()


@pytest.mark.parametrize(("program", "place"), ROWS)
def test_a_program_lives_here(mount, things, program, place):
    if shutil.which(program.command) is None:
        pytest.skip(f"{program.command} is not installed")
    if importlib.util.find_spec(program.module) is None:
        pytest.skip(f"this Python has no {program.module}")
    here = mount.path / place / program.name.replace(" ", "-")
    here.mkdir()
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", program.script, "x", things, sys.executable],
        cwd=here,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    sh('rm -rf "$1"', here)


def test_a_copy_of_the_things_is_as_they_are(mount, things):
    for place in "files", "shm":
        sh('cp -a "$1" "$2"', things, mount / place)
        assert facts(mount / place / things.name) == facts(things)
