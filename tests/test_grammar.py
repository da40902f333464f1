"""The grammar of the control files: what is read is what was shown."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memfs.files import disk, grammar
from memfs.tree import TreeError

numbers = st.integers(min_value=0, max_value=10**15)


@given(numbers)
def test_sizes_and_times_are_read_as_they_are_shown(value):
    """Both directions agree for every number."""

    assert value == grammar.size(grammar.show_size(value))
    assert value == grammar.duration(grammar.show_duration(value))


@pytest.mark.parametrize(
    ("text", "value"),
    [("0", 0), ("4096", 4096), ("128K", 1 << 17), ("1M", 1 << 20), ("1G", 1 << 30)],
)
def test_sizes(text, value):
    """K, M and G are powers of 1024."""

    assert value == grammar.size(text)


@pytest.mark.parametrize(
    ("text", "value"), [("20us", 20_000), ("1ms", 10**6), ("2s", 2 * 10**9), ("7", 7)]
)
def test_times(text, value):
    """A time without a unit is in ns."""

    assert value == grammar.duration(text)


@pytest.mark.parametrize("text", ["", "-1", "1.5M", "1 K", "1k", "K", "0x10", "\uff19"])
def test_what_is_no_size(text):
    """A sign, a fraction, a small letter, another script's digit: EINVAL."""
    with pytest.raises(grammar.GrammarError):
        grammar.size(text)


def test_keys_not_given_are_not_in_the_result():
    """One key of many may be given."""

    assert grammar.parse(b"latency=1ms\n", disk.KEYS) == {"latency": 10**6}


def test_words_may_stand_on_one_line_or_on_many():
    """A line end is a blank."""
    expected = {"latency": 5, "requests": 4}

    assert expected == grammar.parse(b"latency=5 requests=4", disk.KEYS)
    assert expected == grammar.parse(b"latency=5\nrequests=4\n", disk.KEYS)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"speed=1", "no key 'speed'"),
        (b"latency", "expected key=value"),
        (b"latency=fast", "latency: 'fast' is no time"),
        (b"requests=0", "requests: 0 is not in 1 .. 2048"),
        (b"latency=1 latency=2", "given twice"),
        (b"latency=1\0", "not printable"),
        (b"\xff", "not printable"),
        (b" \n", "no word"),
        (b"latency=1 " * 1000, "10000 bytes"),
    ],
)
def test_refusals_say_what_is_wrong(data, said):
    """Each refusal is EINVAL and names what it stumbled on."""
    with pytest.raises(grammar.GrammarError) as raised:
        grammar.parse(data, disk.KEYS)

    assert said in raised.value.message


@given(st.binary(max_size=200))
def test_any_bytes_are_values_or_an_errno(data):
    """Nothing but a TreeError comes out of a write."""
    try:
        values = grammar.parse(data, disk.KEYS)
    except TreeError:
        return

    assert values == grammar.parse(
        "".join(f"{k}={v}\n" for k, v in values.items()).encode(), disk.KEYS
    )


@given(st.fixed_dictionaries({k.name: st.integers(k.low, k.high) for k in disk.KEYS}))
def test_what_is_shown_can_be_written(values):
    """Reading a control file gives what can be written back to it."""

    assert values == grammar.parse(grammar.show(values, disk.KEYS).encode(), disk.KEYS)
