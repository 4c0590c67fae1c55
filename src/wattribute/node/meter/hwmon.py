"""CPU and platform power from hardware monitoring chips and ACPI power meters.

Most of hwmon's power sensors are something else (NVMe disks, GPUs, network
cards, single voltage rails), so only sensors in the table ``_RULES`` are read.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from wattribute.core.records import Zone
from wattribute.node.meter.backend import MeterBackend
from wattribute.node.meter.filemeter import FileMeter, Form, Sensor
from wattribute.node.meter.machine import package_ids
from wattribute.node.settings import NodeSettings

_VALUE: Final = re.compile(r"(?P<what>energy|power)(?P<index>\d+)_(?P<how>input|average)")
_FORMS: Final = {
    ("energy", "input"): Form.COUNTER,
    ("power", "average"): Form.AVERAGE,
    ("power", "input"): Form.POWER,
}
"""Best first. A counter loses nothing between readings, an average little. energy*_input is 64
bits of microjoules, which no machine lives to see wrap."""
_BEST: Final = tuple(_FORMS.values())


@dataclass(frozen=True, slots=True)
class _Rule:
    """Which sensors of which chip are a zone."""

    chip: str
    """The chip's ``name``."""
    labels: Mapping[str, str] = field(default_factory=lambda: {"": ""})
    """Pattern of the whole label -> what is added to the zone's id where a package has several
    sensors that add up. Group 1 is the socket's number; without it sensors are counted."""
    kind: str = "package"
    also: frozenset[str] = frozenset()
    """Components that the sensor's energy contains besides its kind's."""
    forms: tuple[Form, ...] = _BEST


_RULES: Final = (
    # NVIDIA Grace (ACPI): "Grace" is the socket with its LPDDR5X, "CPU" its CPU rail alone.
    # Source: NVIDIA Grace Performance Tuning Guide, Power Telemetry.
    _Rule("power_meter", {r"Grace Power Socket (\d+)": ""}, also=frozenset({"dram"})),
    _Rule("power_meter", {r"CPU Power Socket (\d+)": ""}),
    # AMD, by the driver's own 64-bit sums. Source: Documentation/hwmon/amd_energy.rst (5.8 to
    # 5.12, since then out of tree; zenergy is its successor).
    _Rule("amd_energy", {r"Esocket(\d+)": ""}),
    _Rule("zenergy", {r"Esocket(\d+)": ""}),
    # IBM POWER8 and POWER9. Source: Documentation/hwmon/ibmpowernv.rst.
    _Rule("ibmpowernv", {r"Chip (\d+)": ""}),
    # AMD families 15h and 16h; power1_average sleeps for its window and knows one compute unit
    # only. Source: Documentation/hwmon/fam15h_power.rst.
    _Rule("fam15h_power", forms=(Form.POWER,)),
    # AMD Zen by its voltage regulators. Source: github.com/ocerman/zenpower.
    _Rule("zenpower", {"SVI2_P_Core": "-core", "SVI2_P_SoC": "-soc"}),
    # Applied Micro X-Gene. Source: drivers/hwmon/xgene-hwmon.c.
    _Rule("apm_xgene", {"CPU power": "-cpu", "IO power": "-io"}),
    # The whole machine: an ACPI power meter, whatever its OEM text, that is not one of Grace's.
    # Source: Documentation/hwmon/acpi_power_meter.rst.
    _Rule("power_meter", {"(?!.*Power Socket).*": ""}, kind="platform"),
    _Rule("ibmpowernv", {"System": ""}, kind="platform"),
    # A power supply's output. Source: Documentation/hwmon/corsair-psu.rst.
    _Rule("corsairpsu", {"power total": ""}, kind="platform"),
    # Grace (Hopper) module: CPU, GPU and regulators; not fans, disks and network.
    _Rule("power_meter", {r"Module Power Socket (\d+)": ""}, kind="platform"),
)
"""Of each kind the first rule that finds something is used, alone: what a later one finds is part
of the same energy."""


@dataclass(frozen=True, slots=True)
class _Candidate:
    """One sensor's file."""

    chip: str
    label: str
    sensor: tuple[object, ...]
    """Same for all files of one sensor: its chip, and its label or else its index."""
    form: Form
    path: Path


