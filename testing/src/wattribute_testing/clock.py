"""A clock that moves only when told."""

from wattribute.core.units import Nanoseconds, nanoseconds

_START_NS = nanoseconds(1_000)
_WALL_START_NS = nanoseconds(1_767_225_600)  # 2026-01-01T00:00:00Z


class FakeClock:
    """The three clocks of a machine, turned by hand; implements ``wattribute.core.clock.Clock``."""

    def __init__(self) -> None:
        """Start at 1,000 s after boot, on 2026-01-01."""
        self._monotonic_ns: int = _START_NS
        self._boottime_ns: int = _START_NS
        self._wall_ns: int = _WALL_START_NS

    def monotonic_ns(self) -> Nanoseconds:
        """Time since boot, without suspend."""
        return Nanoseconds(self._monotonic_ns)

    def boottime_ns(self) -> Nanoseconds:
        """Time since boot, with suspend."""
        return Nanoseconds(self._boottime_ns)

    def wall_ns(self) -> Nanoseconds:
        """Return the Unix time in nanoseconds."""
        return Nanoseconds(self._wall_ns)

    def advance(self, seconds: float) -> None:
        """Let time pass: all three clocks go on."""
        self._monotonic_ns += nanoseconds(seconds)
        self.suspend(seconds)

    def suspend(self, seconds: float) -> None:
        """Sleep: all but the monotonic clock go on."""
        self._boottime_ns += nanoseconds(seconds)
        self._wall_ns += nanoseconds(seconds)

    def step_wall(self, seconds: float) -> None:
        """Set the wall clock forward, or back when negative; time itself does not pass."""
        self._wall_ns += nanoseconds(seconds)
