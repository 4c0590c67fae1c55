"""Apply CO-RE: fit a program's instructions to the types of the running kernel.

The rules are those of libbpf, as far as our programs need them (the tests compare
the two): offsets of whole fields, existence of fields and enumerators, values
of enumerators. A field must have the size that it has in kernel.h.
"""

import struct
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from wattribute.core.errors import ActivityAbsent, ActivityDenied
from wattribute.node.activity.bpf.btf import Btf, Kind
from wattribute.node.activity.bpf.spec import ProgramSpec, Relocation

VMLINUX: Final = Path("/sys/kernel/btf/vmlinux")
"""Types of the running kernel. The path is fixed, because no other kernel's types may be used."""

_CLASS_MASK: Final = 0x07
_LOADS_AND_STORES: Final = frozenset({1, 2, 3})
"""BPF_LDX, BPF_ST, BPF_STX: their offset is in the instruction's 16-bit field; others use imm."""
_PSEUDO_MAP_FD: Final = 1
_POISON: Final = struct.pack("<BBhi", 0x85, 0, 0, 0xBAD2310)
"""A call of no function, as in libbpf: the verifier rejects it unless it is dead code."""


def kernel_types(programs: Iterable[ProgramSpec], hooks: Iterable[str]) -> Btf:
    """Read the running kernel's types; those in these programs and hooks can be found by name.

    Raises:
        ActivityAbsent: this kernel does not publish its types.
        ActivityDenied: this process may not read the types.
    """
    names = {root for p in programs for _, _, root, _ in p.types} | set(hooks)
    try:
        with VMLINUX.open("rb", buffering=0) as file:
            blob = file.readall()
    except FileNotFoundError:
        raise ActivityAbsent(
            f"{VMLINUX}: no such file; a kernel built with CONFIG_DEBUG_INFO_BTF is needed"
        ) from None
    except OSError as exc:
        raise ActivityDenied(f"{VMLINUX}: {exc.strerror}") from exc
    try:
        return Btf(blob, names)
    except ValueError as exc:
        raise ActivityAbsent(f"{VMLINUX}: {exc}") from exc


class Relocator:
    """Resolves the relocations of programs against one kernel's types, each of them once."""

    def __init__(self, types: Btf) -> None:
        """Resolve against the kernel that has these types."""
        self._types = types
        self._answers: dict[tuple[Relocation, str, tuple[str, ...]], int | None] = {}

    def relocate(self, program: ProgramSpec, descriptors: Mapping[str, int]) -> bytearray:
        """Return the program's instructions for this kernel and these maps."""
        code = bytearray(program.code)
        for at, name in program.maps:
            code[8 * at + 1] = code[8 * at + 1] & 0x0F | _PSEUDO_MAP_FD << 4
            struct.pack_into("<i", code, 8 * at + 4, descriptors[name])
        for at, kind, root, path in program.types:
            value = self._answer(kind, root, path)
            if value is None:
                _poison(code, 8 * at)
            elif code[8 * at] & _CLASS_MASK in _LOADS_AND_STORES:
                struct.pack_into("<h", code, 8 * at + 2, value)
            else:
                struct.pack_into("<i", code, 8 * at + 4, value)
        return code

    def missing(self, program: ProgramSpec) -> tuple[str, ...]:
        """Return the fields and enumerators that the program uses and this kernel lacks."""
        relocations = {(kind, root, path): None for _, kind, root, path in program.types}
        return tuple(
            ".".join((root, *path))
            for kind, root, path in relocations
            if self._answer(kind, root, path) is None
        )

    def _answer(self, kind: Relocation, root: str, path: tuple[str, ...]) -> int | None:
        question = (kind, root, path)
        if question not in self._answers:
            self._answers[question] = self._work_out(kind, root, path)
        return self._answers[question]

    def _work_out(self, kind: Relocation, root: str, path: tuple[str, ...]) -> int | None:
        if kind is Relocation.FIELD_OFFSET:
            return self._field_offset(root, path)
        if kind is Relocation.FIELD_EXISTS:
            return int(self._field_offset(root, path) is not None)
        value = self._enumerator(root, path[0])
        if kind is Relocation.ENUMERATOR_EXISTS:
            return int(value is not None)
        return value

    def _field_offset(self, root: str, path: tuple[str, ...]) -> int | None:
        owner = self._types.find(root, Kind.STRUCT, Kind.UNION)
        offset = 0
        for name in path:
            field = None if owner is None else self._types.field(self._types.bare(owner), name)
            if field is None:
                return None
            offset, owner = offset + field[0], field[1]
        return None if owner is None else offset

    def _enumerator(self, root: str, name: str) -> int | None:
        owner = self._types.find(root, Kind.ENUM, Kind.ENUM64)
        if owner is None:
            return None
        return next((v for label, v in self._types.enumerators(owner) if label == name), None)


def _poison(code: bytearray, at: int) -> None:
    wide = code[at] == 0x18  # BPF_LD_IMM64 takes two slots
    code[at : at + 8] = _POISON
    if wide:
        code[at + 8 : at + 16] = _POISON
