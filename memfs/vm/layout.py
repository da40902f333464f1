"""Machine files: what memory a modelled machine has and which kernel runs on it.

A :class:`Layout` is what the file says, with the defaults filled in, in pages; it
is frozen and holds no state. It does not decide how a node is cut into zones: that
is the kernel's rule (zones.py). A mistake is a :class:`LayoutError` that names the
line and the key; layoutfile.py reads the keys.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from memfs.vm.addresses import AddressMap
from memfs.vm.errors import LayoutError
from memfs.vm.layoutfile import read_machine
from memfs.vm.layoutspec import BlockRun, NodeSpec

__all__ = ["BUILTIN", "BlockRun", "Layout", "NodeSpec"]

SAME: Final = AddressMap(2048)
# Longer than any machine; a device would never end.
MOST_BYTES: Final = 16 << 20
BUILTIN: Final = Path(__file__).with_name("layouts")


@dataclass(frozen=True)
class Layout:
    """A machine file with its defaults filled in; sizes in pages.

    Attributes:
        distances: by the nodes' numbers, also of those that are not there.
        packages, dies, cores: CPUs that share one; a CPU is in one of each.
        addresses: where blocks lie in the model.
    """

    name: str
    kernel: str
    nodes: tuple[NodeSpec, ...]
    lowmem: int | None = None
    block_pages: int = 2048
    cpus: int = 1
    min_free_kbytes: int | None = None
    swap_pages: int = 0
    distances: tuple[tuple[int, ...], ...] = ()
    rules_off: tuple[str, ...] = ()
    packages: tuple[tuple[int, ...], ...] = ()
    dies: tuple[tuple[int, ...], ...] = ()
    cores: tuple[tuple[int, ...], ...] = ()
    addresses: AddressMap = SAME
    text: str = field(default="", repr=False, compare=False)

    @property
    def max_pfn(self) -> int:
        """First pfn behind every slot, the empty ones included."""
        return max(node.end_pfn for node in self.nodes)

    @property
    def pages(self) -> int:
        """Pages that are in a zone at boot."""
        size = self.block_pages
        return sum(node.online_pages(size) for node in self.nodes if node.plugged)

    @property
    def node_slots(self) -> int:
        """One more than the highest node number."""
        return max(node.nid for node in self.nodes) + 1

    @classmethod
    def builtin(cls, name: str) -> Layout:
        """A layout that comes with the package, by name.

        Raises:
            LayoutError: there is none of that name.
        """
        if name not in cls.builtin_names():
            known = ", ".join(cls.builtin_names())
            raise LayoutError(0, "", f"no machine '{name}'; built in: {known}")
        path = BUILTIN / f"{name}.toml"
        return cls.parse(path.read_text(encoding="utf-8"), name)

    @classmethod
    def builtin_names(cls) -> list[str]:
        """Names of the built-in layouts, sorted."""
        return sorted(path.stem for path in BUILTIN.glob("*.toml"))

    @classmethod
    def load(cls, path: str | Path) -> Layout:
        """Read the machine file at `path`.

        Raises:
            LayoutError: it cannot be read, or what is wrong in it.
        """
        path = Path(path)
        try:
            with path.open("rb") as file:
                data = file.read(MOST_BYTES + 1)
            text = data.decode()
        except OSError as error:
            raise LayoutError(0, "", f"{path}: {error.strerror}") from None
        except UnicodeDecodeError:
            raise LayoutError(0, "", f"{path}: not a text in UTF-8") from None
        if len(data) > MOST_BYTES:
            raise LayoutError(0, "", f"{path}: longer than {MOST_BYTES >> 20} MiB")
        return cls.parse(text, path.stem)

    @classmethod
    def parse(cls, text: str, name: str = "machine") -> Layout:
        """Read a machine file's text; `name` is used when the file has none.

        Raises:
            LayoutError: what is wrong, with its line and key.
        """
        values = read_machine(text)
        values.setdefault("name", name)
        return cls(**values, text=text)
