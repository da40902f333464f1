"""files/ and shm/ on a real mount, used by real programs."""

from __future__ import annotations

import errno
import fcntl
import mmap
import os
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from mounting import MEMFS, PATIENCE_S, start

pytestmark = pytest.mark.mount

root_only = pytest.mark.skipif(os.getuid() != 0, reason="needs root")


def memfs(directory: Path, *options: str):
    """A mount of the default machine over ``directory/host``."""
    host = directory / "host"
    host.mkdir(exist_ok=True)
    env = {"MEMFS_RUNTIME_DIR": str(directory / "runtime")}
    options = ("--paranoid", "--files", str(host), *options)
    mount = start(directory / "mnt", directory / "log", MEMFS, options=options, env=env)
    mount.host = host
    return mount


@pytest.fixture(scope="module")
def mount(tmp_path_factory):
    """One mount for all tests that leave it as it was."""
    mount = memfs(tmp_path_factory.mktemp("files"), "-o", "allow_other")
    try:
        yield mount
        mount.finish()
    finally:
        mount.destroy()


@pytest.fixture
def own_mount(tmp_path):
    """A mount of one's own; ``own_mount()`` mounts again over the same directory."""
    mounts = []

    def again(*options):
        mounts.append(memfs(tmp_path, *options))
        return mounts[-1]

    yield again
    for mount in mounts:
        mount.destroy()


@pytest.fixture(params=["files", "shm"])
def here(request, mount):
    """A directory of its own for each test, below files/ and below shm/."""
    here = mount.path / request.param / request.node.originalname
    here.mkdir()
    yield here
    subprocess.run(["rm", "-rf", here], check=True)


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """A tree with some of everything, and times in the past."""
    top = tmp_path_factory.mktemp("source") / "tree"
    (top / "a" / "b").mkdir(parents=True)
    (top / "empty").mkdir(mode=0o700)
    for i, size in enumerate((0, 1, 4095, 4096, 4097, 131072, 3_000_001)):
        (top / "a" / f"f{i}").write_bytes(os.urandom(size))
        (top / "a" / f"f{i}").chmod(0o600 + i)
    os.link(top / "a" / "f4", top / "a" / "b" / "linked")
    (top / "a" / "b" / "up").symlink_to("../f5")
    (top / "dangling").symlink_to("/no/such/file")
    os.mkfifo(top / "fifo")
    (top / "with space\nand newline").write_text("x")
    (top / ("n" * 255)).write_text("long")
    os.close(os.open(os.fsencode(top) + b"/\xff\xfe\x01", os.O_CREAT, 0o644))
    for i, path in enumerate(sorted(top.rglob("*"), reverse=True)):
        when = 1_000_000_000_000_000_000 + i * 1_000_000_001
        os.utime(path, ns=(when, when + 7), follow_symlinks=False)
    return top


