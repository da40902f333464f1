"""The command line, run in this process against a directory that looks like a mount."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import terminal
from click.testing import CliRunner
from fakemount import FakeMachine, make_mount
from mounting import PATIENCE_S, ROOT

from memfs.cli import cli, hog, machines, mountopts
from memfs.cli.common import Seed, Size
from memfs.cli.group import COMMANDS, mount8
from memfs.client import EXIT_STATUSES, Mount


@pytest.fixture
def run(monkeypatch, tmp_path):
    """Run memfs in an empty directory; the result of click's runner."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MEMFS_MOUNT", raising=False)
    runner = CliRunner()
    return lambda *words: runner.invoke(cli, list(words))


@pytest.fixture
def machine(monkeypatch, tmp_path):
    """Make a FakeMachine under mountpoint/, where every command finds it."""

    def make(left, why=""):
        fake = FakeMachine(make_mount(tmp_path / "mountpoint"), left, why)
        monkeypatch.setattr(Mount, "write", lambda m, n, t: fake.write(m, n, t))
        return fake

    return make


def test_help_names_every_command_and_exit_status(run):
    """--help teaches: commands, examples, how the mount is found, exit statuses."""
    result = run("--help")

    assert result.exit_code == 0
    for word in [*COMMANDS, *map(str, EXIT_STATUSES), "MEMFS_MOUNT", "fuse.memfs"]:
        assert word in result.output


@pytest.mark.parametrize("name", COMMANDS)
def test_help_of_each_command_has_examples(run, name):
    """Every command's --help shows it at work."""
    result = run(name, "--help")

    assert result.exit_code == 0
    assert "Examples:" in result.output
    assert f"memfs {name}" in result.output


def test_unknown_command_suggests_the_near_one(run):
    """A slip is told apart from a machine's name, with status 2."""
    result = run("purrge", "5")

    assert result.exit_code == 2
    assert "Did you mean 'purge'" in result.output


@pytest.mark.parametrize(
    "words", [["purge", "5"], ["hog", "anon", "1M"], ["validate", "m"]]
)
def test_no_mount_is_status_3_and_one_sentence(run, words):
    """Without a mount every command says so and how to get one."""
    result = run(*words)

    assert result.exit_code == 3
    assert result.stderr.count("\n") == 1
    assert "memfs mount" in result.stderr


@pytest.mark.parametrize(
    "word", [*COMMANDS, *map(str, EXIT_STATUSES), *mountopts.OWN, *hog.WORDS]
)
def test_documentation_names_every_word(word):
    """docs/cli.rst knows each command, exit status, word of -o and of --touch."""
    page = Path(__file__).parents[1] / "docs" / "cli.rst"

    assert word in page.read_text()


@pytest.mark.parametrize(
    "words",
    [["umount", "m"], ["mount", "m"], ["mount", "--files", "f", "/"], ["purge", "5"]],
)
def test_a_directory_that_is_gone_is_one_sentence(run, tmp_path, monkeypatch, words):
    """The one that the command was started in."""
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    result = run(*words)

    assert result.exit_code in (1, 3)
    assert result.stderr.count("\n") == 1


# The form of mount(8).


@pytest.mark.parametrize("first", ["2004", "./m.toml", "/etc/m", "m.toml"])
def test_mount8_form_is_the_mount_command(first):
    """NAME|FILE MOUNTPOINT -o OPTS becomes mount --machine NAME|FILE ..."""
    args = [first, "/mnt/m", "-o", "rw,allow_other"]

    assert ["mount", "--machine", *args] == mount8(args)


def test_a_machine_file_that_is_not_there_is_named_once(run, tmp_path):
    """What was found comes with the name already."""
    result = run("machine", "show", f"{tmp_path}/box.toml")

    assert result.exit_code == 1
    assert result.stderr.count("box.toml") == 1
    assert "No such file or directory" in result.stderr


