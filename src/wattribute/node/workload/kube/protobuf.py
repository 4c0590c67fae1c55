"""Decode the wire format of Protocol Buffers, as far as the kubelet's answers need it.

A message is a sequence of fields, each a number and a value. Decoding it takes 30 lines; the
library would take 6 MB of memory and generated code.
Source: protobuf.dev/programming-guides/encoding.
"""

from collections.abc import Iterator
from typing import Final

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_LONGEST_VARINT: Final = 10


def fields(message: bytes) -> Iterator[tuple[int, bytes]]:
    """Return a message's fields that are text, bytes or messages, in order; skip all others.

    Raises:
        ValueError: the bytes are not a message.
    """
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        number, kind = key >> 3, key & 7
        if kind == _VARINT:
            _, at = _varint(message, at)
        elif kind == _BYTES:
            length, at = _varint(message, at)
            if length > len(message) - at:
                raise ValueError("a field is longer than its message")
            yield number, message[at : at + length]
            at += length
        elif kind in (_FIXED64, _FIXED32):
            at += 8 if kind == _FIXED64 else 4
        else:
            raise ValueError(f"a field has the unknown type {kind}")
    if at != len(message):
        raise ValueError("a field is longer than its message")


def _varint(message: bytes, at: int) -> tuple[int, int]:
    """Decode a number; return it and the position after it."""
    value = 0
    for place in range(_LONGEST_VARINT):
        if at + place >= len(message):
            break
        byte = message[at + place]
        value |= (byte & 0x7F) << 7 * place
        if not byte & 0x80:
            return value, at + place + 1
    raise ValueError("a number does not end")
