"""Create BPF maps, write to them, and read them in bulk into numpy arrays."""

import ctypes
import errno
import mmap
import os
import struct
from typing import Final

import numpy as np
from numpy.typing import NDArray

from wattribute.node.activity.bpf import syscall
from wattribute.node.activity.bpf.spec import MapSpec

_SLACK: Final = 4096


def create(spec: MapSpec) -> int:
    """Create a map and return its descriptor.

    Raises:
        OSError: with the kernel's errno.
    """
    name = spec.name.encode()[:15]
    attr = struct.pack(
        "<7I16s7I", spec.type, spec.key_size, spec.value_size, spec.max_entries, spec.flags,
        0, 0, name, *(0,) * 7,
    )  # fmt: skip
    return syscall.bpf(syscall.MAP_CREATE, bytearray(attr))


def update(fd: int, key: bytes, value: bytes) -> None:
    """Set one entry.

    Raises:
        OSError: with the kernel's errno.
    """
    attr = struct.pack("<IIQQQ", fd, 0, _address(key), _address(value), 0)
    syscall.bpf(syscall.MAP_UPDATE, bytearray(attr))


def shared_array(fd: int, spec: MapSpec, dtype: np.dtype[np.void]) -> NDArray[np.void]:
    """Map an array map with BPF_F_MMAPABLE into memory that is shared with the kernel.

    ``dtype`` must have the size of the map's values. The mapping lives as long as the array.
    """
    memory = mmap.mmap(
        fd, _pages(spec.max_entries * spec.value_size), mmap.MAP_SHARED,
        mmap.PROT_READ | mmap.PROT_WRITE,
    )  # fmt: skip
    return np.frombuffer(memory, dtype, spec.max_entries)


class HashReader:
    """Reads a whole hash map at once, without work per entry in Python."""

    def __init__(
        self, fd: int, spec: MapSpec, key: np.dtype[np.void], value: np.dtype[np.void]
    ) -> None:
        """Prepare to read a map whose keys and values have these layouts."""
        # The arrays hold more than the map, because entries may come and go while a full map is
        # read. Pages of these arrays that no entry ever reached cost no memory.
        self._fd, self._capacity = fd, spec.max_entries + _SLACK
        self._keys = np.empty(self._capacity, key)
        self._values = np.empty(self._capacity, value)
        self._token = ctypes.create_string_buffer(max(64, key.itemsize))

    def read(self) -> tuple[NDArray[np.void], NDArray[np.void]]:
        """Read (keys, values), which are valid until the next read.

        An entry that exists during the whole read is in them exactly once: the kernel
        copies bucket by bucket, and entries stay in their bucket.

        Raises:
            OSError: with the kernel's errno.
        """
        token = ctypes.addressof(self._token)
        count, before = 0, 0
        while count < self._capacity:
            attr = bytearray(56)
            struct.pack_into(
                "<QQQQII", attr, 0, before, token,
                self._keys.ctypes.data + count * self._keys.itemsize,
                self._values.ctypes.data + count * self._values.itemsize,
                self._capacity - count, self._fd,
            )  # fmt: skip
            try:
                syscall.bpf(syscall.MAP_LOOKUP_BATCH, attr)
            except OSError as exc:
                if exc.errno == errno.ENOENT:  # that was the last bucket
                    count += int.from_bytes(attr[32:36], "little")
                elif exc.errno != errno.ENOSPC:  # the map grew beyond its bound during the read
                    raise
                break
            count += int.from_bytes(attr[32:36], "little")
            before = token
        return self._keys[:count], self._values[:count]

    def delete(self, keys: NDArray[np.void]) -> None:
        """Delete these entries; a missing entry is no error."""
        keys = np.ascontiguousarray(keys)
        deleted = 0
        while deleted < len(keys):
            attr = bytearray(56)
            struct.pack_into(
                "<QQQQII", attr, 0, 0, 0, keys.ctypes.data + deleted * keys.itemsize, 0,
                len(keys) - deleted, self._fd,
            )  # fmt: skip
            try:
                syscall.bpf(syscall.MAP_DELETE_BATCH, attr)
            except FileNotFoundError:
                deleted += int.from_bytes(attr[32:36], "little") + 1  # skip the missing entry
            else:
                return


def close(fds: list[int]) -> None:
    """Close descriptors; the kernel frees what nothing else refers to."""
    while fds:
        os.close(fds.pop())


def _pages(size: int) -> int:
    return -(-size // mmap.PAGESIZE) * mmap.PAGESIZE


def _address(data: bytes) -> int:
    """Return the address of bytes, which must stay referenced until the call returns."""
    return ctypes.cast(ctypes.c_char_p(data), ctypes.c_void_p).value or 0
