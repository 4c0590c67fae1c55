"""Read a BPF ring buffer with records of one size, without system calls.

Source: Documentation/bpf/ringbuf.rst and kernel/bpf/ringbuf.c. One page has our
position, one the kernel's, and then comes the data. The kernel maps the data
twice in a row, so that no record is ever cut.
"""

import mmap
from typing import Final

import numpy as np
from numpy.typing import NDArray

_BUSY: Final = 1 << 31
"""Bit in a record's length: the record is reserved and not written yet."""


class Ring:
    """Reads the records that were written since the last drain."""

    def __init__(self, fd: int, size: int, record: np.dtype[np.void]) -> None:
        """Map the ring of ``fd``, which has ``size`` bytes, a power of two.

        Only one page of the second mapping is mapped, because mapped pages count as our memory.
        """
        page = mmap.PAGESIZE
        self._stride = np.dtype([("length", "<u4"), ("page", "<u4"), ("record", record)])
        self._size = size
        self._nothing = np.empty(0, record)
        shared = mmap.MAP_SHARED
        ours = mmap.mmap(fd, page, shared, mmap.PROT_READ | mmap.PROT_WRITE)
        theirs = mmap.mmap(fd, page + size + page, shared, mmap.PROT_READ, offset=page)
        self._consumed = np.frombuffer(ours, np.uint64, 1)
        self._produced = np.frombuffer(theirs, np.uint64, 1)
        self._data = np.frombuffer(theirs, np.uint8, size + page, offset=page)

    def drain(self) -> NDArray[np.void]:
        """Return the complete records, oldest first, and free their space."""
        if self._consumed[0] == self._produced[0]:
            return self._nothing
        first = self._take()
        rest = self._take()  # the records after the end of the first mapping
        return np.concatenate([first, rest]) if len(rest) else first

    def _take(self) -> NDArray[np.void]:
        """Read the records that begin before the ring's end."""
        step = self._stride.itemsize
        consumed, produced = int(self._consumed[0]), int(self._produced[0])
        start = consumed & (self._size - 1)
        count = min((produced - consumed) // step, -(-(self._size - start) // step))
        complete = self._data[start : start + count * step].view(self._stride)
        # The kernel commits in any order, and a record must be read after its length: the check
        # of all lengths lies thousands of instructions before the first byte that is copied.
        busy = np.flatnonzero(complete["length"] & _BUSY)
        if len(busy):
            complete = complete[: busy[0]]
        records: NDArray[np.void] = complete["record"].copy()
        self._consumed[0] = consumed + len(complete) * step
        return records
