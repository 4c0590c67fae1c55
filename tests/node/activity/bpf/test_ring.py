import mmap
import os
from collections.abc import Iterator

import numpy as np
import pytest

from wattribute.node.activity.bpf.ring import Ring

RECORD = np.dtype([("value", "<u8"), ("rest", "S16")])
STRIDE = 8 + RECORD.itemsize
BUSY = 1 << 31


class Kernel:
    """The writing side of a ring, on a file of the same layout (its data lie there twice)."""

    def __init__(self) -> None:
        page = mmap.PAGESIZE
        self.size = page
        self.fd = os.memfd_create("ring")
        os.ftruncate(self.fd, 4 * page)
        self.memory = mmap.mmap(self.fd, 4 * page)
        self.produced = 0

    def write(self, *values: int, busy: bool = False) -> None:
        page = mmap.PAGESIZE
        for value in values:
            length = RECORD.itemsize | (BUSY if busy else 0)
            record = np.zeros(1, RECORD)
            record["value"] = value
            for i, byte in enumerate(length.to_bytes(8, "little") + record.tobytes()):
                at = (self.produced + i) % self.size
                self.memory[2 * page + at] = byte
                self.memory[3 * page + at] = byte
            self.produced += STRIDE
        self.memory[page : page + 8] = self.produced.to_bytes(8, "little")

    def commit(self, at: int) -> None:
        self.memory[2 * mmap.PAGESIZE + at + 3] = 0


@pytest.fixture
def kernel() -> Iterator[Kernel]:
    made = Kernel()
    yield made
    made.memory.close()
    os.close(made.fd)


def test_records_come_once_and_in_order_also_around_the_end(kernel: Kernel) -> None:
    ring = Ring(kernel.fd, kernel.size, RECORD)
    room = kernel.size // STRIDE
    told: list[int] = []
    written = 0
    for count in (1, room - 1, 7, room, 0, room // 2, room, 3):
        kernel.write(*range(written, written + count))
        written += count
        told += ring.drain()["value"].tolist()
    assert told == list(range(written))


def test_a_record_that_is_not_complete_holds_up_those_behind_it(kernel: Kernel) -> None:
    ring = Ring(kernel.fd, kernel.size, RECORD)
    kernel.write(1)
    kernel.write(2, busy=True)
    kernel.write(3)
    assert ring.drain()["value"].tolist() == [1]
    assert ring.drain()["value"].tolist() == []
    kernel.commit(STRIDE)
    assert ring.drain()["value"].tolist() == [2, 3]
