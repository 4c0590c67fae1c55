"""The estimator: an artefact, a machine, and what was measured on it -> watts with a band."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from wattribute.core.records import EstimatorInfo, Load, Machine, Power
from wattribute.core.units import microwatts
from wattribute.node.estimator.artefact import KNOWN, Artefact, Band, wall_model
from wattribute.node.estimator.calibration import Measured, correct
from wattribute.node.estimator.components import SMALL_CORES, memory_watts, package_watts
from wattribute.node.estimator.cpu_names import base_key
from wattribute.node.estimator.host import Host
from wattribute.node.estimator.identity import identify
from wattribute.node.estimator.wall import Floats

Profile = Literal["typical", "tuned"]

GRID: Final = np.linspace(0.0, 1.0, 21)
"""Utilisations at which a machine's curves are kept; linear between them."""
_AROUND_MIN_W: Final = 15.0
"""Fans, board and disks of a server draw at least this. An assumption."""
_SUPPLY_LOSS: Final = 0.08
"""Part of the wall's watts that the power supply and the regulators lose. An assumption."""
_GUEST: Final = 1.25
"""A guest's band is this much wider on either side: neighbours, clocks and siblings are not seen. A
judgement."""
_OTHER: Final = 1.5
"""The rest is a difference of estimates, so its band is wider than the wall's. A judgement."""
_WIDE: Final = 2.0
"""A band whose ends are this far apart is called wide, and gets a reason."""


@dataclass(frozen=True, slots=True)
class Curve:
    """Watts over `GRID`, with their band."""

    watts: Floats
    low: Floats
    high: Floats

    def at(self, utilisation: float) -> tuple[float, float, float]:
        """Watts, low and high end."""
        x = min(1.0, max(0.0, utilisation))
        return (
            float(np.interp(x, GRID, self.watts)),
            float(np.interp(x, GRID, self.low)),
            float(np.interp(x, GRID, self.high)),
        )


class HostModel:
    """The curves of one host, of a guest's whole host too. Computed once; reading them is cheap."""

    def __init__(
        self,
        artefact: Artefact,
        host: Host,
        *,
        profile: Profile = "typical",
        measured: Sequence[Measured] = (),
    ) -> None:
        """Compute the curves, moved by what was measured."""
        wall = wall_model(artefact)
        parts = artefact.coefficients
        known = "seen" if wall.knows(host) and host.basis == "cpu" else host.basis
        self.known = known if known in KNOWN else "class"
        bands = artefact.quantiles[self.known]
        log_wall = np.log(wall.curve(host))
        if profile == "typical":
            log_wall = log_wall + np.array(parts.wall.typical)
            log_wall = log_wall + fleet_offsets(artefact, host, "wall", wall.levels)
        covariance = covariance_of(artefact, self.known)
        said = [one for one in measured if one.scope == "wall"]
        moved = correct(wall.levels, covariance, np.exp(log_wall), said)
        watts = np.interp(GRID, wall.levels, np.exp(log_wall + moved.shift))
        left = np.interp(GRID, wall.levels, moved.left)
        if host.make in parts.wall.few:
            bands = artefact.quantiles["class"]
        more = np.zeros(len(GRID))
        if profile == "typical":
            more = (parts.wall.typical_spread**2 * left + parts.wall.typical_scatter**2) ** 0.5
        self.wall = _banded(np.maximum.accumulate(watts), bands["wall"], left**0.5, more)
        self.package = self._part("pkg", artefact, host, measured)
        self.memory = self._part("dram", artefact, host, measured)
        metered = any(one.scope == "pkg" for one in measured)
        if said and not metered:
            # what the wall shows more or less of, the packages are the largest part of
            shift = np.exp(np.interp(GRID, wall.levels, moved.shift))
            self.package = _scaled(self.package, shift)
        elif metered and not said:
            plain = self._part("pkg", artefact, host, ())
            more = self.package.watts - plain.watts
            self.wall = _scaled(self.wall, np.maximum(0.1, 1 + more / self.wall.watts))

    def _part(
        self, scope: str, artefact: Artefact, host: Host, measured: Sequence[Measured]
    ) -> Curve:
        """A component's curve; one measured number scales it, two or more bend it."""
        parts = artefact.coefficients
        if scope == "pkg":
            watts = np.array([package_watts(host, parts.package, u) for u in GRID])
        else:
            watts = np.array([memory_watts(host, parts.memory, u) for u in GRID])
        watts = np.maximum.accumulate(watts * np.exp(fleet_offsets(artefact, host, scope, GRID)))
        said = sorted((one.utilisation, one.watts) for one in measured if one.scope == scope)
        small = scope == "pkg" and host.cores / host.chips < SMALL_CORES
        band = artefact.quantiles[self.known]["pkg_small" if small else scope]
        if not said:
            return _banded(watts, band, np.ones(len(GRID)))
        at = np.array([u for u, _ in said])
        off = np.log([w / float(np.interp(u, GRID, watts)) for u, w in said])
        shift = np.interp(GRID, at, off)
        nearest = np.abs(GRID[:, None] - at).min(1)
        watts = np.maximum.accumulate(watts * np.exp(shift))
        for u, w in said:  # a curve that never falls, through the readings where they rise
            watts = np.where(u + 1e-9 >= GRID, np.minimum(watts, w), np.maximum(watts, w))
        return _banded(watts, band, 0.2 + 0.8 * np.minimum(1, nearest))


