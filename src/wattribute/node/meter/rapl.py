"""RAPL zones, read from the powercap tree; Intel and AMD alike."""

import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from wattribute.core.records import Zone
from wattribute.core.units import Microjoules
from wattribute.node.meter.backend import MeterBackend
from wattribute.node.meter.filemeter import FileMeter, Form, Sensor
from wattribute.node.meter.sensorfile import whole_number, why
from wattribute.node.settings import NodeSettings

SOURCE = "rapl-sysfs"

_FOLDER = re.compile(r"intel-rapl:\d+(?::\d+)?")
"""Not ``intel-rapl-mmio:0``, the same counter by another way. The prefix is the same on AMD."""
_PACKAGE = re.compile(r"package-(?P<package>\d+)(?:-die-(?P<die>\d+))?")
_PSYS = re.compile(r"psys(?:-\d+)?")
_READ_AGAIN_S: Final = 60.0
_PARTS = frozenset({"core", "uncore", "dram"})


def powercap_zones(sysfs: Path) -> Iterator[Path]:
    """Yield the folders of RAPL zones, packages before their parts, in the order of their numbers.

    ``class/powercap`` is a flat list of links to the tree in
    ``devices/virtual/powercap``, which is used where only that is mounted.
    """
    flat = sysfs / "class/powercap"
    folders = [p for p in flat.glob("intel-rapl:*") if _FOLDER.fullmatch(p.name)]
    if not folders:
        tree = sysfs / "devices/virtual/powercap/intel-rapl"
        folders = [p for p in tree.rglob("intel-rapl:*") if _FOLDER.fullmatch(p.name)]
    yield from sorted(folders, key=lambda p: [int(n) for n in p.name.split(":")[1:]])


def package_of(name: str) -> str | None:
    """Id of the package that a zone's name says, e.g. ``1-0`` for ``package-1-die-0``."""
    match = _PACKAGE.fullmatch(name)
    return "-".join(part for part in match.groups() if part) if match else None


class RaplMeter(FileMeter):
    """Energy counters of the CPU packages, what is inside them, DRAM, and the platform (psys).

    Source: Linux Documentation/power/powercap/powercap.rst and
    drivers/powercap/intel_rapl_common.c (the zones' names).
    """

    name = "rapl"
    absent = (
        "no RAPL zone; load intel_rapl_msr or intel_rapl_tpmi, in a container name the host's "
        "mount with --sysfs; most virtual machines have none"
    )

    def _find(self, sysfs: Path) -> tuple[list[Sensor], list[str]]:
        sensors: dict[Zone, Sensor] = {}
        odd: list[str] = []
        packages: dict[str, str] = {}
        for folder in powercap_zones(sysfs):
            try:
                name = (folder / "name").read_text(errors="replace").strip()
            except OSError as exc:
                odd.append(why(folder / "name", exc))
                continue
            if package := package_of(name):
                packages[folder.name] = package
            # a part's folder lies in its package's: intel-rapl:0:1 in intel-rapl:0
            parent = packages.get(folder.name.rpartition(":")[0])
            zone = _zone(name, package, parent)
            if zone is None:
                continue
            path = folder / "energy_uj"
            wrap = _range_of(folder)
            if sensors.setdefault(zone, Sensor(zone, path, Form.COUNTER, wrap)).path != path:
                odd.append(f"{folder.name}: a second {name}; the first is used")
        return list(sensors.values()), odd


class PowerLimits:
    """The long-term power limit of each zone, read again once a minute.

    Source: Linux Documentation/power/powercap/powercap.rst; constraint 0 is the long-term one
    (drivers/powercap/intel_rapl_common.c).
    """

    def __init__(self, sysfs: Path, clock_s: Callable[[], float] = time.monotonic) -> None:
        """Find the limits of the packages below a root of sysfs."""
        self._clock_s = clock_s
        self._folders = {package_of(_name_in(f)): f for f in powercap_zones(sysfs)}
        self._read: dict[Path, tuple[float, int | None]] = {}

    def limit_uw(self, zone: Zone) -> int | None:
        """Return a package's limit in microwatts; None: there is none, or it is not in force."""
        is_package = zone.kind == "package" and zone.package is not None
        folder = self._folders.get(zone.package) if is_package else None
        if folder is None:
            return None
        now_s = self._clock_s()
        read_s, limit_uw = self._read.get(folder, (-_READ_AGAIN_S, None))
        if now_s - read_s >= _READ_AGAIN_S:
            limit_uw = _limit_in(folder)
            self._read[folder] = (now_s, limit_uw)
        return limit_uw


def _name_in(folder: Path) -> str:
    try:
        return (folder / "name").read_text(errors="replace").strip()
    except OSError:
        return ""


def _limit_in(folder: Path) -> int | None:
    try:
        enabled = (folder / "enabled").read_text().strip() == "1"
        limit_uw = whole_number((folder / "constraint_0_power_limit_uw").read_bytes())
    except (OSError, ValueError):
        return None
    return limit_uw if enabled and limit_uw > 0 else None


def _zone(name: str, package: str | None, parent: str | None) -> Zone | None:
    """Return the zone of a name; None for a name that says nothing to us.

    dram's folder lies in the package's, yet its energy is not in the
    package's counter: package + dram is no double count.
    """
    if package is not None:
        return Zone("package", package, SOURCE, package)
    if name in _PARTS and parent is not None:
        return Zone(name, parent, SOURCE, parent)
    return Zone("platform", name, SOURCE) if _PSYS.fullmatch(name) else None


def _range_of(folder: Path) -> Microjoules | None:
    """Value after which the counter starts again; None: not told, so a fall is a reset."""
    try:
        return Microjoules(whole_number((folder / "max_energy_range_uj").read_bytes())) or None
    except (OSError, ValueError):
        return None


def _open(settings: NodeSettings, _covered: frozenset[str]) -> RaplMeter:
    return RaplMeter(Path(settings.meter.sysfs))


BACKEND = MeterBackend(
    name=RaplMeter.name,
    open=_open,
    sees="CPU packages, their cores and uncore, DRAM, and the processor's board (psys)",
    kinds=frozenset({"package", "core", "uncore", "dram", "platform"}),
    sources=frozenset({SOURCE}),
    form="counter",
    platform_is_machine=False,
)
