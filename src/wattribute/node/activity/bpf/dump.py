"""BPF iterators: the kernel walks its tasks and writes one record for each."""

import os
import struct

import numpy as np
from numpy.typing import NDArray

from wattribute.node.activity.bpf import syscall

_READ_BYTES = 1 << 16
"""What the kernel gives at once is less (8 pages of it)."""


class Dump:
    """Repeated dumps through one link, into one buffer that grows as needed."""

    def __init__(self, link: int, record: np.dtype[np.void]) -> None:
        """Of an iterator that writes ``record`` only."""
        self._link, self._record = link, record
        self._buffer = np.empty(_READ_BYTES * 4, np.uint8)

    def read(self) -> NDArray[np.void]:
        """All records of now, valid until the next read.

        Raises:
            OSError: with the kernel's errno.
        """
        stream = syscall.bpf(syscall.ITER_CREATE, bytearray(struct.pack("<II", self._link, 0)))
        filled = 0
        try:
            while True:
                if len(self._buffer) - filled < _READ_BYTES:
                    self._buffer = np.concatenate([self._buffer, np.empty_like(self._buffer)])
                got = os.readv(stream, [self._buffer[filled:].data])
                if not got:
                    break
                filled += got
        finally:
            os.close(stream)
        return self._buffer[:filled].view(self._record)
