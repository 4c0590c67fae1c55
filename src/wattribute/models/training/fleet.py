"""An operator's own metered machines teach the model: by CPU model and by microarchitecture.

What is learned is ln(measured / predicted) at each load, the median over the machines with one CPU
model (one odd or forged recording moves it little), drawn in the less the more of them there are.
The models below stay as they are, so an artefact can learn where its training data are not at hand.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

import msgspec
import numpy as np

from wattribute.core.errors import DataInvalid
from wattribute.core.units import MEGAHERTZ_PER_GIGAHERTZ
from wattribute.models.training.recordings import Read
from wattribute.node.estimator.artefact import Artefact, Fleet, TrainingSource
from wattribute.node.estimator.cpu_names import base_key, cpu_key
from wattribute.node.estimator.host import Host
from wattribute.node.estimator.identity import find_cpu, identify
from wattribute.node.estimator.microarchitectures import microarchitecture_of
from wattribute.node.estimator.model import HostModel
from wattribute.node.estimator.power_recording import LoadPoint, Recording
from wattribute.node.estimator.wall import Floats

LEVELS: Final = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
SCOPES: Final = ("wall", "pkg", "dram")
_SAME_CPU: Final = 0.2
"""Two systems with one CPU differ by 6.1 % (median), so each by about 0.064 (standard deviation of
ln W) from their mean; the model's error for a CPU that it has not seen is about 0.155, of which
0.141 is the CPU's own: one machine tells 1 / (1 + 0.064^2 / 0.141^2)."""
_SAME_KIND: Final = 1.0
"""CPU models of one microarchitecture: one tells half. A judgement."""
_MOST: Final = 1.0
"""No machine moves the model by more than this (a factor of 2.7)."""

_Offsets = dict[str, Floats]
"""Scope -> ln(measured / predicted) at `LEVELS`."""


@dataclass(frozen=True, slots=True)
class RecordedMachine:
    """One recorded machine; several recordings of it are one."""

    digest: str
    host: Host
    points: tuple[LoadPoint, ...]
    offsets: Mapping[str, Floats]


@dataclass(frozen=True, slots=True)
class Gain:
    """How far predictions of each machine were off, with the others' recordings and without."""

    scope: str
    machines: int
    before_pct: float
    after_pct: float
    """Median absolute percentage errors over all points of machines that were held out."""

    @property
    def helps(self) -> bool:
        """Whether the recordings are worth learning; a scope of which they are not is left out."""
        return self.after_pct < self.before_pct


@dataclass(frozen=True, slots=True)
class Learned:
    """The artefact, and what it is worth."""

    artefact: Artefact
    machines: tuple[RecordedMachine, ...]
    gains: tuple[Gain, ...]


def learn(artefact: Artefact, read: Sequence[Read]) -> Learned:
    """Let recordings teach an artefact; what it had learned from others before is replaced.

    Raises:
        DataInvalid: there is no recording.
    """
    if not read:
        raise DataInvalid("no recording to learn from; see `wattribute model collect`")
    plain = _with_cpus(
        msgspec.structs.replace(artefact, fleet=None), [item.recording for item in read]
    )
    machines = tuple(_machines(plain, [item.recording for item in read]))
    gains = tuple(_gains(plain, machines))
    useless = frozenset(gain.scope for gain in gains if not gain.helps)
    together = sha256("".join(sorted(item.digest for item in read)).encode()).hexdigest()
    taught = msgspec.structs.replace(
        plain,
        version=f"{artefact.version.partition('+')[0]}+{together[:8]}",
        sources=[
            *(s for s in artefact.sources if not s.name.startswith(_OWN)),
            TrainingSource(name=f"{_OWN} ({len(machines)} machines)", terms="the operator's own"),
        ],
        data_sha256={**artefact.data_sha256, "recordings": together},
        fleet=_fleet(machines, without=useless),
    )
    return Learned(taught, machines, gains)


def deviation(artefact: Artefact, recording: Recording) -> dict[str, float]:
    """By scope, how much more (+) or less (-) a machine draws than an artefact says, in percent."""
    host = identify(artefact, recording.machine, tdp_watts=recording.tdp_watts)
    return {
        scope: float(np.expm1(np.median(offsets)) * 100)
        for scope, offsets in _offsets(artefact, host, recording.points).items()
    }


_OWN: Final = "recordings of metered machines"


def _with_cpus(artefact: Artefact, recordings: Iterable[Recording]) -> Artefact:
    """The artefact with CPU models that only the recordings know, where they tell the TDP."""
    cpus = dict(artefact.cpus)
    for recording in recordings:
        machine, key = recording.machine, cpu_key(recording.machine.cpu_name)
        name = microarchitecture_of(machine)
        with_recording = msgspec.structs.replace(artefact, cpus=cpus)
        if not key or not recording.tdp_watts or find_cpu(with_recording, key):
            continue
        ghz, boost = (
            machine.base_mhz / MEGAHERTZ_PER_GIGAHERTZ,
            machine.max_mhz / MEGAHERTZ_PER_GIGAHERTZ,
        )
        cores = machine.cores / machine.packages
        row = f"{key} {recording.tdp_watts:g} {cores:g} {ghz:g} {boost:g}"
        cpus[name] = ";".join(part for part in (cpus.get(name, ""), row) if part)
    return msgspec.structs.replace(artefact, cpus=cpus)


