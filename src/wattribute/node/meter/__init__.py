"""Hardware backends: each turns this machine's sensors into readings.

One backend, one file. ``choose.py`` is the table that says which are used.
"""

from collections.abc import Iterable
from typing import Protocol, runtime_checkable

from wattribute.core.records import GpuUsage, Reading, Zone
from wattribute.core.units import Nanoseconds


class Meter(Protocol):
    """One hardware backend."""

    name: str
    """As in ``--meters`` and in wattribute_meter_* metrics: ``rapl``, ``hwmon``, ..."""

    @property
    def zones(self) -> tuple[Zone, ...]:
        """The zones it knows now; may shrink and grow when hardware goes and comes."""
        ...

    @property
    def problems(self) -> tuple[str, ...]:
        """What was there and could not be read, one line each, with what would fix it.

        Of the last read, or of the opening; empty when all is well.
        """
        ...

    def read(self, now_ns: Nanoseconds) -> Iterable[Reading]:
        """One reading per zone that could be read; the others are left out and counted.

        Their instant is ``now_ns``. A zone that moves more seldom than the loop ticks is
        there again with the instant of the tick in which it moved last.

        Raises:
            MeterFailed: nothing could be read this time.
            MeterGone: the hardware has vanished.
        """
        ...

    def close(self) -> None:
        """Give back what it holds open."""
        ...


@runtime_checkable
class GpuMeter(Meter, Protocol):
    """A meter of GPUs: it also knows who used them. One vendor, one file."""

    @property
    def notes(self) -> tuple[str, ...]:
        """How its devices are measured, for ``doctor``; devices alike are one line."""
        ...

    def read_use(self, now_ns: Nanoseconds) -> GpuUsage | None:
        """Who used the devices since the read before; None the first time.

        Never fails: a device that does not answer is left out, and its state says why.
        """
        ...
