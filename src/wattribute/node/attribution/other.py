"""Compute the rest of the platform: its meter's energy less that of its parts."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from wattribute.core.records import Interval, Origin, Zone
from wattribute.core.units import Microjoules
from wattribute.node.attribution.platform_fit import AffineFit

_LONGEST: Final = 2048
"""Pending entries before neighbours are merged: 5 zones at 0.2 s for more than 60 s (a BMC's value
changes every 10 to 60 s)."""


@dataclass(frozen=True, slots=True)
class _Part:
    """Energy of a part that waits for the platform meter's next value."""

    start_ns: int
    end_ns: int
    energy_uj: int
    low_uj: int
    high_uj: int
    estimated: bool

    def cut(self, at_ns: int) -> tuple["_Part", "_Part"]:
        """Split the part at an instant; energy is in proportion to time and exact in the sum."""
        length_ns = self.end_ns - self.start_ns
        upto_ns = at_ns - self.start_ns
        energy_uj, low_uj, high_uj = (
            amount * upto_ns // length_ns for amount in (self.energy_uj, self.low_uj, self.high_uj)
        )
        return (
            replace(self, end_ns=at_ns, energy_uj=energy_uj, low_uj=low_uj, high_uj=high_uj),
            replace(
                self,
                start_ns=at_ns,
                energy_uj=self.energy_uj - energy_uj,
                low_uj=self.low_uj - low_uj,
                high_uj=self.high_uj - high_uj,
            ),
        )


class Remainder:
    """Computes platform less packages, DRAM and GPUs, over the platform meter's own windows.

    Parts may be ahead of the platform meter (another clock, an average over
    the past). The deficit is carried forward and subtracted from the next remainders,
    never clamped away. So over consecutive windows, emitted + parts = platform +
    ``deficit_uj`` holds exactly at any time.
    """

    def __init__(self) -> None:
        """Start without pending parts and without deficit."""
        self.deficit_uj: int = 0
        """Energy by which the parts are ahead of the platform now, >= 0."""
        self.fit = AffineFit()
        """The fit of the platform's power over that of its parts."""
        self._pending: list[_Part] = []
        self._since_ns: int | None = None
        self._until_ns: int | None = None

    def add(self, platform: Interval | None, parts: Sequence[Interval]) -> Interval | None:
        """Add one tick's intervals; return the remainder if the platform meter has a new value.

        Parts before the first window, or in a gap between two windows, are dropped, because
        the platform's energy at that time is not known. A part that comes late
        (its meter missed a tick) still counts for past windows.

        Args:
            platform: the platform's energy since the interval before; None if its meter has
                no new value in this tick.
            parts: this tick's intervals of the other zones; zones that are no component of
                their own (core, uncore, platform) are ignored.

        Returns:
            An interval of kind ``other`` over the platform's window, with the platform's
        source and origin (estimated, with a band, if a part was). None if there is no new
        value, or the window begins before the end of the last one.
        """
        self._pending.extend(
            _Part(
                part.start_ns,
                part.end_ns,
                part.energy_uj,
                part.energy_uj if part.low_uj is None else part.low_uj,
                part.energy_uj if part.high_uj is None else part.high_uj,
                part.origin is Origin.ESTIMATED,
            )
            for part in parts
            if part.zone.component not in (None, "other")
        )
        if platform is None:
            if len(self._pending) > _LONGEST:
                self._pending = _merged(self._pending)
            return None
        if self._until_ns is not None and platform.start_ns < self._until_ns:
            return None  # another meter has already covered this time
        if self._since_ns is None or platform.start_ns != self._until_ns:
            self._since_ns = platform.start_ns
        self._until_ns = platform.end_ns
        return self._rest(platform, self._take(self._since_ns, platform.end_ns))

    def _take(self, start_ns: int, end_ns: int) -> list[_Part]:
        """Remove and return the pending energy in the window; energy after the window stays."""
        inside: list[_Part] = []
        later: list[_Part] = []
        for pending in self._pending:
            part = pending
            if part.end_ns > end_ns:
                if part.start_ns >= end_ns:
                    later.append(part)
                    continue
                part, after = part.cut(end_ns)
                later.append(after)
            if part.end_ns > start_ns:
                inside.append(part if part.start_ns >= start_ns else part.cut(start_ns)[1])
        self._pending = later
        return inside

    def _rest(self, platform: Interval, parts: list[_Part]) -> Interval:
        owed_uj, parts_uj = self.deficit_uj, sum(part.energy_uj for part in parts)
        self.fit.add(platform, parts_uj)
        rest_uj = platform.energy_uj - parts_uj - owed_uj
        energy_uj = max(rest_uj, 0)
        self.deficit_uj = energy_uj - rest_uj
        origin, low_uj, high_uj = platform.origin, None, None
        if origin is Origin.ESTIMATED or any(part.estimated for part in parts):
            origin = Origin.ESTIMATED
            least_uj = int(platform.energy_uj if platform.low_uj is None else platform.low_uj)
            most_uj = int(platform.energy_uj if platform.high_uj is None else platform.high_uj)
            least_uj -= sum(part.high_uj for part in parts) + owed_uj
            most_uj -= sum(part.low_uj for part in parts) + owed_uj
            low_uj = Microjoules(min(max(least_uj, 0), energy_uj))
            high_uj = Microjoules(max(most_uj, energy_uj))
        return Interval(
            Zone("other", platform.zone.id, platform.zone.source),
            platform.start_ns,
            platform.end_ns,
            Microjoules(energy_uj),
            origin,
            low_uj=low_uj,
            high_uj=high_uj,
        )


def _merged(parts: list[_Part]) -> list[_Part]:
    """Join pairs of neighbours in time, without losing energy."""
    parts = sorted(parts, key=lambda part: part.start_ns)
    joined = [
        _Part(
            first.start_ns,
            max(first.end_ns, second.end_ns),
            first.energy_uj + second.energy_uj,
            first.low_uj + second.low_uj,
            first.high_uj + second.high_uj,
            first.estimated or second.estimated,
        )
        for first, second in zip(parts[::2], parts[1::2], strict=False)
    ]
    return joined + parts[len(joined) * 2 :]