def _machines(artefact: Artefact, recordings: Iterable[Recording]) -> Iterable[RecordedMachine]:
    by_machine: dict[str, list[Recording]] = defaultdict(list)
    for recording in recordings:
        by_machine[recording.machine_digest].append(recording)
    for digest, own in sorted(by_machine.items()):
        newest = max(own, key=lambda recording: recording.recorded_at)
        host = identify(artefact, newest.machine, tdp_watts=newest.tdp_watts)
        points = tuple(point for recording in own for point in recording.points)
        yield RecordedMachine(digest, host, points, _offsets(artefact, host, points))


def _offsets(artefact: Artefact, host: Host, points: Sequence[LoadPoint]) -> _Offsets:
    """What a machine draws beyond the model; between its points linear, outside as at the end."""
    model = HostModel(artefact, host)
    curves = {"wall": model.wall, "pkg": model.package, "dram": model.memory}
    results = {}
    for scope in SCOPES:
        own = sorted((p.utilisation, p.watts) for p in points if p.scope == scope)
        if own:
            at = [u for u, _ in own]
            off = [np.log(watts / curves[scope].at(u)[0]) for u, watts in own]
            results[scope] = np.clip(np.interp(LEVELS, at, off), -_MOST, _MOST)
    return results


def _fleet(machines: Iterable[RecordedMachine], without: Collection[str] = ()) -> Fleet:
    by_cpu: dict[str, list[RecordedMachine]] = defaultdict(list)
    for machine in machines:
        by_cpu[base_key(machine.host.cpu_key)].append(machine)
    cpu: dict[str, dict[str, list[float]]] = {}
    kinds: dict[str, list[_Offsets]] = defaultdict(list)
    for key, same in sorted(by_cpu.items()):
        offsets = [_less(m.offsets, without) for m in same]
        if key:
            cpu[key] = _shipped(_drawn_in(offsets, _SAME_CPU))
        for name in sorted({m.host.microarchitecture for m in same} - {""}):
            here = [_less(m.offsets, without) for m in same if m.host.microarchitecture == name]
            kinds[name].append(_drawn_in(here, 0.0))
    kind = {name: _shipped(_drawn_in(own, _SAME_KIND)) for name, own in sorted(kinds.items())}
    return Fleet(levels=list(LEVELS), cpu=cpu, microarchitecture=kind)


def _less(offsets: Mapping[str, Floats], without: Collection[str]) -> _Offsets:
    return {scope: values for scope, values in offsets.items() if scope not in without}


def _drawn_in(offsets: Sequence[Mapping[str, Floats]], scatter: float) -> _Offsets:
    """The median of several, towards 0 as if ``scatter`` more had differed by nothing."""
    results = {}
    for scope in SCOPES:
        own = [item[scope] for item in offsets if scope in item]
        if own:
            results[scope] = np.median(own, axis=0) * len(own) / (len(own) + scatter)
    return results


def _shipped(offsets: _Offsets) -> dict[str, list[float]]:
    return {scope: [float(f"{v:.6g}") for v in values] for scope, values in offsets.items()}


def _gains(artefact: Artefact, machines: Sequence[RecordedMachine]) -> Iterable[Gain]:
    """Hold out each machine in turn, and predict it from the others."""
    before: dict[str, list[float]] = defaultdict(list)
    after: dict[str, list[float]] = defaultdict(list)
    count: dict[str, int] = defaultdict(int)
    for machine in machines:
        other_machines = [candidate for candidate in machines if candidate is not machine]
        taught = msgspec.structs.replace(artefact, fleet=_fleet(other_machines))
        for scope in machine.offsets:
            count[scope] += 1
            before[scope] += _errors(artefact, machine, scope)
            after[scope] += _errors(taught, machine, scope)
    for scope in SCOPES:
        if count[scope] > 1:
            yield Gain(
                scope, count[scope], float(np.median(before[scope])), float(np.median(after[scope]))
            )


def _errors(artefact: Artefact, machine: RecordedMachine, scope: str) -> list[float]:
    model = HostModel(artefact, machine.host)
    at: Callable[[float], tuple[float, float, float]]
    at = {"wall": model.wall, "pkg": model.package, "dram": model.memory}[scope].at
    own = [p for p in machine.points if p.scope == scope]
    return [abs(at(p.utilisation)[0] / p.watts - 1) * 100 for p in own]
