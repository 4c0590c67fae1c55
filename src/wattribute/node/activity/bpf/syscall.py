"""Call bpf(2) and perf_event_open(2) by number, because the C library wraps neither."""

import ctypes
import os
import platform
from typing import Final

from wattribute.core.errors import ActivityAbsent

_NUMBERS: Final = {
    "x86_64": (321, 298),
    "aarch64": (280, 241),
    "riscv64": (280, 241),
    "loongarch64": (280, 241),
    "ppc64le": (361, 319),
}
"""Numbers of (bpf, perf_event_open) for each architecture on which our little-endian 64-bit
programs run.
Source: arch/*/entry/syscalls and include/uapi/asm-generic/unistd.h."""

MAP_CREATE: Final = 0
MAP_UPDATE: Final = 2
PROG_LOAD: Final = 5
PROG_TEST_RUN: Final = 10
OBJ_GET_INFO_BY_FD: Final = 15
RAW_TRACEPOINT_OPEN: Final = 17
MAP_LOOKUP_BATCH: Final = 24
MAP_DELETE_BATCH: Final = 27
LINK_CREATE: Final = 28
ITER_CREATE: Final = 33
"""Commands of bpf(2), include/uapi/linux/bpf.h."""

_libc = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long


def bpf(command: int, attr: bytearray) -> int:
    """Give the kernel one command; it may write its answers into ``attr``.

    Raises:
        OSError: with the kernel's errno and message.
    """
    buffer = (ctypes.c_char * len(attr)).from_buffer(attr)
    return _call(_numbers()[0], command, buffer, len(attr))


def perf_event_open(attr: bytearray, pid: int, cpu: int) -> int:
    """Open one counter outside of any group; the descriptor is closed on exec.

    Raises:
        OSError: with the kernel's errno.
    """
    buffer = (ctypes.c_char * len(attr)).from_buffer(attr)
    close_on_exec = 8
    return _call(_numbers()[1], buffer, pid, cpu, ctypes.c_int(-1), ctypes.c_ulong(close_on_exec))


def _numbers() -> tuple[int, int]:
    machine = platform.machine()
    if machine not in _NUMBERS:
        raise ActivityAbsent(
            f"eBPF: there are no programs for {machine}, only for {', '.join(sorted(_NUMBERS))}"
        )
    return _NUMBERS[machine]


def _call(number: int, *args: object) -> int:
    result: int = _libc.syscall(ctypes.c_long(number), *args)
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return result
