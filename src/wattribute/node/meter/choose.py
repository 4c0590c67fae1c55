"""Which meters are used: the table of all that there are, and the choice among them.

No energy is counted twice: a component (cpu, dram, other) has one meter, the
first in the table's order that measures it. Of the meters that see the whole
platform several may be read, because each is a zone of its own; `other` is
made with one of them (attribution.other).
"""

import platform
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from wattribute.core.errors import (
    ConfigInvalid,
    MeterAbsent,
    MeterDenied,
    MeterError,
    MeterFailed,
    WattributeError,
)
from wattribute.core.records import Machine, Zone
from wattribute.node.meter import GpuMeter, Meter
from wattribute.node.meter.amdsmi import AmdSmiMeter
from wattribute.node.meter.drm import DrmMeter
from wattribute.node.meter.estimate import COMPONENTS, EstimateMeter
from wattribute.node.meter.hwmon import HwmonMeter
from wattribute.node.meter.nvml import NvmlMeter
from wattribute.node.meter.polled import PolledMeter
from wattribute.node.meter.power_model import open_estimator
from wattribute.node.meter.rapl import RaplMeter
from wattribute.node.meter.replay import ReplayMeter
from wattribute.node.settings import NodeSettings

PATIENCE_S: Final = 1.0
"""The BMC is given so long for its first answer, so that its zones are known from the start."""
State = Literal["works", "absent", "denied", "failed", "not used"]
Factory = Callable[[NodeSettings, Machine, frozenset[str]], Meter]
"""Makes a meter for what is not covered yet: components, and ``platform``.

Raises:
    MeterError: it cannot be used.
    ConfigInvalid: its settings are wrong.
"""


@dataclass(frozen=True, slots=True)
class Finding:
    """What became of one meter; a row of ``wattribute doctor``."""

    name: str
    state: State
    message: str
    """One line: what is wrong, and what would fix it; "" when all is well."""
    zones: tuple[Zone, ...] = ()


@dataclass(frozen=True, slots=True)
class ChosenMeters:
    """The meters in use, in the table's order, and what was found of each that was tried."""

    meters: tuple[Meter, ...]
    findings: tuple[Finding, ...]

    @property
    def gpus(self) -> tuple[GpuMeter, ...]:
        """Those that also know who used the GPUs that they measure."""
        return tuple(meter for meter in self.meters if isinstance(meter, GpuMeter))


def _replay(settings: NodeSettings, _machine: Machine, _covered: frozenset[str]) -> Meter:
    if not settings.meter.replay:
        raise ConfigInvalid("meter.replay: name the recorded run that the meter replay shall play")
    return ReplayMeter(Path(settings.meter.replay))


def _rapl(settings: NodeSettings, _machine: Machine, _covered: frozenset[str]) -> Meter:
    return RaplMeter(Path(settings.meter.sysfs))


def _hwmon(settings: NodeSettings, _machine: Machine, covered: frozenset[str]) -> Meter:
    without = ("package",) if "cpu" in covered else ()
    return HwmonMeter(Path(settings.meter.sysfs), without=without)


def _nvml(settings: NodeSettings, _machine: Machine, _covered: frozenset[str]) -> Meter:
    return NvmlMeter(settings.meter.nvml_library, settings.meter.dcgm_url)


def _amdsmi(settings: NodeSettings, _machine: Machine, _covered: frozenset[str]) -> Meter:
    return AmdSmiMeter(Path(settings.meter.rocm))


def _drm(settings: NodeSettings, _machine: Machine, covered: frozenset[str]) -> Meter:
    without = ("amdgpu",) if "amdsmi" in covered else ()
    room = settings.meter
    return DrmMeter(Path(room.sysfs), Path(settings.activity.procfs), without=without)


def _redfish(settings: NodeSettings, _machine: Machine, _covered: frozenset[str]) -> Meter:
    if not settings.meter.redfish_url and not settings.meter.redfish_credentials:
        raise MeterAbsent("redfish: no BMC is named; set meter.redfish_url to its address")
    from wattribute.node.meter.redfish import open_redfish  # noqa: PLC0415 - 2.5 MB, for few

    return open_redfish(settings, settings.workload.node_name or platform.node())


def _ipmi(settings: NodeSettings, _machine: Machine, covered: frozenset[str]) -> Meter:
    if "machine" in covered and "ipmi" not in settings.meter.use:
        raise MeterAbsent("ipmi: another meter sees the whole machine")
    from wattribute.node.meter.ipmi import open_ipmi  # noqa: PLC0415 - seldom there

    room = settings.meter
    return open_ipmi(Path(room.sysfs), room.ipmitool, room.ipmi_interval)


