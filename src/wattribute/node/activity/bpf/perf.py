"""Counters of CPUs through perf_event_open(2): which there are, and one descriptor per CPU."""

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
"""One PMU per kind of core on hybrid CPUs; each has a file ``cpus`` and a file ``type``."""


class Event(NamedTuple):
    """What to count, as struct perf_event_attr names it."""

    type: int
    config: int


HARDWARE_EVENTS: Final[Mapping[str, Event]] = {
    "cycles": Event(_HARDWARE, 0),
    "instructions": Event(_HARDWARE, 1),
    "cache_misses": Event(_HARDWARE, 3),
}
"""enum perf_hw_id. cache_misses is what the CPU calls so: as a rule, of the last level."""


def usable(events: Mapping[str, Event], cpu: int) -> dict[str, Event]:
    """The events that this machine counts; ``cycles`` must be one of them.

    Raises:
        ActivityAbsent: it counts no cycles.
        ActivityDenied: it may, and we may not.
    """
    found = {}
    for name, event in events.items():
        try:
            os.close(open_on(event, cpu))
            found[name] = event
        except OSError as exc:
            if exc.errno in (errno.EPERM, errno.EACCES):
                raise perf_denied(f"perf_event_open({name})", exc) from exc
            if name == "cycles":
                code = errno.errorcode.get(exc.errno or 0, str(exc.errno))
                raise ActivityAbsent(
                    f"no hardware cycle counter: perf_event_open(cycles): {code}"
                ) from exc
    if found["cycles"].type == _HARDWARE and not _counts(found["cycles"]):
        raise ActivityAbsent(
            "no hardware cycle counter: it opens, and counts nothing (a hypervisor's?)"
        )
    return found


def open_on(event: Event, cpu: int) -> int:
    """Descriptor of a counter of everything that runs on one CPU, counting from now.

    Raises:
        OSError: with the kernel's errno.
    """
    config = event.config
    if event.type == _HARDWARE:
        config |= _core_type(cpu) << 32  # which PMU of a hybrid CPU (since 5.13)
    return syscall.perf_event_open(_attr(Event(event.type, config)), -1, cpu)


def _counts(event: Event) -> bool:
    """Whether the counter moves while we run."""
    fd = syscall.perf_event_open(_attr(event), 0, -1)
    try:
        sum(range(10_000))
        return int.from_bytes(os.read(fd, 24)[:8], "little") > 0
    finally:
        os.close(fd)


def _attr(event: Event) -> bytearray:
    attr = bytearray(_ATTR_SIZE)
    struct.pack_into("<IIQ", attr, 0, event.type, _ATTR_SIZE, event.config)
    struct.pack_into("<Q", attr, 32, _ENABLED_AND_RUNNING)
    return attr


def _core_type(cpu: int) -> int:
    """The id of the PMU that serves this CPU on a hybrid machine; 0 elsewhere."""
    for name in _CORE_TYPES:
        folder = _DEVICES / name
        try:
            if cpu in cpu_list((folder / "cpus").read_text()):
                return int((folder / "type").read_text())
        except OSError:
            continue
    return 0


def cpu_list(text: str) -> Iterable[int]:
    """The numbers in the kernel's notation ``0-3,8``."""
    cpus: set[int] = set()
    for part in text.strip().split(","):
        if part:
            first, _, last = part.partition("-")
            cpus.update(range(int(first), int(last or first) + 1))
    return cpus
