"""The clocks of a machine, behind a protocol, so that tests can pass in their own."""

import time
from typing import Protocol

from wattribute.core.units import Nanoseconds


class Clock(Protocol):
    """Three clocks of a machine, in nanoseconds."""

    def monotonic_ns(self) -> Nanoseconds:
        """Time since an arbitrary start, which never steps; time in suspend is not counted."""
        ...

    def boottime_ns(self) -> Nanoseconds:
        """Time since boot, suspend included. It gains on the monotonic clock during suspend."""
        ...

    def wall_ns(self) -> Nanoseconds:
        """Unix time, which may step when the clock is set."""
        ...


class SystemClock:
    """The kernel's clocks (clock_gettime(2))."""

    def monotonic_ns(self) -> Nanoseconds:
        """The time of CLOCK_MONOTONIC."""
        return Nanoseconds(time.clock_gettime_ns(time.CLOCK_MONOTONIC))

    def boottime_ns(self) -> Nanoseconds:
        """The time of CLOCK_BOOTTIME."""
        return Nanoseconds(time.clock_gettime_ns(time.CLOCK_BOOTTIME))

    def wall_ns(self) -> Nanoseconds:
        """The time of CLOCK_REALTIME."""
        return Nanoseconds(time.time_ns())
