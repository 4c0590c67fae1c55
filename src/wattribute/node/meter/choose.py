"""Which meters are used: the choice among all that there are.

No energy is counted twice: a component (cpu, dram, other) has one meter, the
first in the table's order that measures it. Of the meters that see the whole
platform several may be read, because each is a zone of its own; `other` is
made with one of them (attribution.other).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from wattribute.core.errors import (
    ConfigInvalid,
    MeterDenied,
    MeterError,
    MeterFailed,
    WattributeError,
)
from wattribute.node.backends import ESTIMATE, METERS
from wattribute.node.findings import FindingState, SourceFinding
from wattribute.node.meter import Covers, GpuMeter, HasNotes, Meter, Settles
from wattribute.node.meter.backend import MeterBackend
from wattribute.node.settings import NodeSettings

PATIENCE_S: Final = 1.0
"""The BMC is given so long for its first answer, so that its zones are known from the start."""


@dataclass(frozen=True, slots=True)
class ChosenMeters:
    """The meters in use, in the table's order, and what was found of each that was tried."""

    meters: tuple[Meter, ...]
    covered: frozenset[str]
    """Components that these meters measure, and ``platform`` if one measures that."""
    findings: tuple[SourceFinding, ...]

    @property
    def gpus(self) -> tuple[GpuMeter, ...]:
        """Those that also know who used the GPUs that they measure."""
        return tuple(meter for meter in self.meters if isinstance(meter, GpuMeter))


def backend_named(name: str) -> MeterBackend:
    """Load the facts of a meter.

    Raises:
        ConfigInvalid: there is no such meter.
    """
    return METERS.load(name, MeterBackend)


def choose_meters(settings: NodeSettings, *, patience_s: float = PATIENCE_S) -> ChosenMeters:
    """Open the meters that the settings name, or with ``auto`` all that this machine has.

    With ``auto`` a meter that is not there is a finding. Named, it is an error.
    A meter that is asked in the background is given ``patience_s`` seconds for its
    first answer; it goes on without one.

    Raises:
        ConfigInvalid: an unknown name, names that do not go together, or a wrong replay file.
        MeterError: a meter that was named cannot be used; the kind says why.
    """
    backends = {name: backend_named(name) for name in METERS.names}
    names = _names(settings.meter.use, backends)
    auto = names == ("auto",)
    meters: list[Meter] = []
    covered: frozenset[str] = frozenset()
    findings: list[SourceFinding] = []
    for name, backend in backends.items():
        if not (backend.auto if auto else name in names):
            message = "not part of `auto`; name it in --meters to use it"
            findings.append(_finding(name, "not used", message if auto else _NOT_NAMED))
            continue
        try:
            meter = backend.open(settings, covered)
        except WattributeError as exc:
            if not auto or not isinstance(exc, MeterError):
                _close(meters)
                raise _named(name, exc) from exc
            findings.append(_finding(name, _state(exc), str(exc)))
            continue
        if isinstance(meter, Settles):
            meter.settle(patience_s)
        meters.append(meter)
        covered |= _covered_by(meter, backend)
        works: FindingState = "works" if meter.zones else "failed"  # it may still answer, later
        findings.append(_finding(name, works, describe(meter)))
    return ChosenMeters(tuple(meters), covered, tuple(findings))


_NOT_NAMED: Final = "not one of the meters that --meters names"


def describe(meter: Meter) -> str:
    """Return one line for ``doctor``: a meter's zones, how it measures them, and its problems."""
    zones = ", ".join(zone.name for zone in meter.zones)
    notes = meter.notes if isinstance(meter, HasNotes) else ()
    return "; ".join(part for part in (zones, *notes, *meter.problems) if part)


def _names(use: Sequence[str], backends: dict[str, MeterBackend]) -> tuple[str, ...]:
    words = ("auto", *backends, ESTIMATE)
    for name in use:
        if name not in words:
            raise ConfigInvalid(f"meter.use: unknown meter {name!r}; known are {', '.join(words)}")
    if not use:
        raise ConfigInvalid(f"meter.use: no meter is named; known are {', '.join(words)}")
    if "auto" in use and len(set(use)) > 1:
        raise ConfigInvalid("meter.use: auto stands alone, or name all meters that shall be used")
    foreign = [name for name in use if name in backends and backends[name].other_machine]
    own = sorted(name for name, backend in backends.items() if not backend.other_machine)
    if foreign and set(use) & set(own):
        raise ConfigInvalid(
            f"meter.use: {foreign[0]} plays another machine; not with {', '.join(own)}"
        )
    return tuple(dict.fromkeys(use))


def _covered_by(meter: Meter, backend: MeterBackend) -> frozenset[str]:
    """Return the components that a meter measures, and its own name.

    Also ``platform``, and ``machine`` if it sees all of the machine.
    """
    covered = {zone.component or zone.kind for zone in meter.zones} | {backend.name}
    if backend.platform_is_machine and "platform" in covered:
        covered.add("machine")
    return frozenset(covered) | (meter.covers if isinstance(meter, Covers) else frozenset())


def _finding(name: str, state: FindingState, message: str) -> SourceFinding:
    return SourceFinding("meter", name, state, message)


def _state(exc: MeterError) -> FindingState:
    if isinstance(exc, MeterDenied):
        return "denied"
    return "failed" if isinstance(exc, MeterFailed) else "absent"


def _named(name: str, exc: WattributeError) -> WattributeError:
    """Say which meter was asked for, and keep the kind."""
    if isinstance(exc, ConfigInvalid):
        return exc
    return type(exc)(f"meter {name}, named in --meters: {exc}")


def _close(meters: Iterable[Meter]) -> None:
    for meter in meters:
        meter.close()
