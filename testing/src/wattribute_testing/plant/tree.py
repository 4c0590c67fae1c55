"""The sysfs that the plant writes: powercap zones and the CPUs' topology."""

import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from wattribute.core.units import microwatts
from wattribute_testing.plant.scenario import Scenario, zone_names

_ZONES: Final = "devices/virtual/powercap/intel-rapl"


class PowercapTree:
    """Zones as the intel-rapl driver shows them, under a folder that stands for /sys.

    Source: Linux Documentation/power/powercap/powercap.rst. As there, a zone is
    a folder below its parent's, and class/powercap links to all of them;
    ``core``, ``uncore`` and ``dram`` lie in their package's folder.

    A counter is one line of fixed width that is overwritten by one pwrite(2):
    a reader with an open descriptor sees the old number or the new one.
    """

    def __init__(self, folder: Path, scenario: Scenario, cpus: Sequence[int]) -> None:
        """Make the tree; what an earlier plant left in the folder is removed."""
        self._root = folder
        self._scenario = scenario
        self._folders = _folders(scenario)
        self._width = len(str(max(scenario.wraps_at_uj, scenario.start_uj)))
        self._files: dict[str, int] = {}
        self._failing: dict[str, str] = {}
        for old in ("class/powercap", "devices/virtual/powercap", "devices/system/cpu"):
            shutil.rmtree(folder / old, ignore_errors=True)
        top = folder / _ZONES
        top.mkdir(parents=True)
        (top / "enabled").write_text("1\n")
        self._link("intel-rapl", top)
        for zone in self._folders:
            self._add(zone)
        # The processes are real, so their cgroups are the machine's own.
        cgroups = folder / "fs/cgroup"
        if not cgroups.is_symlink():
            cgroups.parent.mkdir(exist_ok=True)
            cgroups.symlink_to("/sys/fs/cgroup")
        _write_topology(folder / "devices/system/cpu", scenario, cpus)

    def show(self, counters_uj: Mapping[str, int], failing: Mapping[str, str]) -> None:
        """Write every zone's counter, or its failure.

        Args:
            counters_uj: zone to counter as a reader shall see it (wrapped already).
            failing: zone to kind of failure, for those that fail now.
        """
        for zone, counter_uj in counters_uj.items():
            kind = failing.get(zone, "")
            if kind != self._failing.get(zone, ""):
                self._recover(zone)
                self._fail(zone, kind)
            if not kind:
                os.pwrite(self._files[zone], f"{counter_uj:0{self._width}d}\n".encode(), 0)

    def close(self) -> None:
        """Close the counters; the tree stays."""
        for file in self._files.values():
            os.close(file)
        self._files.clear()

    def _fail(self, zone: str, kind: str) -> None:
        """Begin a failure.

        The file is emptied first in every case: a reader that holds it open
        must find nothing either, as it would with a device that is gone.
        """
        if not kind:
            return
        self._failing[zone] = kind
        os.ftruncate(self._files[zone], 0)
        place = self._root / _ZONES / self._folders[zone]
        if kind == "garbage":
            os.pwrite(self._files[zone], b"not-a-number\n", 0)
        elif kind == "denied":
            (place / "energy_uj").chmod(0)
        elif kind == "vanish":
            (self._root / "class/powercap" / place.name).unlink()
            for file in ("energy_uj", "name", "max_energy_range_uj"):
                (place / file).unlink()

    def _recover(self, zone: str) -> None:
        kind = self._failing.pop(zone, "")
        if kind == "denied":
            (self._root / _ZONES / self._folders[zone] / "energy_uj").chmod(0o400)
        elif kind == "vanish":
            os.close(self._files[zone])
            self._add(zone)

    def _add(self, zone: str) -> None:
        place = self._root / _ZONES / self._folders[zone]
        place.mkdir(exist_ok=True)
        label = zone if zone.startswith("package") else zone.split("-", 1)[0]
        (place / "name").write_text(f"{label}\n")
        (place / "max_energy_range_uj").write_text(f"{self._scenario.wraps_at_uj}\n")
        (place / "enabled").write_text("1\n")
        if zone.startswith("package") and self._scenario.cap_watts is not None:
            limit_uw = microwatts(self._scenario.cap_watts)
            (place / "constraint_0_name").write_text("long_term\n")
            (place / "constraint_0_power_limit_uw").write_text(f"{limit_uw}\n")
        file = os.open(place / "energy_uj", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o400)
        start_uj = self._scenario.start_uj % self._scenario.wraps_at_uj
        os.pwrite(file, f"{start_uj:0{self._width}d}\n".encode(), 0)
        self._files[zone] = file
        self._link(place.name, place)

    def _link(self, name: str, target: Path) -> None:
        link = self._root / "class/powercap" / name
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(os.path.relpath(target, link.parent))


def _folders(scenario: Scenario) -> dict[str, str]:
    """Zone to its folder below intel-rapl/; parents come before their children."""
    folders: dict[str, str] = {}
    inside = [kind for kind in ("core", "uncore", "dram") if getattr(scenario, kind)]
    for socket in range(scenario.sockets):
        package = f"intel-rapl:{socket}"
        folders[f"package-{socket}"] = package
        for number, kind in enumerate(inside):
            folders[f"{kind}-{socket}"] = f"{package}/{package}:{number}"
    if scenario.psys:
        folders["psys"] = f"intel-rapl:{scenario.sockets}"
    return {zone: folders[zone] for zone in zone_names(scenario)}


def sockets_of(cpus: Sequence[int], sockets: int) -> list[int]:
    """The simulated package of each CPU (by position): equal runs of CPU numbers."""
    return [position * sockets // len(cpus) for position in range(len(cpus))]


def siblings_of(cpus: Sequence[int], scenario: Scenario) -> list[int]:
    """The position of each CPU's SMT sibling in ``cpus``; its own without one.

    Neighbours are paired inside a package when the scenario has a co-run penalty.
    """
    sockets = sockets_of(cpus, scenario.sockets)
    siblings = list(range(len(cpus)))
    if scenario.corun_factor < 1:
        waiting: dict[int, int] = {}
        for position, socket in enumerate(sockets):
            if socket in waiting:
                sibling = waiting.pop(socket)
                siblings[position], siblings[sibling] = sibling, position
            else:
                waiting[socket] = position
    return siblings


def _write_topology(root: Path, scenario: Scenario, cpus: Sequence[int]) -> None:
    """CPU topology files; source: Linux Documentation/admin-guide/cputopology.rst."""
    sockets, siblings = sockets_of(cpus, scenario.sockets), siblings_of(cpus, scenario)
    root.mkdir(parents=True)
    everyone = ",".join(map(str, cpus))
    for file in ("online", "possible", "present"):
        (root / file).write_text(f"{everyone}\n")
    for position, cpu in enumerate(cpus):
        core = sorted({cpu, cpus[siblings[position]]})
        package = [
            c for c, socket in zip(cpus, sockets, strict=True) if socket == sockets[position]
        ]
        place = root / f"cpu{cpu}/topology"
        place.mkdir(parents=True)
        for file, value in (
            ("physical_package_id", sockets[position]),
            ("die_id", 0),
            ("core_id", core[0]),
            ("thread_siblings_list", ",".join(map(str, core))),
            ("core_cpus_list", ",".join(map(str, core))),
            ("core_siblings_list", ",".join(map(str, package))),
            ("package_cpus_list", ",".join(map(str, package))),
        ):
            (place / file).write_text(f"{value}\n")