def _estimate(settings: NodeSettings, machine: Machine, covered: frozenset[str]) -> Meter:
    left = [component for component in COMPONENTS if component not in covered]
    if "platform" in covered and "other" in left:
        left.remove("other")  # it is what the platform meter shows beyond its parts
    measured = [component for component in COMPONENTS if component in covered]
    if "estimate" in settings.meter.use:
        if not left:
            raise MeterAbsent("estimate: all components are measured")
        measured = []  # the user's choice: these meters, and no other in their place
    return EstimateMeter(
        open_estimator(settings, machine), machine, Path(settings.activity.procfs), left, measured
    )


METERS: Final[dict[str, Factory]] = {
    "replay": _replay,
    "rapl": _rapl,
    "hwmon": _hwmon,
    "nvml": _nvml,
    "amdsmi": _amdsmi,
    "drm": _drm,
    "redfish": _redfish,
    "ipmi": _ipmi,
    "estimate": _estimate,
}
"""All meters, best first. ``estimate`` is last: it fills what the others leave. ``ipmi`` asks the
same BMC as ``redfish``, and is left out where that or hwmon sees the platform."""

_AUTO: Final = ("rapl", "hwmon", "nvml", "amdsmi", "drm", "redfish", "ipmi", "estimate")
_HARDWARE: Final = frozenset(_AUTO) - {"estimate"}


def choose_meters(
    settings: NodeSettings, machine: Machine, *, patience_s: float = PATIENCE_S
) -> ChosenMeters:
    """Open the meters that the settings name, or with ``auto`` all that this machine has.

    With ``auto`` a meter that is not there is a finding. Named, it is an error.
    A meter that is asked in the background is given ``patience_s`` seconds for its
    first answer; it goes on without one.

    Raises:
        ConfigInvalid: an unknown name, names that do not go together, or a wrong replay file.
        MeterError: a meter that was named cannot be used; the kind says why.
    """
    names = _names(settings.meter.use)
    auto = names == ("auto",)
    meters: list[Meter] = []
    findings: list[Finding] = []
    for name in METERS:
        if name not in (_AUTO if auto else names):
            findings.append(Finding(name, "not used", "not named in --meters"))
            continue
        covered = _covered(meters)
        try:
            meter = METERS[name](settings, machine, covered)
        except WattributeError as exc:
            if not auto or not isinstance(exc, MeterError):
                _close(meters)
                raise _named(name, exc) from exc
            findings.append(Finding(name, _state(name, exc), str(exc)))
            continue
        if isinstance(meter, PolledMeter):
            meter.settle(patience_s)
        meters.append(meter)
        works: State = "works" if meter.zones else "failed"  # it may still answer, later
        said = (*meter.problems, *(meter.notes if isinstance(meter, EstimateMeter) else ()))
        if isinstance(meter, EstimateMeter) and not meter.zones:
            works, said = "not used", ("all components are measured; stands by", *said)
        findings.append(Finding(name, works, "; ".join(said), meter.zones))
    return ChosenMeters(tuple(meters), tuple(findings))


def _names(use: Sequence[str]) -> tuple[str, ...]:
    known = ", ".join(["auto", *METERS])
    for name in use:
        if name != "auto" and name not in METERS:
            raise ConfigInvalid(f"meter.use: unknown meter {name!r}; known are {known}")
    if not use:
        raise ConfigInvalid(f"meter.use: no meter is named; known are {known}")
    if "auto" in use and len(set(use)) > 1:
        raise ConfigInvalid("meter.use: auto stands alone, or name all meters that shall be used")
    if "replay" in use and set(use) & _HARDWARE:
        raise ConfigInvalid(
            f"meter.use: replay plays another machine; not with {', '.join(sorted(_HARDWARE))}"
        )
    return tuple(dict.fromkeys(use))


def _covered(meters: Iterable[Meter]) -> frozenset[str]:
    """Components that these meters measure, and ``platform`` if one measures that.

    Also ``machine`` if that one sees all of it, as psys (the processor's board) does not; and
    the meters' own names.
    """
    covered: set[str] = set()
    for meter in meters:
        if any(z.kind == "platform" and z.source != "rapl-sysfs" for z in meter.zones):
            covered.add("machine")
        covered |= {zone.component or zone.kind for zone in meter.zones}
        covered.add(meter.name)
        if isinstance(meter, HwmonMeter | PolledMeter):
            covered |= meter.covers
    return frozenset(covered)


def _state(name: str, exc: MeterError) -> State:
    if isinstance(exc, MeterDenied):
        return "denied"
    if isinstance(exc, MeterFailed):
        return "failed"
    # nothing is missing where all components are measured
    return "not used" if name == "estimate" else "absent"


def _named(name: str, exc: WattributeError) -> WattributeError:
    """Say which meter was asked for, and keep the kind."""
    if isinstance(exc, ConfigInvalid):
        return exc
    return type(exc)(f"meter {name}, named in --meters: {exc}")


def _close(meters: Iterable[Meter]) -> None:
    for meter in meters:
        meter.close()
