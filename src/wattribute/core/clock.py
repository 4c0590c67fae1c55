"""The clock, as a thing that can be handed in: tests turn their own."""

import time
from typing import Protocol

from wattribute.core.units import Nanoseconds


class Clock(Protocol):
    """Three clocks of one machine, in nanoseconds."""

    def monotonic_ns(self) -> Nanoseconds:
        """Time since some start, without suspend; never steps."""
        ...

    def boottime_ns(self) -> Nanoseconds:
        """The same with suspend: the two drifting apart means that the machine slept."""
        ...

    def wall_ns(self) -> Nanoseconds:
        """Unix time; may step."""
        ...


class SystemClock:
    """The kernel's clocks (clock_gettime(2))."""

    def monotonic_ns(self) -> Nanoseconds:
        """CLOCK_MONOTONIC."""
        return Nanoseconds(time.clock_gettime_ns(time.CLOCK_MONOTONIC))

    def boottime_ns(self) -> Nanoseconds:
        """CLOCK_BOOTTIME."""
        return Nanoseconds(time.clock_gettime_ns(time.CLOCK_BOOTTIME))

    def wall_ns(self) -> Nanoseconds:
        """CLOCK_REALTIME."""
        return Nanoseconds(time.time_ns())
