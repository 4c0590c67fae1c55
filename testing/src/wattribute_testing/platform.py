"""A platform meter that moves seldom, as BMCs do."""

from collections.abc import Callable

from wattribute.core.errors import MeterFailed
from wattribute.core.records import Gauge, Reading, Zone
from wattribute.core.units import Nanoseconds, microwatts, nanoseconds


class SlowPlatform:
    """Shows the power of some instant until it looks again."""

    name = "redfish"

    def __init__(
        self, power_w: Callable[[], float], every_s: float = 20.0, *, source: str = "redfish"
    ) -> None:
        """``power_w``: the machine's power now; looked at every ``every_s`` seconds."""
        self.zones = (Zone("platform", "1", source),)
        self.problems: tuple[str, ...] = ()
        self.fails = False
        """Whether it cannot be read."""
        self._power_w = power_w
        self._every_ns = nanoseconds(every_s)
        self._shown: Reading | None = None

    def read(self, now_ns: Nanoseconds) -> tuple[Reading, ...]:
        """What it saw last, with the instant of then.

        Raises:
            MeterFailed: it was told to fail.
        """
        if self.fails:
            raise MeterFailed("redfish: told to fail")
        if self._shown is None or now_ns - self._shown.at_ns >= self._every_ns:
            power = Gauge(microwatts(self._power_w()))
            self._shown = Reading(self.zones[0], now_ns, power)
        return (self._shown,)

    def close(self) -> None:
        """Nothing to close."""
