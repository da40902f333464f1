"""Read-ahead windows of one descriptor."""

from __future__ import annotations

from itertools import pairwise

from memfs.vm.readahead import ReadAhead


def reads(ra, pages, step):
    """Sequential accesses of `step` pages; the windows that each asks for."""
    return [ra.access(i, i + step - 1, pages) for i in range(0, pages, step)]


def test_the_next_window_is_asked_for_when_the_current_one_is_entered():
    """128 KiB ahead from the second window on, every page once."""
    windows = reads(ReadAhead(32), 160, 8)

    assert windows[0] == [(0, 16), (16, 32)]
    assert [(8 * i, w) for i, w in enumerate(windows) if w][1:] == [
        (16, [(48, 32)]),
        (48, [(80, 32)]),
        (80, [(112, 32)]),
        (112, [(144, 16)]),
    ]


def test_a_whole_file_is_asked_for_once_and_in_order():
    """However large the reads are."""
    for step in (1, 3, 32, 100, 1000):
        asked = [w for windows in reads(ReadAhead(32), 1000, step) for w in windows]

        assert asked[0][0] == 0
        assert all(a + n == b for (a, n), (b, _) in pairwise(asked))
        assert sum(n for _, n in asked) == 1000


def test_a_random_access_reads_what_it_was_asked_for():
    """And the access behind it is sequential again."""
    ra = ReadAhead(32)

    assert ra.access(500, 503, 1000) == [(500, 4)]
    assert ra.access(100, 100, 1000) == [(100, 1)]
    assert ra.access(101, 101, 1000) == [(101, 16), (117, 32)]


def test_peek_changes_nothing():
    """It says what access() would."""
    ra = ReadAhead(32)

    assert ra.peek(0, 7, 100) == ra.peek(0, 7, 100) == ra.access(0, 7, 100)


def test_a_fault_behind_the_window_goes_on_from_there():
    """Faults come for absent pages only, so the next one is at the window's end."""
    ra = ReadAhead(32)
    ra.access(0, 0, 1000)

    assert ra.access(48, 48, 1000) == [(48, 32), (80, 32)]


def test_a_file_that_has_grown_is_read_on():
    """The window ended with the file; now there is more."""
    ra = ReadAhead(32)
    assert ra.access(0, 9, 10) == [(0, 10)]

    assert ra.access(10, 12, 13) == [(10, 3)]


def test_no_read_ahead_still_reads():
    """What was asked for and nothing else; in windows of one page, one more."""
    ra = ReadAhead(0)
    assert [ra.access(i, i + 3, 10) for i in (0, 4, 9, 2)] == [
        [(0, 4)],
        [(4, 4)],
        [(9, 4)],
        [(2, 4)],
    ]
    assert ReadAhead(1).access(0, 3, 10)[0] == (0, 1)
