"""CO-RE: a program's instructions, made to fit the types of the running kernel.

The same rules as libbpf's, as far as our programs need them (the tests compare
the two): offsets of whole fields, existence of fields and enumerators, values
of enumerators. A field must have the size that kernel.h gives it.
"""

import struct
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from wattribute.core.errors import ActivityAbsent, ActivityDenied
from wattribute.node.activity.bpf.btf import Btf, Kind
from wattribute.node.activity.bpf.spec import ProgramSpec, Relocation

VMLINUX: Final = Path("/sys/kernel/btf/vmlinux")
"""The running kernel's types; not below a settable root, for it must be this kernel's."""

_CLASS_MASK: Final = 0x07
_LOADS_AND_STORES: Final = frozenset({1, 2, 3})
"""BPF_LDX, BPF_ST, BPF_STX: the offset is in the instruction's 16-bit field, else in imm."""
_PSEUDO_MAP_FD: Final = 1
_POISON: Final = struct.pack("<BBhi", 0x85, 0, 0, 0xBAD2310)
"""A call of no function: the verifier refuses it unless it is dead code. As libbpf writes it."""


def kernel_types(programs: Iterable[ProgramSpec], hooks: Iterable[str]) -> Btf:
    """The running kernel's types, findable by what these programs ask and hook.

    Raises:
        ActivityAbsent: this kernel does not tell its types.
        ActivityDenied: it does, and they may not be read.
    """
    wanted = {root for p in programs for _, _, root, _ in p.types} | set(hooks)
    try:
        with VMLINUX.open("rb", buffering=0) as file:
            blob = file.readall()
    except FileNotFoundError:
        raise ActivityAbsent(
            f"{VMLINUX}: not there; needs a kernel built with CONFIG_DEBUG_INFO_BTF"
        ) from None
    except OSError as exc:
        raise ActivityDenied(f"{VMLINUX}: {exc.strerror}") from exc
    try:
        return Btf(blob, wanted)
    except ValueError as exc:
        raise ActivityAbsent(f"{VMLINUX}: {exc}") from exc


class Relocator:
    """Answers what programs ask of one kernel's types; each question is worked out once."""

    def __init__(self, types: Btf) -> None:
        """For the kernel that has these types."""
        self._types = types
        self._answers: dict[tuple[Relocation, str, tuple[str, ...]], int | None] = {}

    def relocate(self, program: ProgramSpec, descriptors: Mapping[str, int]) -> bytearray:
        """The program's instructions for this kernel and these maps."""
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
        """Fields and enumerators that the program names and this kernel does not have."""
        asked = {(kind, root, path): None for _, kind, root, path in program.types}
        return tuple(
            ".".join((root, *path))
            for kind, root, path in asked
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
            found = None if owner is None else self._types.field(self._types.bare(owner), name)
            if found is None:
                return None
            offset, owner = offset + found[0], found[1]
        return None if owner is None else offset

    def _enumerator(self, root: str, name: str) -> int | None:
        owner = self._types.find(root, Kind.ENUM, Kind.ENUM64)
        if owner is None:
            return None
        return next((v for other, v in self._types.enumerators(owner) if other == name), None)


def _poison(code: bytearray, at: int) -> None:
    wide = code[at] == 0x18  # BPF_LD_IMM64 takes two slots
    code[at : at + 8] = _POISON
    if wide:
        code[at + 8 : at + 16] = _POISON
