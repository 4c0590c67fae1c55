"""What RAPL and hwmon have in common: one sysfs file per zone, which may come and go."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from wattribute.core.errors import MeterAbsent, MeterDenied, MeterFailed
from wattribute.core.records import Counter, Gauge, Reading, Zone
from wattribute.core.units import Microjoules, Microwatts, Nanoseconds
from wattribute.node.meter.sensorfile import SensorFile, why


class Form(StrEnum):
    """What a sensor's number is."""

    COUNTER = "counter"
    """Energy since some start, in microjoules."""
    AVERAGE = "average"
    """Mean power over the sensor's own window, in microwatts."""
    POWER = "power"
    """Power now, in microwatts."""


@dataclass(frozen=True, slots=True)
class Sensor:
    """Where a zone's number is, and what it means."""

    zone: Zone
    path: Path
    form: Form
    wraps_at_uj: Microjoules | None = None

    def value(self, number: int) -> Counter | Gauge:
        """Turn the file's number into what it says."""
        if self.form is Form.COUNTER:
            return Counter(Microjoules(number), self.wraps_at_uj)
        return Gauge(Microwatts(number), averaged=self.form is Form.AVERAGE)


class FileMeter(ABC):
    """A meter whose zones are sysfs files.

    One zone that cannot be read costs that zone. After a reading with a
    problem the tree is searched again before the next, so that a zone that
    comes back (CPU hotplug, a driver loaded again) is read again, even under
    another number. All zones gone is MeterFailed, not MeterGone, for the same reason.
    """

    name: str
    absent: str
    """Message of MeterAbsent."""

    def __init__(self, sysfs: Path) -> None:
        """Find and open the zones under ``sysfs``.

        Raises:
            MeterAbsent: there is no zone.
            MeterDenied: there are, and none may be read.
            MeterFailed: there are, and none shows a number.
        """
        self._sysfs = sysfs
        self._open: dict[Zone, tuple[Sensor, SensorFile]] = {}
        self._ever: dict[Zone, Sensor] = {}
        self._unopened: list[str] = []
        self._problems: tuple[str, ...] = ()
        self._denied = False
        self._search()
        if not self._open and not self._unopened:
            raise MeterAbsent(f"{sysfs}: {self.absent}")
        try:
            self.read(Nanoseconds(0))
        except MeterFailed as exc:
            self.close()
            if self._denied:
                raise MeterDenied(str(exc)) from exc
            raise

    @abstractmethod
    def _find(self, sysfs: Path) -> tuple[list[Sensor], list[str]]:
        """Return the sensors that are there now, and what was odd in the search."""

    @property
    def zones(self) -> tuple[Zone, ...]:
        """Zones whose file is open."""
        return tuple(self._open)

    @property
    def problems(self) -> tuple[str, ...]:
        """What could not be read the last time, one line each."""
        return self._problems

    def read(self, now_ns: Nanoseconds) -> tuple[Reading, ...]:
        """Return one reading per zone that could be read.

        Raises:
            MeterFailed: none could.
        """
        if self._problems:
            self._search()
        readings: list[Reading] = []
        problems = list(self._unopened)
        for zone, (sensor, file) in self._open.items():
            try:
                readings.append(Reading(zone, now_ns, sensor.value(file.read())))
            except (OSError, ValueError) as exc:
                problems.append(why(file.path, exc))
        self._problems = tuple(problems)
        if not readings:
            raise MeterFailed(f"{self.name}: no zone could be read: {problems[0]}")
        return tuple(readings)

    def close(self) -> None:
        """Close all files."""
        for _, file in self._open.values():
            file.close()
        self._open.clear()

    def _search(self) -> None:
        """Make the open files those of the sensors that are there now."""
        sensors, self._unopened = self._find(self._sysfs)
        sensor_of = {sensor.zone: sensor for sensor in sensors}
        for zone, (sensor, file) in tuple(self._open.items()):
            if sensor_of.get(zone) != sensor:
                file.close()
                del self._open[zone]
        for zone, sensor in sensor_of.items():
            if zone in self._open:
                continue
            try:
                self._open[zone] = (sensor, SensorFile(sensor.path))
                self._ever[zone] = sensor
            except OSError as exc:
                self._denied = self._denied or isinstance(exc, PermissionError)
                self._unopened.append(why(sensor.path, exc))
        self._unopened.extend(
            f"{zone.kind} {zone.id}: has vanished; it is read again when it comes back"
            for zone in self._ever
            if zone not in sensor_of
        )
