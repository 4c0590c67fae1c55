"""Check what this process needs to use eBPF, and name what is missing."""

import os
import re
import resource
from contextlib import suppress
from pathlib import Path
from typing import Final

from wattribute.core.errors import ActivityAbsent, ActivityDenied

_CAPABILITIES: Final = {"CAP_BPF": 39, "CAP_PERFMON": 38}
_CAP_SYS_ADMIN: Final = 21
"""include/uapi/linux/capability.h; CAP_SYS_ADMIN implies both."""

_SELF: Final = Path("/proc/self")
"""The entry of this process, wherever the host's /proc is mounted."""
_LOCKDOWN: Final = Path("/sys/kernel/security/lockdown")

_MEMCG_SINCE: Final = (5, 11)
"""Older kernels count maps against RLIMIT_MEMLOCK."""
_HOST_PID_NAMESPACE: Final = 0xEFFFFFFC
"""PROC_PID_INIT_INO, include/linux/proc_ns.h."""


def require_kernel(since: tuple[int, int]) -> None:
    """Raise ActivityAbsent if the kernel is older than this."""
    release = os.uname().release
    if kernel_version(release) < since:
        raise ActivityAbsent(
            f"eBPF: Linux {release} is too old; {since[0]}.{since[1]} or later is needed"
        )


def kernel_version(release: str) -> tuple[int, int]:
    """Parse ``5.10.0-28-amd64`` into (5, 10); a text that is no version gives (0, 0)."""
    match = re.match(r"(\d+)\.(\d+)", release)
    return (int(match[1]), int(match[2])) if match else (0, 0)


def prepare() -> None:
    """Raise ActivityDenied if a capability is missing; lift the memory limit on old kernels."""
    lacking = missing_capabilities((_SELF / "status").read_text())
    if lacking:
        raise ActivityDenied(_needs(lacking))
    if kernel_version(os.uname().release) < _MEMCG_SINCE:
        unlimited = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
        with suppress(ValueError, OSError):  # denied() reports a limit that is too low
            resource.setrlimit(resource.RLIMIT_MEMLOCK, unlimited)


def missing_capabilities(status: str) -> tuple[str, ...]:
    """Return the capabilities that are not effective according to /proc/PID/status."""
    match = re.search(r"^CapEff:\s*([0-9a-f]+)$", status, re.MULTILINE)
    effective = int(match[1], 16) if match else 0
    if effective >> _CAP_SYS_ADMIN & 1:
        return ()
    return tuple(name for name, bit in _CAPABILITIES.items() if not effective >> bit & 1)


def denied(step: str, exc: OSError) -> ActivityDenied:
    """Return the error for a refusal although the capabilities are there."""
    text = f"eBPF: cannot {step}: {exc.strerror}"
    if _LOCKDOWN.exists() and "[confidentiality]" in _LOCKDOWN.read_text():
        return ActivityDenied(
            f"{text}: the kernel is locked down (confidentiality); boot with lockdown=integrity or"
            " lockdown=none"
        )
    if (_SELF / "uid_map").read_text().split() != ["0", "0", "4294967295"]:
        return ActivityDenied(
            f"{text}: capabilities in a user namespace do not count; run in the host's"
        )
    limit = resource.getrlimit(resource.RLIMIT_MEMLOCK)[0]
    if kernel_version(os.uname().release) < _MEMCG_SINCE and limit != resource.RLIM_INFINITY:
        return ActivityDenied(
            f"{text}: RLIMIT_MEMLOCK is {limit >> 10} KiB, and before Linux 5.11 it limits maps;"
            " set ulimit -l unlimited, or add CAP_SYS_RESOURCE"
        )
    return ActivityDenied(
        f"{text}: seccomp or a security module (SELinux, AppArmor) refuses it; allow it there"
    )


def perf_denied(call: str, exc: OSError) -> ActivityDenied:
    """Return the error for a refusal of perf_event_open(2)."""
    lacking = [c for c in missing_capabilities((_SELF / "status").read_text()) if c != "CAP_BPF"]
    if lacking:
        return ActivityDenied(f"{call}: {exc.strerror}; {_needs(tuple(lacking))}")
    return ActivityDenied(
        f"{call}: {exc.strerror}: seccomp or a security module (SELinux, AppArmor) refuses it;"
        " allow it there"
    )


def require_host_pids() -> None:
    """Raise ActivityAbsent outside the host's pid namespace: an iterator walks only its own."""
    inode = (_SELF / "ns/pid").stat().st_ino
    if inode != _HOST_PID_NAMESPACE:
        raise ActivityAbsent(
            "tasks: only the processes of this pid namespace would be visible; run in the host's"
            " (hostPID: true, --pid=host)"
        )


def _needs(lacking: tuple[str, ...]) -> str:
    return f"eBPF: needs {' and '.join(lacking)} (or root)"