def test_mount8_takes_any_file_that_is_there_for_a_machine(tmp_path, monkeypatch):
    """mount -t fuse.memfs box /mnt/m: a name without a slash or a suffix."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "box").write_text("")

    assert mount8(["box", "/m"]) == ["mount", "--machine", "box", "/m"]


def test_a_machine_that_is_none_is_answered_with_those_there_are(run, tmp_path):
    """Where a slip was meant for a built-in one."""
    (tmp_path / "m").mkdir()
    result = run("mount", "--machine", "2005", "m")

    assert result.exit_code == 1
    assert "2005: neither a machine file nor one of 2003, 2004" in result.stderr


@pytest.mark.parametrize("args", [[], ["purge", "5"], ["--help"], ["nosuch", "/m"]])
def test_mount8_leaves_commands_alone(args):
    """What is no machine is not touched."""
    assert args == mount8(args)


def test_fstab_words_are_sorted():
    """memfs's own words are read, libfuse's passed on, mount(8)'s swallowed."""
    words = mountopts.parse(
        ["rw,noauto,nofail,x-systemd.automount,nosuid", "clock=manual,seed=0x10,"]
    )

    assert words.own == {"clock": "manual", "seed": 16}
    assert words.passed == ["nosuid"]
    assert mountopts.parse(["defaults,suid,dev,exec"]).passed == ["suid", "dev"]
    assert mountopts.parse(["ro,noatime"]).own == {"noatime": True}


@pytest.mark.parametrize(
    ("word", "said"),
    [("size=64m", "67108864"), ("shm_size=50%", "50%"), ("shm-size=0", "0")],
)
def test_the_size_of_shm_is_said_as_tmpfs_has_it(word, said):
    assert mountopts.parse([word]).own == {"shm_size": said}


def test_every_own_word_is_an_option_of_mount(run):
    """-o and the long options know the same settings."""
    text = run("mount", "--help").output
    for word in mountopts.OWN:
        assert f"--{word.replace('_', '-')}" in text


@pytest.mark.parametrize(
    "word",
    [
        *("nosuch", "seed=x", "clock=lunar", "host_memory=0", "files="),
        *("size=", "size=-1", "size=x", "size=1%2", "shm_size=%"),
        *("max_read=", "max_read=x", "max_read=-1"),
    ],
)
def test_bad_mount_word_is_refused_by_name(run, word):
    """A word that nobody knows or a bad value: status 2, and the word."""
    result = run("mount", "-o", word, "m")

    assert result.exit_code == 2
    assert word in result.stderr


@pytest.mark.parametrize("word", ["x", "1.5", "0x", ""])
def test_a_bad_seed_is_said_in_words(run, word):
    """As an option and as a word of -o, which take the same numbers."""
    for words in (["--seed", word], ["-o", f"seed={word}"]):
        result = run("mount", *words, "m")

        assert result.exit_code == 2
        assert f"{word!r} is not a number" in result.stderr
    assert Seed().convert("0x10", None, None) == 16
    assert mountopts.parse(["seed=007"]).own == {"seed": 7}


@pytest.mark.parametrize(
    "words",
    [
        *(["mount", ""], ["mount", "--files", "", "m"], ["2004", ""]),
        *(["umount", ""], ["purge", "-m", "", "5"], ["validate", ""], ["export", ""]),
    ],
)
def test_an_empty_name_is_not_the_current_directory(run, words):
    """As of a variable that is not set: nothing is mounted over where one is."""
    result = run(*words)

    assert result.exit_code == 2
    assert "the name is empty" in result.stderr


# Types.


@pytest.mark.parametrize(
    ("text", "expected"),
    [("4096", 4096), ("200M", 200 << 20), ("1g", 1 << 30), ("3KiB", 3072)],
)
def test_sizes_are_read(text, expected):
    """Powers of 1024, upper and lower case, with and without iB."""
    assert expected == Size().convert(text, None, None)


@pytest.mark.parametrize("text", ["", "x", "-1", "0", "1.5G", "10X", "1 M"])
def test_bad_sizes_are_usage_errors(run, machine, text):
    """Status 2, before anything is asked of the mount."""
    machine([])

    assert run("hog", "anon", "--", text).exit_code == 2


@pytest.mark.parametrize(
    "text", ["x", "-1", "5x", "Normal[", "5]5", "", "5]", "Normal[5", "[5]"]
)
def test_bad_zones_are_usage_errors(run, machine, text):
    """Status 2, and no command was written."""
    fake = machine([])

    assert run("purge", "--", text).exit_code == 2
    assert fake.commands == []


# purge.


@pytest.mark.parametrize("word", ["5", "0x5", "Normal[5]"])
def test_purge_repeats_until_the_zone_is_empty(run, machine, word):
    """Purges follow each other while pages go, and end when none is left."""
    fake = machine([5000, 12, 0])
    result = run("purge", word)

    assert result.exit_code == 0
    assert fake.commands == ["purge 5"] * 3
    assert "purge Normal[5]: 12 -> 0 pages in use" in result.output


def test_purge_ends_after_two_purges_that_free_nothing(run, machine):
    """One idle purge may be waiting for writes; two are the end."""
    fake = machine([300, 300, 256, 256, 256])
    result = run("purge", "5")

    assert len(fake.commands) == 5
    assert result.exit_code == 0
    assert "256" in result.output


