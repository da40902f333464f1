"""The modelled kernel log."""

from __future__ import annotations

from memfs.vm.klog import KernelLog


def test_a_line_has_level_and_virtual_time():
    """As dmesg -r prints it."""
    log = KernelLog(lambda: 1_234_567_890)

    log.add("hello")
    log.add("oh", level=3)
    assert log.text() == "<6>[    1.234567] hello\n<3>[    1.234567] oh\n"


def test_a_text_of_two_lines_is_two_entries():
    """Each with its stamp."""
    log = KernelLog(lambda: 0)

    log.add("a\nb")
    assert log.text().count("<6>[    0.000000] ") == 2


def test_the_ring_forgets_its_oldest_lines():
    """It never holds more than its size."""
    log = KernelLog(lambda: 0, size=100)
    for number in range(50):
        log.add(str(number))

    assert len(log.text()) <= 100
    assert log.text().endswith("] 49\n")
    assert log.count == 50
