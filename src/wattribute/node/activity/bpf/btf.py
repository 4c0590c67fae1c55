"""Read BTF: the types of a program or of the kernel, as compilers describe them.

Source: Documentation/bpf/btf.rst. The kernel's BTF (5 MB, 130,000 types) is
walked once for the names that are needed; only offsets are kept.
"""

import struct
from array import array
from collections.abc import Collection, Iterator
from enum import IntEnum
from typing import Final, NamedTuple


class Kind(IntEnum):
    """The kinds of types that are used here."""

    POINTER = 2
    ARRAY = 3
    STRUCT = 4
    UNION = 5
    ENUM = 6
    TYPEDEF = 8
    VOLATILE = 9
    CONST = 10
    RESTRICT = 11
    FUNCTION = 12
    DATASEC = 15
    TYPE_TAG = 18
    ENUM64 = 19


_TRANSPARENT: Final = frozenset(
    {Kind.TYPEDEF, Kind.VOLATILE, Kind.CONST, Kind.RESTRICT, Kind.TYPE_TAG}
)

_HEAD_WORDS: Final = [3] * 32
_EACH_WORDS: Final = [0] * 32
"""Length of a type's record in 32-bit words, by kind: head + members x each."""
for _kind, _extra in {1: 1, Kind.ARRAY: 3, 14: 1, 17: 1}.items():
    _HEAD_WORDS[_kind] += _extra
for _kind, _words_each in {4: 3, 5: 3, 6: 2, 13: 2, 15: 3, 19: 3}.items():
    _EACH_WORDS[_kind] = _words_each


class Type(NamedTuple):
    """One type; ``name`` and ``at`` are offsets into the blob."""

    name: int
    kind: int
    members: int
    flag: bool
    target: int
    """Size in bytes, or the id of the type to which it refers."""
    at: int
    """Offset of the data after the common head."""


class Member(NamedTuple):
    """One member of a struct or union."""

    name: str
    type_id: int
    offset: int
    """Bytes from the start of the struct."""


class Btf:
    """The types of a blob by id, and the named ones by name."""

    def __init__(self, blob: bytes, names: Collection[str] = ()) -> None:
        """Walk ``blob``; only types of these ``names`` can be found by name.

        Raises:
            ValueError: the blob is not little-endian BTF.
        """
        if len(blob) < 24 or blob[:2] != b"\x9f\xeb":
            raise ValueError("not little-endian BTF")
        head, types, types_size, strings, strings_size = struct.unpack_from("<IIIII", blob, 4)
        self.blob = blob
        self._strings = head + strings
        self._start = head + types
        self._words = memoryview(blob)[self._start : self._start + types_size].cast("I")
        self._offsets = array("I", [0])
        self._by_name: dict[tuple[str, int], int] = {}
        self._walk(self._name_offsets(names, strings_size))

    def _name_offsets(self, names: Collection[str], size: int) -> dict[int, str]:
        """Find the offset of each name in the string section, in which each name occurs once."""
        offsets = {}
        for name in names:
            text = b"\0" + name.encode() + b"\0"
            at = self.blob.find(text, self._strings, self._strings + size)
            if at >= 0:
                offsets[at + 1 - self._strings] = name
        return offsets

    def _walk(self, names: dict[int, str]) -> None:
        words, append = self._words, self._offsets.append
        head_words, each_words = _HEAD_WORDS, _EACH_WORDS
        at, end, type_id = 0, len(words), 0
        while at < end:
            type_id += 1
            append(at)
            info = words[at + 1]
            kind = info >> 24 & 31
            if words[at] in names:
                self._by_name.setdefault((names[words[at]], kind), type_id)
            at += head_words[kind] + each_words[kind] * (info & 0xFFFF)

    def __len__(self) -> int:
        """Return the number of types; their ids are 1 to this."""
        return len(self._offsets) - 1

    def find(self, name: str, *kinds: int) -> int | None:
        """Return the id of the first type with one of the constructor's names and these kinds."""
        return next((self._by_name[name, k] for k in kinds if (name, k) in self._by_name), None)

    def type(self, type_id: int) -> Type:
        """Return the type with an id."""
        at = self._start + 4 * self._offsets[type_id]
        name, info, target = struct.unpack_from("<III", self.blob, at)
        kind = info >> 24 & 31
        return Type(name, kind, info & 0xFFFF, bool(info >> 31), target, at + 12)

    def name(self, offset: int) -> str:
        """Return the string at an offset."""
        start = self._strings + offset
        return self.blob[start : self.blob.index(b"\0", start)].decode()

    def bare(self, type_id: int) -> int:
        """Return the id of the type behind typedefs, const and volatile."""
        while (current := self.type(type_id)).kind in _TRANSPARENT:
            type_id = current.target
        return type_id

    def members(self, type_id: int) -> Iterator[Member]:
        """Iterate over the members of a struct or union, in order."""
        owner = self.type(type_id)
        for i in range(owner.members):
            name, member, bits = struct.unpack_from("<III", self.blob, owner.at + 12 * i)
            yield Member(self.name(name), member, (bits & 0xFFFFFF if owner.flag else bits) // 8)

    def field(self, type_id: int, name: str) -> tuple[int, int] | None:
        """Return (offset in bytes, type id) of a field, also inside unnamed structs and unions."""
        for member in self.members(type_id):
            if member.name == name:
                return member.offset, member.type_id
            if not member.name:
                inner = self.field(self.bare(member.type_id), name)
                if inner:
                    return member.offset + inner[0], inner[1]
        return None

    def enumerators(self, type_id: int) -> Iterator[tuple[str, int]]:
        """Iterate over (name, value) of each constant of an enum."""
        owner = self.type(type_id)
        for i in range(owner.members):
            if owner.kind == Kind.ENUM:
                name, value = struct.unpack_from("<Ii", self.blob, owner.at + 8 * i)
            else:
                name, low, high = struct.unpack_from("<III", self.blob, owner.at + 12 * i)
                value = high << 32 | low
            yield self.name(name), value