def test_purge_of_a_zone_that_fills_again_ends(run, machine):
    """Pages that come and go are no progress: only a new minimum is."""
    fake = machine([300, 310, 300, 305, 290])
    result = run("purge", "5")

    assert len(fake.commands) == 3
    assert result.exit_code == 0


def test_purge_says_why_pages_stay(run, machine):
    """The table of reasons comes from status, the most frequent first."""
    machine([256, 256, 256], why="  why writeback=3 dirty=253\n")
    lines = run("purge", "5").output.splitlines()
    at = next(i for i, line in enumerate(lines) if line.startswith("dirty"))

    assert "253" in lines[at]
    assert lines[at + 1].startswith("writeback")


def test_purge_that_is_interrupted_tells_how_far_it_came(run, machine, monkeypatch):
    """What is in use then, though no purge came to its end."""
    fake = machine([5000])

    def write(mount, name, text):
        fake.write(mount, name, text)
        raise KeyboardInterrupt

    monkeypatch.setattr(Mount, "write", write)
    result = run("purge", "5")

    assert result.exit_code == 130
    assert "78,632 (307 MiB) freed by 0 purges, 5,000 (19 MiB) stay" in result.output


def test_purge_empty_fails_when_pages_stay(run, machine):
    """--empty makes the exit status say whether the zone is empty."""
    machine([1, 1, 1])

    assert run("purge", "--empty", "5").exit_code == 1


def test_purge_json_is_for_programs(run, machine):
    """One object, and nothing else on stdout."""
    machine([100, 0])
    found = json.loads(run("purge", "--json", "5").stdout)

    assert found["purges"] == 2
    assert found["left"] == 0
    assert found["rounds"] == [
        {"before": 83632, "after": 100},
        {"before": 100, "after": 0},
    ]


def test_purge_of_a_zone_that_is_not_there_is_status_1(run, machine):
    """Nor under that name. The sentence lists the zones; no command was written."""
    fake = machine([])
    for word in ("9", "DMA[5]"):
        result = run("purge", word)

        assert result.exit_code == 1
        assert f"{word}: not there; zones are" in result.stderr
        assert "Normal[5]" in result.stderr
    assert fake.commands == []


# validate.


def test_validate_exits_1_with_the_violations(run, machine, monkeypatch, tmp_path):
    """Each violation is a line; the status says that there are some."""
    machine([])
    monkeypatch.setattr(Mount, "write", lambda m, n, t: None)
    answer = tmp_path / "mountpoint/control/validate"
    answer.write_text("zone 5: free 3, found 4\n")
    result = run("validate", "mountpoint")

    assert result.exit_code == 1
    assert result.output == "zone 5: free 3, found 4\n"

    answer.write_text("ok\n")

    assert run("validate", "mountpoint").exit_code == 0
    assert json.loads(run("validate", "--json").stdout)["violations"] == []
    assert run("validate", "--mount", "mountpoint").exit_code == 0
    assert run("validate", "--mount", "mountpoint", "mountpoint").exit_code == 2


# hog.


def test_touch_words_have_defaults():
    """Write, sequential, forever, unless it is said otherwise."""
    assert hog.touch_words(()) == ["write", "sequential", "forever"]
    assert hog.touch_words(("read,once", "random")) == ["read", "random", "once"]


@pytest.mark.parametrize("given", ["read,write", "gently", "once forever"])
def test_touch_words_that_make_no_sense_are_refused(run, machine, given):
    """An unknown word, or two of one kind: status 2."""
    machine([])

    assert run("hog", "anon", "1M", "--touch", given).exit_code == 2


@pytest.mark.parametrize("memory", ["anonymous", "file:", "file", "disk:x"])
def test_memory_is_anon_or_a_file(run, machine, memory):
    """Anything else is a usage error."""
    machine([])

    assert run("hog", memory, "1M").exit_code == 2


def test_file_of_hog_is_found_below_files(tmp_path, monkeypatch):
    """A bare name, one from the mount's root, and a path of this computer."""
    mount = Mount(make_mount(tmp_path / "m"))
    (mount.path / "files/big").write_text("x")
    (tmp_path / "big").write_text("not this one")
    monkeypatch.chdir(tmp_path)
    for path in ("big", "files/big", "m/files/big", str(tmp_path / "m/files/big")):
        assert hog.name_below(mount, path) == "files/big"


