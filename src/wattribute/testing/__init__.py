"""Fakes for tests, ours and our users': public, typed, versioned like the rest."""

from wattribute.testing.clock import FakeClock
from wattribute.testing.sysfs import FakeSysfs

__all__ = [
    "FakeClock",
    "FakeSysfs",
]
