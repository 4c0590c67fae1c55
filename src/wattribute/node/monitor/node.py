"""Cumulative energy of the node, by channel and by zone."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wattribute.core.records import (
    Attribution,
    Channel,
    Interval,
    Mode,
    NodeTotals,
    Origin,
    Zone,
    ZoneTotal,
)
from wattribute.core.units import Microjoules, Microwatts, power_of


@dataclass(slots=True)
class _ZoneBook:
    dynamic_uj: int = 0
    idle_uj: int = 0
    origin: Origin = Origin.MEASURED
    power_uw: int = 0
    low_uw: int | None = None
    high_uw: int | None = None


class NodeBook:
    """The node's totals, and the list of channels that all tables share."""

    def __init__(self) -> None:
        """An empty book."""
        self.channels: list[Channel] = []
        self.energy_uj: NDArray[np.int64] = np.zeros((0, 2), np.int64)
        self.idle_uj: NDArray[np.int64] = np.zeros(0, np.int64)
        self.unattributed_uj: NDArray[np.int64] = np.zeros(0, np.int64)
        self._zones: dict[Zone, _ZoneBook] = {}

    def channel(self, zone: Zone, origin: Origin) -> int:
        """Index of the channel of a zone; a new one is added at the end."""
        channel = Channel(zone.kind, zone.source, origin)
        if channel not in self.channels:
            self.channels.append(channel)
            self.energy_uj = np.concatenate([self.energy_uj, np.zeros((1, 2), np.int64)])
            self.idle_uj = np.append(self.idle_uj, np.int64(0))
            self.unattributed_uj = np.append(self.unattributed_uj, np.int64(0))
        return self.channels.index(channel)

    def book(self, attribution: Attribution, channel: int) -> None:
        """Add one attribution."""
        interval = attribution.interval
        idle_uj = int(attribution.floor_uj.sum()) + attribution.idle_uj
        dynamic_uj = interval.energy_uj - idle_uj
        self.energy_uj[channel, Mode.DYNAMIC] += dynamic_uj
        self.energy_uj[channel, Mode.IDLE] += idle_uj
        self.idle_uj[channel] += attribution.idle_uj
        self.unattributed_uj[channel] += attribution.unattributed_uj
        zone = self._zones.setdefault(interval.zone, _ZoneBook())
        zone.dynamic_uj += dynamic_uj
        zone.idle_uj += idle_uj
        self._note_power(zone, interval)

    @staticmethod
    def _note_power(zone: _ZoneBook, interval: Interval) -> None:
        elapsed_ns = interval.end_ns - interval.start_ns
        zone.origin = interval.origin
        zone.power_uw = power_of(interval.energy_uj, elapsed_ns)
        zone.low_uw = None if interval.low_uj is None else power_of(interval.low_uj, elapsed_ns)
        zone.high_uw = None if interval.high_uj is None else power_of(interval.high_uj, elapsed_ns)

    def restore_zone(self, zone: Zone, origin: Origin, dynamic_uj: int, idle_uj: int) -> None:
        """A zone's totals from the state file."""
        self._zones[zone] = _ZoneBook(dynamic_uj, idle_uj, origin)

    def totals(self, up: frozenset[Zone]) -> NodeTotals:
        """A frozen copy; ``up``: zones that answer."""
        return NodeTotals(
            energy_uj=_frozen(self.energy_uj),
            idle_uj=_frozen(self.idle_uj),
            unattributed_uj=_frozen(self.unattributed_uj),
            zones=tuple(
                ZoneTotal(
                    zone=zone,
                    origin=book.origin,
                    dynamic_uj=Microjoules(book.dynamic_uj),
                    idle_uj=Microjoules(book.idle_uj),
                    power_uw=Microwatts(book.power_uw),
                    low_uw=None if book.low_uw is None else Microwatts(book.low_uw),
                    high_uw=None if book.high_uw is None else Microwatts(book.high_uw),
                    up=zone in up,
                )
                for zone, book in self._zones.items()
            ),
        )


def _frozen(array: NDArray[np.int64]) -> NDArray[np.int64]:
    copy = array.copy()
    copy.flags.writeable = False
    return copy
