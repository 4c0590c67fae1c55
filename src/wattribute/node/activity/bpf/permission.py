"""What a process needs to use eBPF, and which of it is missing."""

import os
import re
import resource
from contextlib import suppress
from pathlib import Path
from typing import Final

from wattribute.core.errors import ActivityAbsent, ActivityDenied

_CAPABILITIES: Final = {"CAP_BPF": 39, "CAP_PERFMON": 38}
_CAP_SYS_ADMIN: Final = 21
"""include/uapi/linux/capability.h; CAP_SYS_ADMIN stands for both."""

_SELF: Final = Path("/proc/self")
"""Ours, wherever the host's /proc is mounted."""
_LOCKDOWN: Final = Path("/sys/kernel/security/lockdown")

_MEMCG_SINCE: Final = (5, 11)
"""Older kernels charge maps to RLIMIT_MEMLOCK."""
_HOST_PID_NAMESPACE: Final = 0xEFFFFFFC
"""PROC_PID_INIT_INO, include/linux/proc_ns.h."""


def require_kernel(since: tuple[int, int]) -> None:
    """Raise ActivityAbsent on an older kernel."""
    release = os.uname().release
    if kernel_version(release) < since:
        raise ActivityAbsent(f"eBPF: Linux {release} is too old, needs {since[0]}.{since[1]}")


def kernel_version(release: str) -> tuple[int, int]:
    """(5, 10) of ``5.10.0-28-amd64``; (0, 0) of what is no version."""
    match = re.match(r"(\d+)\.(\d+)", release)
    return (int(match[1]), int(match[2])) if match else (0, 0)


def prepare() -> None:
    """Raise ActivityDenied when a capability is missing; lift the memory limit where it counts."""
    lacking = missing_capabilities((_SELF / "status").read_text())
    if lacking:
        raise ActivityDenied(_needs(lacking))
    if kernel_version(os.uname().release) < _MEMCG_SINCE:
        unlimited = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
        with suppress(ValueError, OSError):  # told by denied(), if the limit is too low
            resource.setrlimit(resource.RLIMIT_MEMLOCK, unlimited)


def missing_capabilities(status: str) -> tuple[str, ...]:
    """The capabilities that /proc/PID/status says are not effective."""
    match = re.search(r"^CapEff:\s*([0-9a-f]+)$", status, re.MULTILINE)
    effective = int(match[1], 16) if match else 0
    if effective >> _CAP_SYS_ADMIN & 1:
        return ()
    return tuple(name for name, bit in _CAPABILITIES.items() if not effective >> bit & 1)


def denied(what: str, exc: OSError) -> ActivityDenied:
    """The reason for a refusal although the capabilities are there."""
    text = f"eBPF: {what}: {exc.strerror}"
    if _LOCKDOWN.exists() and "[confidentiality]" in _LOCKDOWN.read_text():
        return ActivityDenied(
            f"{text}: the kernel is locked down (confidentiality); needs lockdown=integrity or none"
        )
    if (_SELF / "uid_map").read_text().split() != ["0", "0", "4294967295"]:
        return ActivityDenied(
            f"{text}: capabilities of a user namespace do not count; run in the host's"
        )
    limit = resource.getrlimit(resource.RLIMIT_MEMLOCK)[0]
    if kernel_version(os.uname().release) < _MEMCG_SINCE and limit != resource.RLIM_INFINITY:
        return ActivityDenied(
            f"{text}: RLIMIT_MEMLOCK is {limit >> 10} KiB, and before Linux 5.11 maps count to it;"
            " needs ulimit -l unlimited, or CAP_SYS_RESOURCE"
        )
    return ActivityDenied(f"{text}: refused by seccomp or a security module")


def perf_denied(what: str, exc: OSError) -> ActivityDenied:
    """The reason why perf_event_open(2) refused."""
    lacking = [c for c in missing_capabilities((_SELF / "status").read_text()) if c != "CAP_BPF"]
    if lacking:
        return ActivityDenied(f"{what}: {exc.strerror}; {_needs(tuple(lacking))}")
    return ActivityDenied(f"{what}: {exc.strerror}: refused by seccomp or a security module")


def require_host_pids() -> None:
    """Raise ActivityAbsent in a pid namespace of our own: an iterator walks only its tasks."""
    inode = (_SELF / "ns/pid").stat().st_ino
    if inode != _HOST_PID_NAMESPACE:
        raise ActivityAbsent(
            "tasks: would see only the processes of this pid namespace; needs the host's"
            " (hostPID: true, --pid=host)"
        )


def _needs(lacking: tuple[str, ...]) -> str:
    return f"eBPF: needs {' and '.join(lacking)} (or root)"
