"""BPF maps: created, written, and read in bulk into numpy arrays."""

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
    """The descriptor of a new map.

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
    """An array map with BPF_F_MMAPABLE, as memory that the kernel and we both see.

    ``dtype`` must have the size of the map's values; the array lives as long as it is held.
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
        """Of a map whose keys and values have these layouts."""
        # More than fits into the map: entries may come and go while it is full and read. Pages of
        # these arrays that no entry ever reached cost nothing.
        self._fd, self._capacity = fd, spec.max_entries + _SLACK
        self._keys = np.empty(self._capacity, key)
        self._values = np.empty(self._capacity, value)
        self._token = ctypes.create_string_buffer(max(64, key.itemsize))

    def read(self) -> tuple[NDArray[np.void], NDArray[np.void]]:
        """(keys, values), valid until the next read.

        An entry that is there all the while is in it exactly once: the kernel
        copies bucket by bucket, and entries stay in theirs.

        Raises:
            OSError: with the kernel's errno.
        """
        token = ctypes.addressof(self._token)
        got, before = 0, 0
        while got < self._capacity:
            attr = bytearray(56)
            struct.pack_into(
                "<QQQQII", attr, 0, before, token,
                self._keys.ctypes.data + got * self._keys.itemsize,
                self._values.ctypes.data + got * self._values.itemsize,
                self._capacity - got, self._fd,
            )  # fmt: skip
            try:
                syscall.bpf(syscall.MAP_LOOKUP_BATCH, attr)
            except OSError as exc:
                if exc.errno == errno.ENOENT:  # that was the last bucket
                    got += int.from_bytes(attr[32:36], "little")
                elif exc.errno != errno.ENOSPC:  # no room: it grew past its bound as we read
                    raise
                break
            got += int.from_bytes(attr[32:36], "little")
            before = token
        return self._keys[:got], self._values[:got]

    def delete(self, keys: NDArray[np.void]) -> None:
        """Remove these entries; one that is not there is no error."""
        keys = np.ascontiguousarray(keys)
        done = 0
        while done < len(keys):
            attr = bytearray(56)
            struct.pack_into(
                "<QQQQII", attr, 0, 0, 0, keys.ctypes.data + done * keys.itemsize, 0,
                len(keys) - done, self._fd,
            )  # fmt: skip
            try:
                syscall.bpf(syscall.MAP_DELETE_BATCH, attr)
            except FileNotFoundError:
                done += int.from_bytes(attr[32:36], "little") + 1  # past the one that is gone
            else:
                return


def close(fds: list[int]) -> None:
    """Close descriptors; the kernel frees what nothing else holds."""
    while fds:
        os.close(fds.pop())


def _pages(size: int) -> int:
    return -(-size // mmap.PAGESIZE) * mmap.PAGESIZE


def _address(data: bytes) -> int:
    """Where the bytes lie; they must be held until the call returns."""
    return ctypes.cast(ctypes.c_char_p(data), ctypes.c_void_p).value or 0