def sh(script: str, *args: object) -> str:
    """Run a script; its output, or the test fails."""
    done = subprocess.run(
        ["bash", "-ec", script, "bash", *map(str, args)],
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_S,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def facts(top: Path) -> list[tuple]:
    """Everything about a tree that a copy must keep; directories' sizes may differ."""
    seen = []
    for path in [top, *sorted(top.rglob("*"))]:
        st = path.lstat()
        size = 0 if stat.S_ISDIR(st.st_mode) else st.st_size
        row = (st.st_mode, size, st.st_nlink, st.st_uid, st.st_gid, st.st_mtime_ns)
        data = path.read_bytes() if stat.S_ISREG(st.st_mode) else None
        link = os.readlink(path) if stat.S_ISLNK(st.st_mode) else None
        seen.append((os.fsencode(path.relative_to(top)), *row, data, link))
    return seen


def errno_of(call, *args, **kwargs) -> str:
    """The name of the errno that a call is refused with."""
    with pytest.raises(OSError) as caught:  # noqa: PT011
        call(*args, **kwargs)
    return errno.errorcode[caught.value.errno]


# Copies


def test_cp_a_keeps_everything(here, tree):
    sh("cp -a $1 $2", tree, here)

    assert facts(here / "tree") == facts(tree)


def test_tar_there_and_back(here, tree, tmp_path):
    sh(
        "cd $1 && tar --format=posix -cf $2/t.tar tree && tar -C $2 -xf $2/t.tar",
        tree.parent,
        here,
    )
    sh("tar -C $1 -df $1/t.tar", here)
    assert facts(here / "tree") == facts(tree)

    sh("cd $1 && tar --format=posix -cf - tree | tar -C $2 -xf -", here, tmp_path)
    assert facts(tmp_path / "tree") == facts(tree)


def test_cksum_and_cmp_of_a_large_file(here, tmp_path):
    big = tmp_path / "big"
    sh("head -c 64M /dev/urandom > $1; cp $1 $2/big; cmp $1 $2/big", big, here)

    assert sh("cksum < $1", big) == sh("cksum < $1", here / "big")


def test_a_second_copy_finds_nothing_to_do(here, tree):
    """What cp -u, rsync and make look at: sizes and times."""
    sh("cp -a $1 $2", tree, here)

    assert sh("cp -auv $1 $2 | grep -v ' link' || true", tree, here).count("f5") == 0
    for path in (here / "tree").rglob("*"):
        twin = tree / path.relative_to(here / "tree")
        assert path.lstat().st_mtime_ns == twin.lstat().st_mtime_ns


# dd


def test_dd_with_odd_sizes(here, tmp_path):
    sh(
        """
        head -c 1000003 /dev/urandom > $1/in
        dd if=$1/in of=$2/out bs=777 status=none
        cmp $1/in $2/out
        dd if=$2/out of=$1/back bs=4099 status=none
        cmp $1/in $1/back
        dd if=$1/in of=$2/out bs=1000 seek=3 skip=5 count=7 conv=notrunc status=none
        dd if=$1/in of=$1/back bs=1000 seek=3 skip=5 count=7 conv=notrunc status=none
        cmp $1/back $2/out
        dd if=$1/in of=$2/synced bs=64K conv=fsync status=none
        dd if=$1/in of=$2/osync bs=64K oflag=dsync status=none
        cmp $2/synced $2/osync
        """,
        tmp_path,
        here,
    )


def test_dd_with_o_direct(here, tmp_path):
    sh(
        """
        head -c 4M /dev/urandom > $1/in
        dd if=$1/in of=$2/out bs=64K oflag=direct status=none
        dd if=$2/out of=$1/back bs=64K iflag=direct status=none
        cmp $1/in $1/back
        """,
        tmp_path,
        here,
    )


# Sizes


def test_truncate(here):
    file = here / "f"
    file.write_bytes(b"a" * 10_000)
    os.truncate(file, 5_000)
    os.truncate(file, 8_000)
    assert file.read_bytes() == b"a" * 5_000 + bytes(3_000)
    with open(file, "r+b") as f:
        f.truncate(3)
        f.seek(0, 2)
        assert f.tell() == 3


def test_append(here):
    file = here / "f"
    for i in range(100):
        with open(file, "ab") as f:
            f.write(b"%03d\n" % i)
    sh("for i in 1 2 3; do echo more >> $1; done", file)

    assert (
        file.read_bytes() == b"".join(b"%03d\n" % i for i in range(100)) + b"more\n" * 3
    )


def test_appending_processes_lose_nothing(here):
    line = 'for i in $(seq 200); do echo "$2 $i" >> $1; done'
    writers = [
        subprocess.Popen(["bash", "-c", line, "bash", here / "log", str(n)])
        for n in range(4)
    ]

    assert [w.wait(60) for w in writers] == [0] * 4
    lines = (here / "log").read_text().splitlines()
    assert sorted(lines) == sorted(f"{n} {i}" for n in range(4) for i in range(1, 201))


def test_sparse_files(here):
    file = here / "sparse"
    with open(file, "wb") as f:
        f.seek(50 << 20)
        f.write(b"end")
    os.sync()

    assert file.stat().st_size == (50 << 20) + 3
    assert file.stat().st_blocks <= 64
    with open(file, "rb") as f:
        f.seek((50 << 20) - 4096)
        assert f.read() == bytes(4096) + b"end"
    sh("cp --sparse=always $1 $2; cmp $1 $2", file, here / "copy")


def test_punch_hole_and_seek(here):
    file = here / "f"
    sh("head -c 1M /dev/urandom > $1; cp $1 $1.copy", file)
    sh("fallocate -p -o 64K -l 128K $1", file)
    data = bytearray((here / "f.copy").read_bytes())
    data[65536:196608] = bytes(131072)

    assert file.read_bytes() == data
    fd = os.open(file, os.O_RDONLY)
    assert os.lseek(fd, 0, os.SEEK_HOLE) == 65536
    assert os.lseek(fd, 65536, os.SEEK_DATA) == 196608
    os.close(fd)


def test_fallocate(here):
    with open(here / "f", "wb") as f:
        os.posix_fallocate(f.fileno(), 0, 1 << 20)
        assert os.fstat(f.fileno()).st_size == 1 << 20
        assert os.fstat(f.fileno()).st_blocks >= 2048


# Names that go while their files are open


def test_unlink_while_open(here):
    with open(here / "f", "w+b") as f:
        f.write(b"a" * 100_000)
        (here / "f").unlink()
        assert os.listdir(here) == []
        f.seek(0)
        assert f.read() == b"a" * 100_000
        assert os.fstat(f.fileno()).st_nlink == 0
        f.write(b"b")
        os.fsync(f.fileno())
        f.truncate(10)
        f.seek(0)
        assert f.read() == b"a" * 10


def test_rename_over_an_open_file(here):
    (here / "old").write_bytes(b"old")
    (here / "new").write_bytes(b"new")
    with open(here / "old", "rb") as f:
        os.rename(here / "new", here / "old")
        assert f.read() == b"old"
    assert (here / "old").read_bytes() == b"new"
    assert os.listdir(here) == ["old"]


def test_an_editors_save(here):
    """Write a new file, fsync it, rename it over the old one, many times."""
    file = here / "text"
    file.write_text("0")
    for i in range(1, 50):
        with open(here / ".text.new", "w") as f:
            f.write(str(i) * i)
            f.flush()
            os.fsync(f.fileno())
        os.replace(here / ".text.new", file)
        assert file.read_text() == str(i) * i


def test_rename_of_directories(here):
    sh(
        """
        cd $1; mkdir -p a/b/c d; echo x > a/b/c/f
        mv a/b d/; cat d/b/c/f; mv d e; cat e/b/c/f
        mkdir e2; mv -T e e2; cat e2/b/c/f
        ! mv e2 e2/b 2>/dev/null
        mkdir full; touch full/f; ! mv -T e2 full 2>/dev/null
        """,
        here,
    )
    assert sorted(os.listdir(here)) == ["a", "e2", "full"]


def test_rename_exchange(here):
    (here / "a").write_text("a")
    (here / "b").mkdir()
    renameat2 = __import__("ctypes").CDLL(None, use_errno=True).renameat2
    a, b = os.fsencode(here / "a"), os.fsencode(here / "b")

    assert renameat2(-100, a, -100, b, 2) == 0
    assert (here / "b").read_text() == "a"
    assert (here / "a").is_dir()
    assert renameat2(-100, a, -100, b, 1) == -1


# Links


def test_hard_links(here):
    (here / "a").write_text("abc")
    os.link(here / "a", here / "b")

    assert (here / "a").samefile(here / "b")
    assert (here / "a").stat().st_nlink == 2
    (here / "b").write_text("xyz")
    assert (here / "a").read_text() == "xyz"
    (here / "a").unlink()
    assert (here / "b").stat().st_nlink == 1
    assert (here / "b").read_text() == "xyz"


def test_symlinks(here):
    (here / "d").mkdir()
    (here / "d" / "f").write_text("abc")
    (here / "l").symlink_to("d")
    (here / "loop").symlink_to("loop")

    assert (here / "l" / "f").read_text() == "abc"
    assert errno_of(os.stat, here / "loop") == "ELOOP"
    assert (here / "l").lstat().st_size == 1
    assert os.readlink(here / "l") == "d"


# Directories


def test_a_listing_of_five_thousand(here):
    names = {f"{i:04d}-{'x' * (i % 60)}" for i in range(5_000)}
    sh('cd $1; printf "%s\\n" "${@:2}" | xargs touch', here, *names)

    assert set(os.listdir(here)) == names
    assert len(list(os.scandir(here))) == 5_000
    assert sh("ls -l $1 | wc -l", here).strip() == "5001"
    sh("rm -r $1/*-*", here)
    assert os.listdir(here) == []


def test_removing_while_reading(here):
    """rm -rf style: each name that stays is seen once."""
    for i in range(600):
        (here / f"{i}").touch()
    seen = []
    with os.scandir(here) as entries:
        for i, entry in enumerate(entries):
            seen.append(entry.name)
            os.unlink(entry.path)
            (here / f"new{i % 7}").touch()

    assert sorted(n for n in seen if not n.startswith("new")) == sorted(
        map(str, range(600))
    )
    assert len(seen) == len(set(seen))


def test_directories(here):
    sh("cd $1; mkdir -p {1..5}/{1..5}/{1..5}; touch {1..5}/{1..5}/{1..5}/f", here)

    assert len(list(here.rglob("f"))) == 125
    assert here.stat().st_nlink == 7
    assert errno_of(os.rmdir, here / "1") == "ENOTEMPTY"
    sh("rm -r $1/[1-5]", here)
    assert os.listdir(here) == []
    assert errno_of(os.rmdir, here / "1") == "ENOENT"


def test_a_directory_shows_each_change_in_it(here):
    """After an unlink in it, and after what else changes it then."""
    for i in range(40):
        (here / f"{i}").write_bytes(b"x")
    here.chmod(0o700)
    for i in range(40):
        os.utime(here, ns=(5, 7))
        assert here.stat().st_mtime_ns == 7
        (here / f"{i}").unlink()
        seen = here.stat()
        assert seen.st_mtime_ns > 7
        assert (seen.st_nlink, stat.S_IMODE(seen.st_mode)) == (2, 0o700)
        here.chmod(0o711)
        assert stat.S_IMODE(here.stat().st_mode) == 0o711
        here.chmod(0o700)
        (here / "sub").mkdir()
        assert here.stat().st_nlink == 3
        (here / "sub").rmdir()
        assert here.stat().st_nlink == 2
    assert os.listdir(here) == []


def test_names(here):
    for name in b"x" * 255, b"\xff\x80", b"\n", b"a b", b"-rf":
        path = os.fsencode(here) + b"/" + name
        os.close(os.open(path, os.O_CREAT))
        assert os.listdir(os.fsencode(here)) == [name]
        os.unlink(path)
    assert errno_of(open, here / ("x" * 256), "w") == "ENAMETOOLONG"


def test_the_working_directory_may_go(here):
    sh("mkdir $1/d; cd $1/d; rmdir $1/d; ! touch f 2>/dev/null; ls -a", here)


# Attributes


def test_times(here):
    (here / "f").touch()
    os.utime(here / "f", ns=(123_456_789_012, 987_654_321_098_765_432))
    st = (here / "f").stat()

    assert (st.st_atime_ns, st.st_mtime_ns) == (
        123_456_789_012,
        987_654_321_098_765_432,
    )
    sh(
        "touch -h -d @1.5 $1/l 2>/dev/null || { ln -s x $1/l; touch -h -d @1.5 $1/l; }",
        here,
    )
    assert (here / "l").lstat().st_mtime == 1.5
    before = (here / "f").stat().st_ctime_ns
    (here / "f").chmod(0o600)
    assert (here / "f").stat().st_ctime_ns > before


def test_modes_and_umask(here):
    sh("cd $1; umask 027; mkdir d; touch f; mkfifo p; chmod 4711 f", here)

    modes = {name: stat.S_IMODE((here / name).stat().st_mode) for name in "dfp"}
    assert modes == {"d": 0o750, "f": 0o4711, "p": 0o640}


@root_only
def test_other_users(here):
    """default_permissions is on; what they make is theirs."""
    (here / "secret").write_text("x")
    (here / "secret").chmod(0o600)
    here.chmod(0o1777)
    user = "setpriv --reuid 1234 --regid 2345 --clear-groups"
    sh(f"cd $1; {user} touch f; {user} mkdir d; ! {user} cat secret 2>/dev/null", here)
    sh(
        f"cd $1; ! {user} chmod 644 secret 2>/dev/null; ! {user} rm -f secret 2>&-",
        here,
    )

    for name in "fd":
        st = (here / name).stat()
        assert (st.st_uid, st.st_gid) == (1234, 2345)
    os.chown(here / "f", 77, 88)
    assert ((here / "f").stat().st_uid, (here / "f").stat().st_gid) == (77, 88)


def test_statfs(here):
    st = os.statvfs(here)

    assert st.f_blocks >= st.f_bfree > 0
    assert st.f_namemax == 255
    if "/shm/" in str(here):
        (here / "f").write_bytes(bytes(1 << 20))
        assert os.statvfs(here).f_bfree == st.f_bfree - 256


# What else programs do


def test_locks(here):
    with open(here / "f", "wb") as first, open(here / "f", "wb") as second:
        fcntl.flock(first, fcntl.LOCK_EX)
        assert errno_of(fcntl.flock, second, fcntl.LOCK_EX | fcntl.LOCK_NB) == "EAGAIN"
        fcntl.flock(first, fcntl.LOCK_UN)
        fcntl.lockf(second, fcntl.LOCK_EX)
    code = "import fcntl,sys; fcntl.lockf(open(sys.argv[1],'wb'), 6)"
    with open(here / "f", "wb") as file:
        fcntl.lockf(file, fcntl.LOCK_EX)
        other = subprocess.run([sys.executable, "-c", code, here / "f"], stderr=-3)
        assert other.returncode == 1


def test_fifos_and_sockets(here):
    os.mkfifo(here / "p")
    assert sh("echo hi > $1/p & cat $1/p", here) == "hi\n"
    here_fd = os.open(here, os.O_PATH)
    with (
        socket.socket(socket.AF_UNIX) as server,
        socket.socket(socket.AF_UNIX) as client,
    ):
        server.bind(f"/proc/self/fd/{here_fd}/s")
        server.listen()
        client.connect(f"/proc/self/fd/{here_fd}/s")
    os.close(here_fd)
    assert stat.S_ISSOCK((here / "s").stat().st_mode)


def test_programs_run_there(here):
    sh("cp /bin/true $1/true; $1/true", here)
    (here / "s").write_text("#!/bin/sh\necho hi")
    (here / "s").chmod(0o755)

    assert sh("$1/s", here) == "hi\n"


def test_mapped_files(here):
    (here / "f").write_bytes(os.urandom(1 << 20))
    with open(here / "f", "r+b") as f, mmap.mmap(f.fileno(), 0) as seen:
        assert seen[:] == (here / "f").read_bytes()
        seen[5000:5005] = b"hello"
        assert os.pread(f.fileno(), 5, 5000) == b"hello"
        os.pwrite(f.fileno(), b"world", 500_000)
        assert seen[500_000:500_005] == b"world"
        seen.flush()
    data = (here / "f").read_bytes()
    assert (data[5000:5005], data[500_000:500_005]) == (b"hello", b"world")


def test_copies_inside_the_kernel(here):
    (here / "f").write_bytes(os.urandom(3_000_000))
    with open(here / "f", "rb") as source, open(here / "g", "wb") as target:
        done = 0
        while n := os.copy_file_range(source.fileno(), target.fileno(), 3_000_000):
            done += n
        assert done == 3_000_000
    with open(here / "f", "rb") as source, open(here / "h", "wb") as target:
        os.sendfile(target.fileno(), source.fileno(), 0, 3_000_000)
        target.truncate(3_000_000)
    sh("cmp $1/f $1/g; cat $1/f | cat > $1/i; cmp $1/f $1/i", here)


def test_many_open_files(here):
    fds = [os.open(here / f"{i}", os.O_CREAT | os.O_RDWR) for i in range(1000)]
    for i, fd in enumerate(fds):
        os.write(fd, b"%d" % i)
    for i, fd in enumerate(fds):
        assert os.pread(fd, 10, 0) == b"%d" % i
        os.close(fd)


def test_sqlite(here):
    import sqlite3

    for mode in "delete", "wal":
        with sqlite3.connect(here / mode) as db:
            db.execute(f"pragma journal_mode={mode}")
            db.execute("create table t (i integer primary key, s text)")
            db.executemany(
                "insert into t values (?, ?)", ((i, "x" * i) for i in range(500))
            )
            db.commit()
            db.execute("delete from t where i % 3 = 0")
            db.commit()
            assert db.execute("pragma integrity_check").fetchall() == [("ok",)]
        db.close()
        assert sh('sqlite3 $1 "select count(*) from t"', here / mode).strip() == "333"


def test_git(here):
    sh(
        """
        export GIT_CONFIG_GLOBAL=/dev/null GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@b
        export GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@b
        cd $1; git init -q r; cd r
        for i in $(seq 30); do echo $i > f$i; done
        git add .; git commit -qm one; test -z "$(git status --porcelain)"
        seq 1000 > f1; git commit -qam two; git gc -q; git fsck --strict
        cd ..; git clone -q r s; cmp r/f1 s/f1; git -C s log --oneline | wc -l
        """,
        here,
    )


@pytest.mark.slow
def test_random_operations_while_memory_is_taken_away(here, mount):
    """tests/fsx.py in three processes; meanwhile zones are purged, pages written."""
    script = """
        while [ -e $1/go ]; do
            echo disable 5 > $M/memhotplug; echo purge 5 > $M/memhotplug
            echo enable 5 > $M/memhotplug; echo purge 1 > $M/memhotplug
            dd if=/dev/zero of=$1/ballast bs=1M count=200 status=none; rm $1/ballast
        done
    """
    (here / "go").touch()
    env = {**os.environ, "M": str(mount.path)}
    purges = subprocess.Popen(["bash", "-ec", script, "bash", here], env=env)
    fsx = [sys.executable, Path(__file__).with_name("fsx.py"), here]
    done = subprocess.run(
        [*fsx, "--ops=700", "--procs=3", "--size=3000000", "--seed=7"],
        stderr=subprocess.PIPE,
        text=True,
        timeout=PATIENCE_S,
    )
    (here / "go").unlink()

    assert purges.wait(60) == 0
    assert done.returncode == 0, done.stderr
    mount.write("control/validate", "1")
    assert (mount / "control" / "validate").read_text() == "ok\n"


# Life of the mount


def test_everything_is_on_the_host_afterwards(own_mount, tree):
    mount = own_mount()
    sh("cp -a $1 $2", tree, mount / "files")
    mount.finish()

    assert facts(mount.host / "tree") == facts(tree)
    again = own_mount()
    assert facts(again / "files" / "tree") == facts(tree)
    numbers = {p.name: p.lstat().st_ino for p in (again / "files/tree").iterdir()}
    assert numbers
    again.finish()


def test_write_back_comes_when_it_is_due_and_leaves_the_times(own_mount, tree):
    """kupdate: after 30 s of the machine's time, looked at every 5 s."""
    mount = own_mount("--clock", "manual")
    files = mount / "files"
    sh("cp -a $1/a/f6 $2; echo now > $2/now", tree, files)
    mtime = (files / "now").stat().st_mtime_ns
    mount.write("control/clock", "advance=20s")
    assert (mount.host / "now").read_text() == ""
    mount.write("control/clock", "advance=20s")
    assert (mount.host / "now").read_text() == "now\n"
    mount.write("control/clock", "advance=6s")

    assert (mount.host / "now").stat().st_mtime_ns == mtime
    source, copy = (tree / "a" / "f6"), (mount.host / "f6")
    assert copy.stat().st_mtime_ns == source.stat().st_mtime_ns
    assert copy.read_bytes() == source.read_bytes()
    mount.finish()


def test_what_was_fsynced_outlives_a_kill(own_mount):
    mount = own_mount()
    fd = os.open(mount / "files" / "f", os.O_CREAT | os.O_WRONLY)
    assert os.write(fd, b"x" * 1_000_000) == 1_000_000
    os.fsync(fd)
    mount.destroy()
    assert errno_of(os.fsync, fd) == "ENOTCONN"
    os.close(fd)
    again = own_mount()

    assert (again / "files" / "f").read_bytes() == b"x" * 1_000_000
    again.finish()


def test_a_second_mount_of_one_directory_is_refused(mount, tmp_path):
    (tmp_path / "mnt").mkdir()
    done = subprocess.run(
        [*MEMFS, "--files", mount.host, tmp_path / "mnt"],
        capture_output=True,
        text=True,
    )

    assert done.returncode != 0
    assert str(mount.host) in done.stderr
    assert not os.path.ismount(tmp_path / "mnt")


def test_a_mount_inside_its_own_directory_is_refused(tmp_path):
    """Who looked at it there would have the daemon wait for itself."""
    (tmp_path / "disk" / "a" / "mnt").mkdir(parents=True)
    done = subprocess.run(
        [*MEMFS, "--files", tmp_path / "disk", tmp_path / "disk" / "a" / "mnt"],
        capture_output=True,
        text=True,
    )

    assert done.returncode != 0
    assert "contain itself" in done.stderr
    assert not os.path.ismount(tmp_path / "disk" / "a" / "mnt")


def test_a_private_directory_goes_with_the_mount(tmp_path):
    private = tmp_path / "tmp"
    private.mkdir()
    env = {"TMPDIR": str(private), "MEMFS_RUNTIME_DIR": str(tmp_path)}
    mount = start(tmp_path / "mnt", tmp_path / "log", MEMFS, env=env)
    try:
        (mount / "files" / "f").write_text("x")
        assert len(list(private.iterdir())) == 1
        mount.finish()
        assert list(private.iterdir()) == []
    finally:
        mount.destroy()


@pytest.fixture
def small_host(tmpfs_host):
    """The directory behind files/ is a tmpfs of 4 MiB."""
    return tmpfs_host("size=4M")


@root_only
def test_a_writer_hears_of_a_full_host(own_mount, small_host):
    mount = own_mount()
    files = mount / "files"
    sh("! head -c 8M /dev/zero > $1/f 2>/dev/null", files)
    written = (files / "f").stat().st_size
    assert 3_900_000 < written <= 4 << 20
    assert (files / "f").read_bytes() == bytes(written)
    sh(
        "rm $1/f; head -c 3M /dev/urandom > $1/g; sync $1/g; cmp $1/g $2/g",
        files,
        small_host,
    )
    mount.finish()


@root_only
def test_what_cannot_be_written_back_is_told_once_and_not_lost(own_mount, small_host):
    """The host fills up behind the mount's back."""
    mount = own_mount()
    data = os.urandom(2_000_000)
    with open(mount / "files" / "f", "wb") as f:
        f.write(data)
        f.flush()
        sh("head -c 4M /dev/zero > $1/ballast 2>/dev/null || true", small_host)
        assert errno_of(os.fsync, f.fileno()) == "ENOSPC"
        assert (mount / "files" / "f").read_bytes() == data
        (small_host / "ballast").unlink()
        os.fsync(f.fileno())
    assert (small_host / "f").read_bytes() == data
    mount.finish()


def test_what_was_stored_on_a_full_host_is_kept(own_mount, small_host):
    """The kernel writes it back when it is too late to refuse it."""
    mount = own_mount()
    size = 6 << 20
    with open(mount / "files" / "f", "w+b") as f:
        f.truncate(size)
        with mmap.mmap(f.fileno(), 0) as memory:
            for at in range(0, size, 4096):
                memory[at : at + 4] = b"abcd"
            assert errno_of(memory.flush) == "ENOSPC"
        assert (mount / "files" / "f").read_bytes().count(b"abcd") == size // 4096
        sh("mount -o remount,size=16M $1", small_host)
        os.fsync(f.fileno())
    assert (small_host / "f").read_bytes().count(b"abcd") == size // 4096
    mount.finish()


def test_shm_ends_with_the_mount_and_has_a_limit(own_mount):
    mount = own_mount()
    st = os.statvfs(mount / "shm")
    assert st.f_blocks * st.f_bsize == 508 << 20
    fd = os.open(mount / "shm" / "f", os.O_CREAT | os.O_RDWR)
    os.truncate(fd, 1 << 40)
    assert os.fstat(fd).st_blocks == 0
    assert errno_of(os.posix_fallocate, fd, 0, 600 << 20) == "ENOSPC"
    os.close(fd)
    mount.finish()
    again = own_mount()
    assert os.listdir(again / "shm") == []
    again.finish()
