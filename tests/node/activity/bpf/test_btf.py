import struct

import pytest

from wattribute.node.activity.bpf.btf import Btf, Kind
from wattribute.node.activity.bpf.relocate import Relocator
from wattribute.node.activity.bpf.spec import ProgramSpec, Relocation

STRINGS = b"\0int\0outer\0plain\0nested\0colour\0RED\0BLUE\0big\0HUGE\0alias\0"


def _name(text: str) -> int:
    return STRINGS.index(b"\0" + text.encode() + b"\0") + 1 if text else 0


def _type(name: str, kind: int, members: int, size: int, rest: bytes = b"") -> bytes:
    return struct.pack("<III", _name(name), kind << 24 | members, size) + rest


def _member(name: str, type_id: int, bits: int) -> bytes:
    return struct.pack("<III", _name(name), type_id, bits)


TYPES = b"".join(
    [
        _type("int", 1, 0, 4, struct.pack("<I", 32)),
        _type("", Kind.STRUCT, 1, 4, _member("nested", 1, 0)),
        _type("outer", Kind.STRUCT, 2, 12, _member("plain", 1, 0) + _member("", 2, 64)),
        _type("colour", Kind.ENUM, 2, 4,
              struct.pack("<IiIi", _name("RED"), -1, _name("BLUE"), 7)),
        _type("big", Kind.ENUM64, 1, 8, struct.pack("<III", _name("HUGE"), 1, 2)),
        _type("alias", Kind.TYPEDEF, 0, 3),
    ]
)  # fmt: skip


def blob(types: bytes = TYPES) -> bytes:
    head = struct.pack("<HBBIIIII", 0xEB9F, 1, 0, 24, 0, len(types), len(types), len(STRINGS))
    return head + types + STRINGS


def test_finds_wanted_names_by_kind() -> None:
    types = Btf(blob(), {"outer", "colour", "missing"})
    assert types.find("outer", Kind.STRUCT) == 3
    assert types.find("outer", Kind.UNION) is None
    assert types.find("missing", Kind.STRUCT) is None
    assert len(types) == 6


def test_finds_fields_inside_unnamed_structs() -> None:
    types = Btf(blob(), {"outer"})
    assert types.field(3, "plain") == (0, 1)
    assert types.field(3, "nested") == (8, 1)
    assert types.field(3, "missing") is None


def test_reads_constants_of_enums_of_both_widths() -> None:
    types = Btf(blob())
    assert dict(types.enumerators(4)) == {"RED": -1, "BLUE": 7}
    assert dict(types.enumerators(5)) == {"HUGE": 2 << 32 | 1}


def test_sees_through_typedefs() -> None:
    assert Btf(blob()).bare(6) == 3


@pytest.mark.parametrize("junk", [b"", b"\x9f\xeb", b"\xeb\x9f" + bytes(100)])
def test_refuses_what_is_not_little_endian_btf(junk: bytes) -> None:
    with pytest.raises(ValueError, match="not little-endian BTF"):
        Btf(junk)


LOAD = struct.pack("<BBhi", 0x61, 0x10, 0, 0)  # r0 = *(u32 *)(r1 + 0)
MOVE = struct.pack("<BBhi", 0xB7, 0, 0, 0)  # r0 = 0
WIDE = struct.pack("<BBhiBBhi", 0x18, 0, 0, 0, 0, 0, 0, 0)  # r0 = 0 ll
POISON = (0x85, 0, 0, 0xBAD2310)


def relocated(code: bytes, kind: Relocation, root: str, *path: str) -> list[tuple[int, ...]]:
    program = ProgramSpec("p", "raw_tp/p", code, (), ((0, kind, root, path),))
    fitted = Relocator(Btf(blob(), {"outer", "colour"})).relocate(program, {})
    return list(struct.iter_unpack("<BBhi", fitted))


def test_a_load_gets_its_offset_and_a_constant_its_value() -> None:
    offset, exists = Relocation.FIELD_OFFSET, Relocation.FIELD_EXISTS
    assert relocated(LOAD, offset, "outer", "nested") == [(0x61, 0x10, 8, 0)]
    assert relocated(MOVE, offset, "outer", "nested") == [(0xB7, 0, 0, 8)]
    assert relocated(MOVE, exists, "outer", "plain") == [(0xB7, 0, 0, 1)]
    assert relocated(MOVE, exists, "outer", "missing") == [(0xB7, 0, 0, 0)]
    value, there = Relocation.ENUMERATOR_VALUE, Relocation.ENUMERATOR_EXISTS
    assert relocated(WIDE, value, "colour", "BLUE")[0] == (0x18, 0, 0, 7)
    assert relocated(MOVE, there, "colour", "GREEN") == [(0xB7, 0, 0, 0)]


def test_what_this_kernel_does_not_have_becomes_a_call_that_the_verifier_refuses() -> None:
    assert relocated(LOAD, Relocation.FIELD_OFFSET, "missing", "x") == [POISON]
    assert relocated(WIDE, Relocation.ENUMERATOR_VALUE, "colour", "GREEN") == [POISON, POISON]


def test_says_what_is_missing_once() -> None:
    asked = ((0, Relocation.FIELD_OFFSET, "outer", ("gone",)),) * 2
    program = ProgramSpec("p", "raw_tp/p", LOAD, (), asked)
    assert Relocator(Btf(blob(), {"outer"})).missing(program) == ("outer.gone",)
