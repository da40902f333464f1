"""Lists made once for directories that are alike."""

import struct

from hypothesis import given
from hypothesis import strategies as st

from memfs import wirebytes
from memfs.tree import FOREVER, Attr
from memfs.wirelists import Shown, lists_of

DIR, FILE, LINK = Attr(0o040755), Attr(0o100644, 4096), Attr(0o120777, 15)
DOTS = [Shown(name, DIR, FOREVER, FOREVER) for name in (b".", b"..")]
CHILDREN = [
    Shown(b"node0", LINK, 7.0, FOREVER),
    Shown(b"state", FILE, FOREVER, FOREVER),
    Shown(b"online", FILE, FOREVER, 0.0),
]
NUMBERS = st.integers(1, (1 << 48) - 1)


def one_by_one(own, first):
    """Both lists as they were made without a form."""
    entries = named = b""
    numbers = [own, own, *range(first, first + len(CHILDREN))]
    for cookie, (ino, shown) in enumerate(
        zip(numbers, (*DOTS, *CHILDREN), strict=True), 1
    ):
        name, attr, name_s, attr_s = shown
        entry = wirebytes.entry(ino, attr, name_s, attr_s)
        entries += wirebytes.direntplus(entry, ino, cookie, attr.mode, name)
        named += wirebytes.dirent(ino, cookie, attr.mode, name)
    return entries, named


@given(NUMBERS, NUMBERS)
def test_a_form_with_its_numbers_is_the_list(own, first):
    """Byte for byte, whatever the numbers."""
    lists = lists_of([*DOTS, *CHILDREN])
    made = lists.entries.filled(own, first), lists.named.filled(own, first)

    assert made == one_by_one(own, first)
    assert (lists.entries.nbytes, lists.named.nbytes) == tuple(map(len, made))
    assert list(lists.children) == CHILDREN


def test_an_empty_directory_lists_itself():
    """The two dots, which have its number."""
    made = lists_of(DOTS).entries.filled(9, 1234)

    assert len(made) == lists_of(DOTS).entries.nbytes
    assert struct.unpack_from("=Q", made) == (9,)
    assert struct.pack("=Q", 1234) not in made