class HwmonMeter(FileMeter):
    """Power and energy of CPU packages and of the platform, by name."""

    name = "hwmon"
    absent = "no CPU or platform power sensor among the chips in class/hwmon"

    def __init__(self, sysfs: Path, *, without: Iterable[str] = ()) -> None:
        """Find the sensors under ``sysfs``, but none of the kinds ``without``.

        Raises:
            MeterAbsent: there is none.
            MeterDenied: none may be read.
            MeterFailed: none shows a number.
        """
        left_out = frozenset(without)
        if "package" in left_out:
            self.absent = "CPU packages have another meter, and there is no platform power sensor"
        self._rules = [rule for rule in _RULES if rule.kind not in left_out]
        self._covers: frozenset[str] = frozenset()
        self._packages = package_ids(sysfs)
        super().__init__(sysfs)

    @property
    def covers(self) -> frozenset[str]:
        """Components whose energy is in its zones."""
        own = {zone.component for zone in self.zones if zone.component}
        return self._covers | own

    def _find(self, sysfs: Path) -> tuple[list[Sensor], list[str]]:
        chips = {rule.chip for rule in self._rules}
        candidates = list(_candidates(sysfs / "class/hwmon", chips))
        sensors: list[Sensor] = []
        self._covers = frozenset()
        for rule in self._rules:
            if any(sensor.zone.kind == rule.kind for sensor in sensors):
                continue
            if of_rule := _sensors(rule, candidates, self._packages):
                sensors.extend(of_rule)
                self._covers |= rule.also
        return sensors, []


def _sensors(rule: _Rule, candidates: list[_Candidate], packages: tuple[str, ...]) -> list[Sensor]:
    """Return the rule's sensors, one per zone, by the best form that each has."""
    best: dict[Zone, tuple[int, Sensor]] = {}
    for pattern, suffix in rule.labels.items():
        count: dict[tuple[object, ...], str] = {}
        for candidate in candidates:
            match = re.fullmatch(pattern, candidate.label)
            if candidate.chip != rule.chip or candidate.form not in rule.forms or match is None:
                continue
            socket = str(int(match[1])) if match.re.groups else None
            number = socket or count.setdefault(candidate.sensor, str(len(count)))
            zone = Zone(
                rule.kind,
                number + suffix,
                "acpi" if rule.chip == "power_meter" else "hwmon",
                _package(int(number), packages) if rule.kind == "package" else None,
            )
            rank = rule.forms.index(candidate.form)
            if zone not in best or rank < best[zone][0]:
                best[zone] = (rank, Sensor(zone, candidate.path, candidate.form))
    return [sensor for _, sensor in best.values()]


def _package(number: int, packages: tuple[str, ...]) -> str | None:
    """Return the package that a chip calls by a number: its id, else its place (Arm, dies)."""
    if str(number) in packages:
        return str(number)
    return packages[number] if number < len(packages) else None


def _candidates(root: Path, chips: set[str]) -> Iterator[_Candidate]:
    """Yield every power and energy file of the chips of these names.

    In the order of their devices, by which sensors without a number are
    counted: hwmon's own numbers change from boot to boot.
    """
    for chip in sorted(root.glob("hwmon*"), key=_device_order):
        name = _text(chip / "name") or _text(chip / "device/name")
        if name not in chips:
            continue
        # drivers of the older kind, the ACPI power meter's among them, put their files there
        for folder in (chip, chip / "device"):
            for path in sorted(folder.glob("*_*")):
                match = _VALUE.fullmatch(path.name)
                form = match and _FORMS.get((match["what"], match["how"]))
                if match is None or form is None:
                    continue
                index = f"{match['what']}{match['index']}"
                if _text(folder / f"{index}_is_battery") == "1":
                    continue
                label = _text(folder / f"{index}_label") or _text(folder / f"{index}_oem_info")
                yield _Candidate(name, label, (chip, label or match["index"]), form, path)


def _device_order(chip: Path) -> tuple[str, int]:
    digits = chip.name.removeprefix("hwmon")
    return (chip / "device").resolve().name, int(digits) if digits.isdigit() else 0


def _text(path: Path) -> str:
    """Return a file's text without white space around it; "" when it cannot be read."""
    try:
        return path.read_text(errors="replace").strip()
    except OSError:
        return ""


def _open(settings: NodeSettings, covered: frozenset[str]) -> HwmonMeter:
    without = ("package",) if "cpu" in covered else ()
    return HwmonMeter(Path(settings.meter.sysfs), without=without)


BACKEND = MeterBackend(
    name=HwmonMeter.name,
    open=_open,
    sees="CPU packages and the platform, by chips and ACPI power meters whose names are known",
    kinds=frozenset({"package", "platform"}),
    sources=frozenset({"hwmon", "acpi"}),
    form="either",
)
