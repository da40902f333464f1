"""Records: what ``memfs.records`` makes is what ``typing`` would have made."""

import typing

import pytest

from memfs import records


def make(base):
    class Point(base):
        """A place."""

        x: int
        y: int = 2

        def sum(self):
            """x and y."""
            return self.x + self.y

        @property
        def twice(self):
            return self.x * 2

        @classmethod
        def origin(cls):
            return cls(0, 0)

    return Point


ONE, OTHER = make(records.NamedTuple), make(typing.NamedTuple)


@pytest.mark.parametrize(
    "ask",
    [
        lambda made: made._fields,
        lambda made: made._field_defaults,
        lambda made: made.__name__,
        lambda made: made.__qualname__,
        lambda made: made.__module__,
        lambda made: made.__doc__,
        lambda made: made.__bases__,
        lambda made: repr(made(1)),
        lambda made: tuple(made(1)),
        lambda made: made(3, y=4).sum(),
        lambda made: made(3).twice,
        lambda made: made.origin()._replace(x=7).x,
        lambda made: typing.get_type_hints(made),
        lambda made: made(1)._asdict(),
    ],
)
def test_a_record_is_a_named_tuple(ask):
    """Fields, defaults, methods and names come out as those of typing.NamedTuple."""
    assert ask(OTHER) == ask(ONE)


def test_a_record_takes_no_field_that_it_does_not_have():
    """What is missing or too much is a TypeError, and nothing can be set."""
    with pytest.raises(TypeError):
        ONE()
    with pytest.raises(TypeError):
        ONE(1, 2, 3)
    with pytest.raises(AttributeError):
        ONE(1).x = 5
