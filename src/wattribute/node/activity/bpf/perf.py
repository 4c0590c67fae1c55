"""Find and open the CPUs' hardware counters with perf_event_open(2)."""

import errno
import os
import struct
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final, NamedTuple

from wattribute.core.errors import ActivityAbsent
from wattribute.node.activity.bpf import syscall
from wattribute.node.activity.bpf.permission import perf_denied

_HARDWARE: Final = 0
SOFTWARE: Final = 1
"""enum perf_type_id."""
_ATTR_SIZE: Final = 128
_ENABLED_AND_RUNNING: Final = 0b11
"""PERF_FORMAT_TOTAL_TIME_ENABLED | PERF_FORMAT_TOTAL_TIME_RUNNING."""

_DEVICES: Final = Path("/sys/bus/event_source/devices")
_CORE_TYPES: Final = ("cpu_core", "cpu_atom", "cpu_lowpower")
"""The PMUs of a hybrid CPU, one per kind of core; each has a file ``cpus`` and a file ``type``."""


class PerfEvent(NamedTuple):
    """An event to count, with the fields of struct perf_event_attr."""

    type: int
    config: int


HARDWARE_EVENTS: Final[Mapping[str, PerfEvent]] = {
    "cycles": PerfEvent(_HARDWARE, 0),
    "instructions": PerfEvent(_HARDWARE, 1),
    "cache_misses": PerfEvent(_HARDWARE, 3),
}
"""enum perf_hw_id. cache_misses is defined by the CPU: usually misses of the last level."""


def usable(events: Mapping[str, PerfEvent], cpu: int) -> dict[str, PerfEvent]:
    """Return the events that this machine can count; ``cycles`` must be one of them.

    Raises:
        ActivityAbsent: the machine cannot count cycles.
        ActivityDenied: this process lacks a permission.
    """
    usable_events = {}
    for name, event in events.items():
        try:
            os.close(open_on(event, cpu))
            usable_events[name] = event
        except OSError as exc:
            if exc.errno in (errno.EPERM, errno.EACCES):
                raise perf_denied(f"perf_event_open({name})", exc) from exc
            if name == "cycles":
                code = errno.errorcode.get(exc.errno or 0, str(exc.errno))
                raise ActivityAbsent(
                    f"no hardware cycle counter: perf_event_open(cycles): {code}"
                ) from exc
    if usable_events["cycles"].type == _HARDWARE and not _counts(usable_events["cycles"]):
        raise ActivityAbsent(
            "no hardware cycle counter: it opens and counts nothing (probably a hypervisor's)"
        )
    return usable_events


def open_on(event: PerfEvent, cpu: int) -> int:
    """Start to count everything that runs on one CPU, and return the descriptor.

    Raises:
        OSError: with the kernel's errno.
    """
    config = event.config
    if event.type == _HARDWARE:
        config |= _core_type(cpu) << 32  # which PMU of a hybrid CPU (since 5.13)
    return syscall.perf_event_open(_attr(PerfEvent(event.type, config)), -1, cpu)


def _counts(event: PerfEvent) -> bool:
    """Tell whether the counter rises while this process runs."""
    fd = syscall.perf_event_open(_attr(event), 0, -1)
    try:
        sum(range(10_000))
        return int.from_bytes(os.read(fd, 24)[:8], "little") > 0
    finally:
        os.close(fd)


def _attr(event: PerfEvent) -> bytearray:
    attr = bytearray(_ATTR_SIZE)
    struct.pack_into("<IIQ", attr, 0, event.type, _ATTR_SIZE, event.config)
    struct.pack_into("<Q", attr, 32, _ENABLED_AND_RUNNING)
    return attr


def _core_type(cpu: int) -> int:
    """Return the id of the PMU of this CPU on a hybrid machine; 0 on other machines."""
    for name in _CORE_TYPES:
        folder = _DEVICES / name
        try:
            if cpu in cpu_list((folder / "cpus").read_text()):
                return int((folder / "type").read_text())
        except OSError:
            continue
    return 0


def cpu_list(text: str) -> Iterable[int]:
    """Parse the kernel's notation of a list of CPUs, such as ``0-3,8``."""
    cpus: set[int] = set()
    for part in text.strip().split(","):
        if part:
            first, _, last = part.partition("-")
            cpus.update(range(int(first), int(last or first) + 1))
    return cpus
