"""Hardware backends: each turns this machine's sensors into readings.

One backend, one file, which also holds the backend's facts (``backend.py``). Which of them there
are is told by the table in ``node/backends.py``, and ``choose.py`` picks those that are used.

A meter may be able to do more than ``Meter`` asks for: it then has the methods of one of the small
protocols below, and its users ask for the protocol and never for a class.
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
class Covers(Protocol):
    """A meter whose energy contains more than its zones' kinds say."""

    @property
    def covers(self) -> frozenset[str]:
        """The components in its energy, and ``platform`` or ``machine`` if it will see those.

        No other meter is chosen for them, and no model estimates them.
        """
        ...


@runtime_checkable
class Settles(Protocol):
    """A meter that is asked in the background, so that its first answer takes a while."""

    def settle(self, patience_s: float) -> None:
        """Wait for the first answer or failure, but no longer than ``patience_s`` seconds."""
        ...


@runtime_checkable
class HasNotes(Protocol):
    """A meter that can say how it measures."""

    @property
    def notes(self) -> tuple[str, ...]:
        """How its devices are measured, for ``doctor``; devices alike are one line."""
        ...


@runtime_checkable
class GpuMeter(Meter, HasNotes, Protocol):
    """A meter of GPUs: it also knows who used them. One vendor, one file."""

    def read_use(self, now_ns: Nanoseconds) -> GpuUsage | None:
        """Who used the devices since the read before; None the first time.

        Never fails: a device that does not answer is left out, and its state says why.
        """
        ...
