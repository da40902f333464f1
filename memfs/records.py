"""NamedTuple, as in ``typing``, but made quickly.

The package has some eighty of them, and ``typing.NamedTuple`` compiles the annotation
of each field when it makes one, which nobody here asks for: a third of what all of
them cost at every start. What comes out is ``collections.namedtuple``'s, with the
body of the class.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import NamedTuple as NamedTuple
else:
    from collections import namedtuple

    # What the class statement puts into the body for itself.
    OWN = {"__module__", "__qualname__", "__annotations__", "__orig_bases__"}

    class _Maker(type):
        def __new__(
            cls, name: str, bases: tuple[type, ...], body: dict[str, object]
        ) -> type:
            if not bases:
                return super().__new__(cls, name, bases, body)
            fields = list(body.get("__annotations__", ()))
            defaults = [body.pop(field) for field in fields if field in body]
            made = namedtuple(
                name, fields, defaults=defaults, module=body["__module__"]
            )
            made.__qualname__ = body["__qualname__"]
            made.__annotations__ = body.get("__annotations__", {})
            for key, value in body.items():
                if key not in OWN:
                    setattr(made, key, value)
            return made

    class NamedTuple(metaclass=_Maker):
        """The base of a class of records; see ``typing.NamedTuple``."""