def test_file_of_hog_that_is_not_there_is_status_1(run, machine):
    """The sentence says where it was looked for."""
    machine([])
    result = run("hog", "file:../../etc/passwd", "1M")

    assert result.exit_code == 1
    assert "no such file" in result.stderr


# Completion, machines, the process itself.


def complete(monkeypatch, words, shell="bash"):
    """What bash's completion offers for the last of *words*."""
    env = dict(os.environ, _MEMFS_COMPLETE=f"{shell}_complete")
    env |= {"COMP_WORDS": " ".join(words), "COMP_CWORD": str(len(words) - 1)}
    done = subprocess.run(
        [sys.executable, "-m", "memfs"], env=env, capture_output=True, text=True
    )
    assert done.stderr == ""
    return [line.partition(",")[2] for line in done.stdout.split()]


def test_completion_offers_zones_of_the_mount(tmp_path, monkeypatch):
    """`memfs purge --mount m TAB` offers the zones that the mount lists."""
    root = make_mount(tmp_path / "m")
    words = ["memfs", "purge", "--mount", str(root), ""]

    assert complete(monkeypatch, words) == ["0", "1", "5", "6"]


def test_completion_without_a_mount_is_silent(monkeypatch, tmp_path):
    """Nothing to offer is no error."""
    monkeypatch.setenv("MEMFS_MOUNT", str(tmp_path))

    assert complete(monkeypatch, ["memfs", "purge", ""]) == []


def test_completion_offers_machines_and_commands(monkeypatch):
    """Built-in machines after --machine; commands in the first place."""
    words = ["memfs", "mount", "--machine", "200"]

    assert {"2003", "2004"} <= set(complete(monkeypatch, words))
    assert complete(monkeypatch, ["memfs", "pu"]) == ["purge"]


# What is typed before TAB, and what bash makes of it.
TYPED = [
    ("memfs hog -m m anon 4M --touch write,ra", "write,random "),
    ("memfs hog -m m f", "file:"),
    ("memfs hog -m m file:big", "file:bigfile "),
    ('memfs hog -m m "file:big', '"file:bigfile" '),
    ("memfs hog -m m file:dir/", "file:dir/inner "),
    ("memfs hog -m m file:sh", "file:shm/"),
    ("memfs why -m m node", "node"),
    ("memfs mount --machine=pow", "--machine=power "),
    ("memfs pur", "purge "),
]


@pytest.mark.parametrize(("typed", "completed"), TYPED)
def test_bash_completes(run, tmp_path, typed, completed):
    """With readline's own idea of what a word is, at a real prompt."""
    root = make_mount(tmp_path / "m")
    (root / "files/dir").mkdir(parents=True)
    (root / "shm").mkdir(exist_ok=True)
    for name in ("bigfile", "dir/inner"):
        (root / "files" / name).touch()
    memfs = tmp_path / "bin/memfs"
    memfs.parent.mkdir()
    memfs.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m memfs "$@"\n')
    memfs.chmod(0o755)
    rc = tmp_path / "rc"
    rc.write_text(
        f'PS1="> "; PATH={memfs.parent}:$PATH; export PYTHONPATH={ROOT}\n'
        f"{run('completion', 'bash').output}\n"
        """bind 'set bell-style none'; bind 'set enable-bracketed-paste off'
        bind -x '"\\C-g": printf "<%s>" "$READLINE_LINE"'
        """
    )
    keys = f"{typed}\t\a\x15\x04".encode()
    bash = ["bash", "--noprofile", "--rcfile", str(rc), "-i"]
    seen, _ = terminal.plays(bash, ["> "], keys, PATIENCE_S)

    assert f"<{typed.rpartition(' ')[0]} {completed}>" in seen


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_script_names_its_variable(run, shell):
    """The script calls memfs back for what it offers."""
    assert "_MEMFS_COMPLETE" in run("completion", shell).output


def test_builtin_machines_are_the_files_of_the_package():
    """A layout that is put beside the others has its name at once."""
    assert {"2003", "2004"} <= set(machines.builtin())
    assert machines.text_of("2004").startswith("#")


def test_commands_that_talk_need_no_core():
    """hog, purge and completion import neither the core nor pyfuse3 nor trio."""
    program = (
        "import sys, memfs.cli.hog, memfs.cli.purge, memfs.cli.completion\n"
        "bad = {'pyfuse3', 'trio', 'memfs.vm._vmcore'} & set(sys.modules)\n"
        "sys.exit(', '.join(bad) or 0)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True)

    assert (done.returncode, done.stderr) == (0, b"")
