"""Read BPF iterators, for which the kernel walks its tasks and writes one record for each."""

import os
import struct

import numpy as np
from numpy.typing import NDArray

from wattribute.node.activity.bpf import syscall

_READ_BYTES = 1 << 16
"""Free bytes before each read; the kernel returns less at once (8 pages of its own)."""


class Dump:
    """Repeats a dump through one link, into one buffer that grows as needed."""

    def __init__(self, link: int, record: np.dtype[np.void]) -> None:
        """Prepare to read an iterator that writes records of one type."""
        self._link, self._record = link, record
        self._buffer = np.empty(_READ_BYTES * 4, np.uint8)

    def read(self) -> NDArray[np.void]:
        """Read all current records; the array is valid until the next read.

        Raises:
            OSError: with the kernel's errno.
        """
        stream = syscall.bpf(syscall.ITER_CREATE, bytearray(struct.pack("<II", self._link, 0)))
        filled = 0
        try:
            while True:
                if len(self._buffer) - filled < _READ_BYTES:
                    self._buffer = np.concatenate([self._buffer, np.empty_like(self._buffer)])
                size = os.readv(stream, [self._buffer[filled:].data])
                if not size:
                    break
                filled += size
        finally:
            os.close(stream)
        return self._buffer[:filled].view(self._record)
