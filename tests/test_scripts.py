"""The scripts, in a copy of the tree, with stand-ins for what they call.

The real set-up, mount and test run are what a developer and CI do; here is what
these do not show: the refusals, the second run, and how results are counted.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal as signals
import subprocess
from pathlib import Path

import pytest
from mounting import wait_until

from memfs.doing import is_alive

pytestmark = pytest.mark.tree

ROOT = Path(__file__).resolve().parents[1]

LISTING = "Node 0 enabled nonhotremovable\n"


class Tree:
    """A copy of the scripts and the mount point, with stand-in programs."""

    def __init__(self, root: Path):
        self.root = root
        self.bin = root / ".venv" / "bin"
        self.bin.mkdir(parents=True)
        shutil.copytree(ROOT / "scripts", root / "scripts")
        (root / "mountpoint" / "memhotplug").mkdir(parents=True)
        for name in (".ci", "memfs/csrc", "tests/shell"):
            (root / name).mkdir(parents=True)

    def program(self, path: str, text: str) -> None:
        file = self.root / path
        file.write_text(f"#!/bin/sh\n{text}\n")
        file.chmod(0o755)

    def tool(self, name: str, text: str = "exit 0") -> None:
        """A stand-in that is found before the real one."""
        self.program(f".venv/bin/{name}", text)

    def shell_test(self, name: str, text: str) -> None:
        (self.root / "tests" / "shell" / name).write_text(text)

    def run(self, script: str, *arguments: str, **env: str):
        return subprocess.run(
            [self.root / "scripts" / script, *arguments],
            cwd=self.root,
            env={**os.environ, "PATH": f"{self.bin}:{os.environ['PATH']}", **env},
            capture_output=True,
            text=True,
            check=False,
        )


@pytest.fixture
def tree(tmp_path):
    return Tree(tmp_path / "tree with a space")


# The empty mount point


@pytest.mark.parametrize("shell", ["dash", "bash"])
def test_echo_without_a_mount_fails_and_leaves_nothing(tmp_path, shell):
    shutil.copytree(ROOT / "mountpoint" / "memhotplug", tmp_path / "m" / "memhotplug")
    before = sorted(tmp_path.rglob("*"))
    command = "echo disable 5 > m/memhotplug"
    done = subprocess.run(
        [shell, "-c", command], cwd=tmp_path, capture_output=True, check=False
    )
    assert done.returncode != 0
    assert b"directory" in done.stderr
    assert sorted(tmp_path.rglob("*")) == before


def git(directory: Path, *arguments: str) -> str:
    command = ["git", "-C", str(directory), *arguments]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return done.stdout


def test_what_lies_in_the_mount_point_survives_a_clone(tmp_path):
    """git keeps no empty directory, and nothing that is ignored."""
    shutil.copytree(
        ROOT / "mountpoint" / "memhotplug", tmp_path / "mountpoint" / "memhotplug"
    )
    shutil.copy(ROOT / ".gitignore", tmp_path)
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "add", ".")
    kept = git(tmp_path, "ls-files", "mountpoint").splitlines()
    assert kept == ["mountpoint/memhotplug/not-mounted.txt"]


# start and stop


MEMFS = f"""
echo "memfs $*" >> calls
rm -r mountpoint/memhotplug
printf '{LISTING.strip()}\\n' > mountpoint/memhotplug
"""


@pytest.fixture
def startable(tree):
    """A tree whose set-up does nothing and whose mount is a plain file."""
    tree.program("scripts/setup", "exit 0")
    tree.tool("memfs", MEMFS)
    return tree


def test_start_mounts_and_shows_the_listing_and_what_to_try(startable):
    done = startable.run("start", "--seed", "3")
    assert done.returncode == 0, done.stderr
    calls = (startable.root / "calls").read_text()
    assert calls == f"memfs mount --seed 3 {startable.root}/mountpoint\n"
    assert done.stdout.startswith(f"$ cat mountpoint/memhotplug\n{LISTING}Try next:\n")
    assert len(done.stdout.partition("Try next:\n")[2].splitlines()) == 3


def called_elsewhere(startable, directory: Path, uid: int = 0):
    """start by somebody in whose PATH no memfs is."""
    startable.tool("id", f"echo {uid}")
    directory.mkdir(exist_ok=True)
    (startable.bin / "id").rename(startable.root / "id")
    return startable.run(
        "start", MEMFS_BIN_DIR=str(directory), PATH=f"{startable.root}:/usr/bin:/bin"
    )


def test_start_makes_memfs_a_command_of_root(startable, tmp_path):
    link = tmp_path / "bin" / "memfs"
    link.parent.mkdir()
    link.symlink_to("/nowhere/of/a/clone/that/is/gone")
    done = called_elsewhere(startable, link.parent)
    assert done.returncode == 0, done.stderr
    assert link.resolve() == startable.bin / "memfs"
    assert f"{link} is a link to" in done.stdout


def test_start_leaves_other_programs_alone_and_says_how_to_call_memfs(
    startable, tmp_path
):
    other = tmp_path / "bin" / "memfs"
    other.parent.mkdir()
    other.write_text("somebody's")
    done = called_elsewhere(startable, other.parent)
    assert other.read_text() == "somebody's"
    assert f"PATH={startable.bin}:$PATH" in done.stdout


def test_start_links_nothing_for_a_user(startable, tmp_path):
    done = called_elsewhere(startable, tmp_path / "bin", uid=1000)
    assert list((tmp_path / "bin").iterdir()) == []
    assert f"PATH={startable.bin}:$PATH" in done.stdout


def test_start_again_is_harmless(startable):
    startable.run("start")
    done = startable.run("start")
    assert done.returncode == 0
    assert "mounted already" in done.stdout
    assert LISTING in done.stdout
    assert len((startable.root / "calls").read_text().splitlines()) == 1


def test_two_starts_take_turns(startable):
    """The second one finds the mount of the first, and the daemon keeps nobody out."""
    looks = """
        if flock -n scripts/start true; then echo "its turn is not its own" >> calls; fi
        if [ -e /proc/$$/fd/9 ]; then echo "the lock is handed on" >> calls; fi
    """
    startable.tool("memfs", looks + MEMFS)
    assert startable.run("start").returncode == 0
    calls = (startable.root / "calls").read_text()
    assert calls == f"memfs mount {startable.root}/mountpoint\n"


def test_start_ends_when_the_mount_fails(startable):
    startable.tool("memfs", "echo no >&2; exit 3")
    done = startable.run("start")
    assert done.returncode == 3
    assert "Try next" not in done.stdout


def test_start_ends_when_the_setup_fails(startable):
    startable.program("scripts/setup", "exit 1")
    assert startable.run("start").returncode == 1
    assert not (startable.root / "calls").exists()


def test_stop_without_a_mount_is_harmless(startable):
    done = startable.run("stop")
    assert done.returncode == 0
    assert "nothing is mounted" in done.stdout
    assert not (startable.root / "calls").exists()


# setup


def test_setup_has_nothing_to_say_the_second_time():
    """In the project itself: the first run here is the second or a later one."""
    command = [ROOT / "scripts" / "setup"]
    subprocess.run(command, capture_output=True, check=True)
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr


def test_setup_names_a_missing_package_to_a_user(tree):
    shutil.copy(ROOT / "memfs" / "doctor.py", tree.root / "memfs")
    tree.tool("id", "echo 1000")
    tree.tool("pkg-config", "exit 1")
    done = tree.run("setup")
    assert done.returncode == 1
    assert done.stderr == (
        "missing  libfuse's headers: pkg-config does not know fuse3. "
        "Install it with: sudo apt-get install libfuse3-dev.\n"
    )


def test_setup_of_what_is_built_asks_for_no_compiler(tmp_path):
    """In the project itself, which is built, by a user who has none."""
    for name, text in (
        ("gcc", "exit 1"),
        ("pkg-config", "exit 1"),
        ("id", "echo 1000"),
    ):
        (tmp_path / name).write_text(f"#!/bin/sh\n{text}\n")
        (tmp_path / name).chmod(0o755)
    done = subprocess.run(
        [ROOT / "scripts" / "setup"],
        env={**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_setup_without_a_python(tree):
    done = tree.run("setup", PYTHON=str(tree.root / "nothing"))
    assert done.returncode == 1
    assert done.stderr == (
        "setup: No Python 3.11 or later was found: sudo apt-get install python3.\n"
    )


@pytest.mark.parametrize("script", ["setup", "test"])
def test_help(tree, script):
    done = tree.run(script, "--help")
    assert done.returncode == 0
    assert done.stdout.startswith(f"usage: scripts/{script}")


def test_setup_refuses_what_it_does_not_know(tree):
    done = tree.run("setup", "--tests")
    assert done.returncode == 1
    assert "unknown argument --tests" in done.stderr


@pytest.fixture
def installable(tree):
    """A tree that a user sets up with stand-ins: a Python that notes its calls."""
    (tree.root / "python3").symlink_to("/bin/true")
    (tree.root / "memfs/vm").mkdir()
    (tree.root / "memfs/vm/_vmcore.x.so").touch()
    (tree.root / "memfs/a.py").write_text("1\n")
    for name in ("setup.py", "pyproject.toml", "memfs/csrc/a.c", "memfs/csrc/a.h"):
        (tree.root / name).touch()
    (tree.root / "memfs/csrc/deep").mkdir()
    (tree.root / "memfs/csrc/deep/a.h").touch()
    tree.tool("id", "echo 1000")
    tree.tool("memfs")
    tree.tool("python", 'echo "$*" >>"$0.calls"')
    return tree


def set_up(tree, *arguments, **env):
    done = tree.run("setup", *arguments, PYTHON=str(tree.root / "python3"), **env)
    assert done.returncode == 0, done.stderr
    return done


def compiled(tree, what="memfs") -> int:
    """How often byte code was made of a directory of the tree."""
    calls = (tree.bin / "python.calls").read_text().splitlines()
    made = [call for call in calls if call.startswith("-m compileall")]
    return sum(call.endswith(f" {tree.root.resolve() / what}") for call in made)


@pytest.mark.parametrize("value", ["", "1"])
def test_setup_compiles_what_has_changed(installable, value):
    """Byte code is made for a start that may write none; what is up to date is not."""
    for _ in range(2):
        set_up(installable, PYTHONDONTWRITEBYTECODE=value)
    assert compiled(installable) == 1
    assert compiled(installable, ".venv/lib") == 1

    # The same text of another time: Python would take the byte code for old.
    os.utime(installable.root / "memfs/a.py", (1, 1))
    set_up(installable, PYTHONDONTWRITEBYTECODE=value)
    assert compiled(installable) == 2

    (installable.root / "memfs/vm/b.py").touch()
    set_up(installable, PYTHONDONTWRITEBYTECODE=value)
    assert compiled(installable) == 3


def test_setup_goes_on_where_no_byte_code_can_be_written(installable):
    """It is for speed alone; the next run tries again."""
    installable.tool("python", 'echo "$*" >>"$0.calls"; [ "$2" != compileall ]')
    for _ in range(2):
        set_up(installable)
    assert compiled(installable) == 2


@pytest.mark.parametrize("value", ["", "1"])
def test_a_start_after_setup_finds_its_byte_code(value):
    """In the project itself: what is there now, of the very time that it has now."""
    subprocess.run([ROOT / "scripts" / "setup"], check=True, capture_output=True)
    command = [ROOT / ".venv/bin/python", "-v", "-c", "import memfs.cli, memfs.mount"]
    env = {**os.environ, "PYTHONDONTWRITEBYTECODE": value}
    done = subprocess.run(
        command, env=env, capture_output=True, text=True, check=True, cwd="/"
    )
    code = [line for line in done.stderr.splitlines() if f"{ROOT}/memfs" in line]

    assert any("matches" in line for line in code)
    assert not any("code object from /" in line for line in code)


APT = """
[ "$2" = download ] && [ -e "{index}" ] && touch pcp_6.deb && exit
echo "E: $*" >&2
exit 100
"""
DPKG = """
[ "$*" = "-x pcp_6.deb ." ] && mkdir -p usr/bin && install /bin/true usr/bin/pminfo
"""


def test_setup_unpacks_for_a_user_what_only_root_could_install(installable):
    """PCP, beside the project, once."""
    index = installable.root / "index"
    index.touch()
    installable.tool("apt-get", APT.format(index=index))
    installable.tool("dpkg", DPKG)
    said = [set_up(installable, "--test").stdout for _ in range(2)]

    assert [text.count("unpacking pcp") for text in said] == [1, 0]
    there = sorted(os.listdir(installable.root / "build/pcp"))
    assert there == ["usr"]


def test_setup_says_what_a_user_cannot_download(installable):
    """One sentence with its remedy; the next run tries again."""
    installable.tool("apt-get", APT.format(index=installable.root / "index"))
    for _ in range(2):
        done = installable.run(
            "setup", "--test", PYTHON=str(installable.root / "python3")
        )
        assert done.returncode == 1
        assert done.stderr == (
            "setup: pcp cannot be downloaded: sudo apt-get update, and try again.\n"
        )


# test: how results are counted. What is checked: 7 static checks that all pass.


@pytest.fixture
def testable(tree):
    tree.program("scripts/setup", "exit 0")
    for name in ("ruff", "mypy", "shellcheck", "clang-format", "gcc", "clang"):
        tree.tool(name)
    tree.tool("python", "echo '==== 3 passed, 1 skipped in 0.10s ===='")
    return tree


def test_all_pass(testable):
    testable.shell_test("a.t", "echo 1..2; echo ok 1; echo ok 2 '# SKIP no fuse'\n")
    done = testable.run("test", "fast")
    assert done.returncode == 0, done.stdout
    # Two shells, in each of which one test passes and one is skipped; two pytests.
    assert done.stdout.splitlines()[-1] == "15 passed, 0 failed, 4 skipped"


def last_lines(done) -> tuple[str, str]:
    """What is said of the first failure, and the totals."""
    assert done.returncode == 1
    _, _, summary = done.stdout.partition("== first failure: ")
    return summary, done.stdout.splitlines()[-1]


def test_a_failing_check_is_shown_and_shown_again_at_the_end(testable):
    testable.tool("mypy", "echo memfs/x.py:1: error; exit 1")
    summary, totals = last_lines(testable.run("test", "fast"))
    assert summary.startswith("mypy (build/test/mypy.log)\nmemfs/x.py:1: error\n")
    assert totals == "12 passed, 1 failed, 2 skipped"


def test_failures_and_errors_of_pytest_are_added(testable):
    closing = "== 2 failed, 30 passed, 4 xfailed, 1 error in 61.00s (0:01:01) =="
    testable.tool("python", f"echo FAILED x.py::y; echo '{closing}'; exit 1")
    summary, totals = last_lines(testable.run("test", "fast"))
    assert "FAILED x.py::y\n" in summary
    assert totals == "75 passed, 6 failed"


def test_a_pytest_that_dies_is_a_failure(testable):
    testable.tool("python", "echo Fatal Python error; exit 134")
    summary, totals = last_lines(testable.run("test", "fast"))
    assert "Fatal Python error" in summary
    assert totals == "7 passed, 2 failed"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("echo 1..2; echo ok 1; echo not ok 2; exit 1\n", "not ok 2"),
        ("echo 1..2; echo ok 1\n", "keeps its plan"),
        ("echo ok 1\n", "keeps its plan"),
        ("exit 0\n", "keeps its plan"),
        ("echo 1..1; echo ok 1; exit 7\n", "ends with status 0, not 7"),
    ],
)
def test_shell_tests_that_fail(testable, text, told):
    testable.shell_test("a.t", text)
    summary, totals = last_lines(testable.run("test", "fast"))
    assert told in summary
    assert ", 2 failed, " in totals


def test_both_shells_are_used_and_told(testable):
    testable.shell_test(
        "a.t", 'echo 1..1; echo "ok 1 - ${BASH_VERSION:+b} $TEST_SHELL"\n'
    )
    done = testable.run("test", "fast")
    assert "ok 1 -  dash\n" in done.stdout
    assert "ok 1 - b bash\n" in done.stdout


def test_arguments_go_to_pytest(testable):
    testable.tool("python", 'echo "args: $*"; echo "1 passed in 0.10s"')
    done = testable.run("test", "fast", "-k", "a b")
    assert "args: -m pytest --color=no -k a b\n" in done.stdout


def test_arguments_leave_one_pytest(testable):
    """They say which tests; what has sanitizers is run as ever."""
    (testable.root / "memfs" / "x").touch()
    testable.program("scripts/stress", "exit 0")
    testable.tool("python", 'echo "args: $*"; echo "1 passed in 0.10s"')
    done = testable.run("test", "-x", "tests")
    calls = [line for line in done.stdout.splitlines() if line.startswith("args: ")]
    assert calls == [
        "args: -m pytest --color=no -x tests",
        "args: -m pytest --color=no --capture=sys "
        "-m not mount and not tree and not figures and not python",
    ]
    assert done.returncode == 0, done.stdout


def test_what_runs_beside_is_shown_whole_after_the_rest(testable):
    """Though it was done long before; the earliest failure is the first."""
    testable.tool(
        "python",
        """
        case "$*" in
        *"not mount"*) echo 'FAILED of the model'; touch done ;;
        *) until [ -e done ]; do :; done; echo 'FAILED of a mount' ;;
        esac
        echo '1 failed in 0.10s'
        exit 1
        """,
    )
    done = testable.run("test", "fast")
    said = done.stdout
    places = [said.index(text) for text in ("== mount tests", "== model tests")]
    assert places == sorted(places)
    assert said.count("FAILED of") == 3
    summary, totals = last_lines(done)
    assert "first failure: " not in summary
    assert totals == "7 passed, 2 failed"


def test_a_background_that_dies_is_a_failure(testable):
    testable.tool(
        "python",
        'case "$*" in *"not mount"*) kill -9 0 ;; esac; echo "1 passed in 0.10s"',
    )
    summary, totals = last_lines(testable.run("test", "fast"))
    assert summary.startswith("the steps beside the others (build/test/beside.log)\n")
    assert totals == "1 passed, 1 failed"


@pytest.mark.parametrize(
    ("signal", "send"),
    [(signals.SIGINT, os.killpg), (signals.SIGTERM, os.kill)],
    ids=["to all in front", "to the script alone"],
)
def test_a_signal_ends_all_of_it(testable, signal, send):
    """In front and in the background; though the caller had it ignored."""
    testable.tool(
        "python",
        'case "$*" in *"not mount"*) name=behind ;; *) name=front ;; esac\n'
        'echo $$ >"$name"; until [ -e ended ]; do sleep 0.01; done',
    )
    process = subprocess.Popen(
        ["env", "--ignore-signal=INT", testable.root / "scripts" / "test", "fast"],
        env={**os.environ, "PATH": f"{testable.bin}:{os.environ['PATH']}"},
        cwd=testable.root,
        start_new_session=True,
        stdout=subprocess.DEVNULL,
    )
    names = [testable.root / name for name in ("front", "behind")]
    wait_until(lambda: all(name.exists() for name in names))
    pids = [int(wait_until(name.read_text)) for name in names]
    try:
        send(process.pid, signal)
        assert process.wait(60) != 0
        assert wait_until(lambda: not any(is_alive(pid) for pid in pids), 60)
    finally:
        process.kill()
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signals.SIGKILL)


def test_c_files_are_compiled_by_both_compilers(testable):
    (testable.root / "memfs" / "csrc" / "a.c").touch()
    testable.tool("clang", "echo bad.c:1: warning; exit 1")
    done = testable.run("test", "fast")
    assert done.stdout.count("FAILED: ") == 1
    assert "FAILED: clang warnings" in done.stdout