class ArtefactEstimator:
    """Power by component of the machine that the agent runs on, from one artefact."""

    def __init__(
        self,
        artefact: Artefact,
        *,
        tdp_watts: float = 0.0,
        instance_type: str = "",
        profile: Profile = "typical",
        measured: Sequence[Measured] = (),
    ) -> None:
        """Take an artefact and what the settings say.

        Args:
            artefact: the fitted models.
            tdp_watts: of one CPU package; 0: by its identity.
            instance_type: of the cloud; "": as the machine tells.
            profile: ``tuned`` for benchmark machines, ``typical`` for all others.
            measured: readings taken on this machine, whole machine or guest's part alike.
        """
        self.name = f"{artefact.model} {artefact.version}"
        self._artefact = artefact
        self._tdp_watts = tdp_watts
        self._instance_type = instance_type
        self._profile: Profile = profile
        self._measured = tuple(measured)
        self._machine: Machine | None = None
        self._curves: dict[str, tuple[Curve, float]] = {}
        self._host = Host()

    def predict(self, machine: Machine, load: Load) -> Mapping[str, Power]:
        """Power of ``cpu``, ``dram`` and ``other``.

        Of a guest: its share of the host. Its idle part by what it reserves (threads, memory), its
        dynamic part by its own load.
        """
        if machine is not self._machine:
            self._prepare(machine)
        powers = {}
        for component, (curve, share) in self._curves.items():
            idle_w = curve.watts[0] * share
            watts, low, high = (value * share for value in curve.at(load.utilisation))
            powers[component] = Power(
                idle_uw=microwatts(idle_w),
                dynamic_uw=microwatts(watts - idle_w),
                low_uw=microwatts(low),
                high_uw=microwatts(high),
                basis=self._host.basis,
            )
        return powers

    def calibrated(self, measured: Sequence[Measured]) -> "ArtefactEstimator":
        """The same estimator, with more readings of this machine."""
        return ArtefactEstimator(
            self._artefact,
            tdp_watts=self._tdp_watts,
            instance_type=self._instance_type,
            profile=self._profile,
            measured=(*self._measured, *measured),
        )

    def host_model(self, machine: Machine) -> HostModel:
        """The curves of the machine's whole host."""
        host = self._host_of(machine)
        return HostModel(self._artefact, host, profile=self._profile, measured=self._measured)

    def explain(self, machine: Machine) -> EstimatorInfo:
        """What the estimates rest on."""
        if machine is not self._machine:
            self._prepare(machine)
        curves = [curve for curve, _ in self._curves.values()]
        wide = any((curve.high > _WIDE * curve.low).any() for curve in curves)
        why = self._host.why
        if self._host.make in self._artefact.coefficients.wall.few:
            why = (*why, f"few servers with CPUs of {self._host.make} were measured")
        if self._host.cores / self._host.chips < SMALL_CORES:
            why = (*why, f"packages of fewer than {SMALL_CORES} cores differ a lot")
        if wide and not why:
            why = ("memory and the rest of the machine rest on few measured machines",)
        return EstimatorInfo(
            model=self._artefact.model,
            version=self._artefact.version,
            basis=self._host.basis,
            profile=self._profile,
            cpu=self._host.cpu_key,
            microarchitecture=self._host.microarchitecture,
            instance_type=machine.instance_type or self._instance_type,
            share=self._host.share,
            calibrated=bool(self._measured),
            why_wide=why if wide else (),
        )

    def _host_of(self, machine: Machine) -> Host:
        return identify(
            self._artefact,
            machine,
            tdp_watts=self._tdp_watts,
            instance_type=machine.instance_type or self._instance_type,
        )

    def _prepare(self, machine: Machine) -> None:
        """Compute the curves of a machine, which stays the same for as long as the agent runs."""
        host = self._host_of(machine)
        model = HostModel(self._artefact, host, profile=self._profile, measured=self._measured)
        guest = bool(machine.hypervisor)
        curves = {"cpu": (_widened(model.package, guest=guest), host.share)}
        if machine.memory_bytes:
            curves["dram"] = (_widened(model.memory, guest=guest), host.memory_share)
        if host.form != "laptop":
            curves["other"] = (_widened(_around(model), guest=guest), host.share)
        self._curves, self._host, self._machine = curves, host, machine


