"""Fakes for tests, ours and our users': public, typed, versioned like the rest."""

from wattribute.testing.cgroupfs import FakeCgroupfs
from wattribute.testing.clock import FakeClock
from wattribute.testing.nvml import FakeNvml
from wattribute.testing.procfs import FakeProcfs
from wattribute.testing.sysfs import FakeSysfs

__all__ = [
    "FakeCgroupfs",
    "FakeClock",
    "FakeNvml",
    "FakeProcfs",
    "FakeSysfs",
]
