"""References with a holder, and what can be made to go wrong: pin.c, migrate.c."""

from __future__ import annotations

from typing import Final

from memfs.vm._ffi.lib import Handle, check, ffi, lib
from memfs.vm._ffi.records import c_names

FAULT_NAMES: Final = c_names("FAULT_", lib.VM_NR_FAULTS)


class PinCalls(Handle):
    """Calls about pins and faults."""

    def pin_file(self, mapping: int, index: int, holder: int) -> tuple[int, int]:
        """Pin a page of a file. Returns: return code, pin."""
        pin = ffi.new("uint32_t *")
        rc = lib.vm_pin_file(self.vm, mapping, index, holder, pin)
        return rc, pin[0]

    def pin_area(self, vma: int, index: int, holder: int) -> tuple[int, int]:
        """Pin a page that an area maps. Returns: return code, pin."""
        pin = ffi.new("uint32_t *")
        rc = lib.vm_pin_area(self.vm, vma, index, holder, pin)
        return rc, pin[0]

    def unpin(self, pin: int) -> None:
        """A holder lets go."""
        check(lib.vm_unpin(self.vm, pin), f"there is no pin {pin}")

    def fault(self, name: str, times: int) -> None:
        """Make something of FAULT_NAMES go wrong so many times; 0: no more."""
        rc = lib.vm_fault(self.vm, FAULT_NAMES.index(name), times)
        check(rc, f"fault {name}")

    def fault_left(self, name: str) -> int:
        """How often it will still go wrong."""
        return int(lib.vm_fault_left(self.vm, FAULT_NAMES.index(name)))