def guest_package_watts(
    model: HostModel, share: float, utilisation: float
) -> tuple[tuple[float, float, float], float]:
    """A guest's part of its host's packages.

    Returns:
        (watts, low, high) in all, and the dynamic watts alone.
    """
    watts, low, high = model.package.at(utilisation)
    whole = (watts * share, low / _GUEST * share, high * _GUEST * share)
    return whole, (watts - model.package.at(0.0)[0]) * share


def covariance_of(artefact: Artefact, known: str) -> Floats:
    """Of ln(measured / predicted) between the wall's levels, by what is known of the CPU."""
    seen = known == "seen" and artefact.covariance_seen
    return np.array(artefact.covariance_seen if seen else artefact.covariance)


def fleet_offsets(artefact: Artefact, host: Host, scope: str, levels: Floats) -> Floats:
    """What the operator's own machines with this CPU, or its like, add to ln W at these levels."""
    fleet = artefact.fleet
    if fleet is None:
        return np.zeros(len(levels))
    known = fleet.cpu.get(base_key(host.cpu_key), {})
    known = known or fleet.microarchitecture.get(host.microarchitecture, {})
    return np.interp(levels, fleet.levels, known.get(scope) or np.zeros(len(fleet.levels)))


def _around(model: HostModel) -> Curve:
    """What the wall shows beyond packages and memory: never less than losses and fans draw."""
    parts = model.package.watts + model.memory.watts
    dynamic = parts - parts[0]
    least = _AROUND_MIN_W + dynamic * _SUPPLY_LOSS / (1 - _SUPPLY_LOSS)
    watts = np.maximum.accumulate(np.maximum(model.wall.watts - parts, least))
    low, high = model.wall.low / model.wall.watts, model.wall.high / model.wall.watts
    return Curve(watts, watts * low / _OTHER, watts * high * _OTHER)


def _banded(watts: Floats, band: Band, left: Floats, more: Floats | float = 0.0) -> Curve:
    """Put a curve between its quantiles.

    Args:
        watts: the curve.
        band: ln(measured / predicted).
        left: how much of the band's width remains, 0 to 1.
        more: half-width of other errors, added in squares.
    """
    low = -np.hypot(np.interp(GRID, band.levels, band.low) * left, more)
    high = np.hypot(np.interp(GRID, band.levels, band.high) * left, more)
    return Curve(watts, watts * np.exp(low), watts * np.exp(high))


def _scaled(curve: Curve, factor: Floats) -> Curve:
    watts = np.maximum.accumulate(curve.watts * factor)
    factor = watts / curve.watts
    return Curve(watts, curve.low * factor, curve.high * factor)


def _widened(curve: Curve, *, guest: bool) -> Curve:
    return Curve(curve.watts, curve.low / _GUEST, curve.high * _GUEST) if guest else curve
