"""A child that loads what serves a mount while the command line is being read."""

import os
import select
import signal
import subprocess
import sys

import pytest

from memfs.cli import ahead, table

COMMAND = (sys.executable, "-m", "memfs")


@pytest.mark.parametrize(
    "line",
    [
        "mount m",
        "mount --machine 2003 -o ro m",
        "2004 /mnt/m -o ro",
        "./box.toml m",
        "exec --machine 2004 -- true",
        "exec --machine=2004 -- true",
    ],
)
def test_a_line_that_mounts_begins_to_load(line):
    """A mount that becomes another process is what takes long."""
    assert ahead._will_mount(table.mount8(line.split()))


@pytest.mark.parametrize(
    "line",
    [
        "",
        "--help",
        "mount --help",
        "mount -f m",
        "mount --foreground m",
        "umount m",
        "exec -- true",
        "exec -- true --machine 2004",
        "purge 5",
    ],
)
def test_any_other_line_does_not(line):
    """Nobody pays for what is not needed; in the foreground the process serves."""
    assert not ahead._will_mount(table.mount8(line.split()))


def test_what_was_not_needed_is_ended():
    """Nothing is left of a child that was never told what to mount."""
    ahead.begin(["mount", "m"])
    pid = ahead._begun.pid
    ahead.drop()

    assert ahead.taken() is None
    with pytest.raises(ChildProcessError):
        os.waitpid(pid, 0)


@pytest.mark.parametrize("words", ["mount -o nonsense m", "mount", "mount -fz m"])
def test_a_mistake_on_the_command_line_keeps_no_child(words, tmp_path):
    """Whoever holds the other end of standard output is not kept waiting."""
    receive, send = os.pipe()
    done = subprocess.run(
        [*COMMAND, *words.split()], cwd=tmp_path, stdout=send, stderr=subprocess.PIPE
    )
    os.close(send)
    os.set_blocking(receive, False)

    assert done.returncode == 2
    assert os.read(receive, 1) == b""
    os.close(receive)


def test_what_cannot_be_loaded_is_one_sentence(tmp_path):
    """As where what was compiled is older than what calls it."""
    broken = tmp_path / "trio.py"
    broken.write_text("raise ImportError('no trio here')")
    done = subprocess.run(
        [*COMMAND, "mount", str(tmp_path)],
        env={**os.environ, "PYTHONPATH": f"{tmp_path}:{os.getcwd()}"},
        cwd=os.getcwd(),
        capture_output=True,
        text=True,
    )

    assert done.returncode == 1
    assert done.stderr == (
        "memfs: no trio here: `memfs doctor` says what this computer lacks\n"
    )


@pytest.mark.mount
@pytest.mark.parametrize("command", ["mount", "exec"])
def test_an_interrupted_wait_leaves_no_daemon(command, tmp_path):
    """A machine file that nobody has written yet: ^C ends whoever reads it."""
    box, point = tmp_path / "box.toml", tmp_path / "m"
    os.mkfifo(box)
    point.mkdir()
    rest = {"mount": [str(point)], "exec": ["--", "true"]}[command]
    caller = subprocess.Popen(
        [*COMMAND, command, f"--machine={box}", *rest],
        env={**os.environ, "TMPDIR": str(tmp_path)},
    )
    # Opens when the child has opened it.
    write = os.open(box, os.O_WRONLY)
    caller.send_signal(signal.SIGINT)

    assert caller.wait(20) == 130
    reader = select.poll()
    reader.register(write, 0)
    assert reader.poll(20_000) == [(write, select.POLLERR)]
    os.close(write)
    assert sorted(os.listdir(tmp_path)) == ["box.toml", "m"]
