import ctypes.util
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from wattribute.core.records import Topology
from wattribute.node.activity.bpf.permission import kernel_version, missing_capabilities
from wattribute.node.activity.bpf.relocate import VMLINUX
from wattribute_testing.waiting import wait_until

SPIN = """
import sys, time
ends = float(sys.argv[1])
while time.process_time() < ends: pass
"""


@pytest.fixture(scope="session")
def bpf() -> None:
    """Skip, with the reason, where programs cannot be loaded."""
    if platform.system() != "Linux" or not VMLINUX.exists():
        pytest.skip(f"no {VMLINUX}: the kernel does not tell its types")
    if kernel_version(os.uname().release) < (5, 10):
        pytest.skip(f"Linux {os.uname().release}: needs 5.10")
    lacking = missing_capabilities(Path("/proc/self/status").read_text())
    if lacking:
        pytest.skip(f"needs {' and '.join(lacking)}")


@pytest.fixture(scope="session")
def libbpf() -> ctypes.CDLL:
    """The oracle of our loader."""
    name = ctypes.util.find_library("bpf")
    if not name:
        pytest.skip("libbpf is not installed (libbpf1, libbpf-dev)")
    return ctypes.CDLL(name)


@pytest.fixture
def topology() -> Topology:
    """All CPUs of this machine in one package, without siblings."""
    cpus = os.sysconf("SC_NPROCESSORS_CONF")
    return Topology(("0",), np.zeros(cpus, np.int64), np.full(cpus, -1))


@pytest.fixture
def spin() -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    """Start a process that uses so many seconds of CPU time, and ends."""
    started = []

    def start(seconds: float, **how: object) -> subprocess.Popen[bytes]:
        started.append(subprocess.Popen([sys.executable, "-S", "-c", SPIN, str(seconds)], **how))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()


@pytest.fixture
def burn_on(cpu_ns: Callable[[int], int]) -> Callable[[subprocess.Popen[bytes], float], None]:
    """Wait until a process has used so many seconds of CPU time more."""

    def wait(process: subprocess.Popen[bytes], seconds: float) -> None:
        end_ns = cpu_ns(process.pid) + seconds * 1e9
        wait_until(lambda: cpu_ns(process.pid) >= end_ns)

    return wait


@pytest.fixture
def cpu_ns() -> Callable[[int], int]:
    """CPU time of a process up to now, by its own clock (MAKE_PROCESS_CPUCLOCK, CPUCLOCK_SCHED)."""
    return lambda pid: time.clock_gettime_ns(~pid << 3 | 2)
