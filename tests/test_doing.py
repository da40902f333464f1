"""What /proc says of a process: whether it has work, and its CPU time."""

import os
import signal
import subprocess
import sys

from mounting import wait_until

from memfs.doing import doing, is_alive

SPIN = "while True: pass"


def test_asleep():
    """Until its pipe says something."""
    with subprocess.Popen(
        ["cat"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL
    ) as process:
        assert wait_until(lambda: not doing(process.pid).runs)
        assert wait_until(lambda: doing(process.pid) == doing(process.pid))
        before = doing(process.pid)
        process.stdin.write(b"x")
        process.stdin.flush()
        assert wait_until(lambda: doing(process.pid).turns > before.turns)
        process.stdin.close()


def test_at_work_and_ended():
    """A zombie has ended, though nobody has waited for it."""
    process = subprocess.Popen([sys.executable, "-c", SPIN])
    try:
        assert wait_until(lambda: doing(process.pid).cpu_s > 0.02)
        assert doing(process.pid).runs
        process.send_signal(signal.SIGSTOP)
        assert wait_until(lambda: not doing(process.pid).runs)
        process.kill()
        assert wait_until(lambda: doing(process.pid) is None)
    finally:
        process.kill()
        process.wait()


def test_any_thread_of_a_process_will_do():
    """A program in Go lists with one and reads with another."""
    script = "import threading as t; t.Thread(target=t.Event().wait).start()\n" + SPIN
    process = subprocess.Popen([sys.executable, "-c", script])
    try:
        tasks = f"/proc/{process.pid}/task"
        wait_until(lambda: len(os.listdir(tasks)) > 1)
        for tid in os.listdir(tasks):
            assert wait_until(lambda tid=tid: doing(int(tid)).runs)
    finally:
        process.kill()
        process.wait()


def test_threads_that_there_are():
    """As far as can be seen: none has the number 0."""
    assert is_alive(os.getpid())
    assert doing(os.getpid()).runs
    for nobody in (0, 2**22 + 1):
        assert not is_alive(nobody)
        assert doing(nobody) is None
