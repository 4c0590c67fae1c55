"""Fakes for tests, ours and our users': public, typed, versioned like the rest."""

from wattribute_testing.cgroupfs import FakeCgroupfs
from wattribute_testing.clock import FakeClock
from wattribute_testing.nvml import FakeNvml
from wattribute_testing.procfs import FakeProcfs
from wattribute_testing.sysfs import FakeSysfs

__all__ = [
    "FakeCgroupfs",
    "FakeClock",
    "FakeNvml",
    "FakeProcfs",
    "FakeSysfs",
]
