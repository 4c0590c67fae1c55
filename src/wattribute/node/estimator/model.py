"""The estimator: watts with a band from an artefact, a machine and readings of the machine."""

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
"""Utilisations at which a machine's curves are computed; they are linear in between."""
_AROUND_MIN_W: Final = 15.0
"""Assumed least power of a server's fans, board and disks."""
_SUPPLY_LOSS: Final = 0.08
"""Assumed share of the wall's watts that power supply and voltage regulators lose."""
_GUEST: Final = 1.25
"""Factor on either side of a guest's band, because neighbours, clocks and siblings are not visible.
A judgement, not a measurement."""
_OTHER: Final = 1.5
"""Factor on the band of ``other``, which is a difference of estimates. A judgement, not a
measurement."""
_WIDE: Final = 2.0
"""A band whose ends differ by this factor is called wide, and a reason is given."""


@dataclass(frozen=True, slots=True)
class Curve:
    """Watts at the utilisations of `GRID`, with their band."""

    watts: Floats
    low: Floats
    high: Floats

    def at(self, utilisation: float) -> tuple[float, float, float]:
        """Return (watts, low end, high end) at a utilisation, which is clipped to 0 to 1."""
        x = min(1.0, max(0.0, utilisation))
        return (
            float(np.interp(x, GRID, self.watts)),
            float(np.interp(x, GRID, self.low)),
            float(np.interp(x, GRID, self.high)),
        )


class HostModel:
    """The power curves of one host, which for a guest is the whole host.

    They are computed once; reading them is cheap.
    """

    def __init__(
        self,
        artefact: Artefact,
        host: Host,
        *,
        profile: Profile = "typical",
        measured: Sequence[Measured] = (),
    ) -> None:
        """Compute the curves, corrected by the readings."""
        wall = wall_model(artefact)
        parts = artefact.coefficients
        basis = "seen" if wall.knows(host) and host.basis == "cpu" else host.basis
        self.known = basis if basis in KNOWN else "class"
        bands = artefact.quantiles[self.known]
        log_wall = np.log(wall.curve(host))
        if profile == "typical":
            log_wall = log_wall + np.array(parts.wall.typical)
            log_wall = log_wall + fleet_offsets(artefact, host, "wall", wall.levels)
        covariance = covariance_of(artefact, self.known)
        wall_readings = [reading for reading in measured if reading.scope == "wall"]
        moved = correct(wall.levels, covariance, np.exp(log_wall), wall_readings)
        watts = np.interp(GRID, wall.levels, np.exp(log_wall + moved.shift))
        remaining = np.interp(GRID, wall.levels, moved.remaining)
        if host.make in parts.wall.few:
            bands = artefact.quantiles["class"]
        more = np.zeros(len(GRID))
        if profile == "typical":
            more = (parts.wall.typical_spread**2 * remaining + parts.wall.typical_scatter**2) ** 0.5
        self.wall = _banded(np.maximum.accumulate(watts), bands["wall"], remaining**0.5, more)
        self.package = self._part("pkg", artefact, host, measured)
        self.memory = self._part("dram", artefact, host, measured)
        metered = any(reading.scope == "pkg" for reading in measured)
        if wall_readings and not metered:
            # The packages cause most of what the wall shows above or below the prediction.
            shift = np.exp(np.interp(GRID, wall.levels, moved.shift))
            self.package = _scaled(self.package, shift)
        elif metered and not wall_readings:
            plain = self._part("pkg", artefact, host, ())
            more = self.package.watts - plain.watts
            self.wall = _scaled(self.wall, np.maximum(0.1, 1 + more / self.wall.watts))

    def _part(
        self, scope: str, artefact: Artefact, host: Host, measured: Sequence[Measured]
    ) -> Curve:
        """Compute a component's curve; one reading scales it, two or more readings bend it."""
        parts = artefact.coefficients
        if scope == "pkg":
            watts = np.array([package_watts(host, parts.package, u) for u in GRID])
        else:
            watts = np.array([memory_watts(host, parts.memory, u) for u in GRID])
        watts = np.maximum.accumulate(watts * np.exp(fleet_offsets(artefact, host, scope, GRID)))
        readings = sorted(
            (reading.utilisation, reading.watts) for reading in measured if reading.scope == scope
        )
        small = scope == "pkg" and host.cores / host.chips < SMALL_CORES
        band = artefact.quantiles[self.known]["pkg_small" if small else scope]
        if not readings:
            return _banded(watts, band, np.ones(len(GRID)))
        at = np.array([u for u, _ in readings])
        off = np.log([w / float(np.interp(u, GRID, watts)) for u, w in readings])
        shift = np.interp(GRID, at, off)
        nearest = np.abs(GRID[:, None] - at).min(1)
        watts = np.maximum.accumulate(watts * np.exp(shift))
        for u, w in readings:  # keep the curve rising, through the readings where they rise
            watts = np.where(u + 1e-9 >= GRID, np.minimum(watts, w), np.maximum(watts, w))
        return _banded(watts, band, 0.2 + 0.8 * np.minimum(1, nearest))


class ArtefactEstimator:
    """Estimates power by component for the machine on which the agent runs, from one artefact."""

    def __init__(
        self,
        artefact: Artefact,
        *,
        tdp_watts: float = 0.0,
        instance_type: str = "",
        profile: Profile = "typical",
        measured: Sequence[Measured] = (),
    ) -> None:
        """Take an artefact and the settings.

        Args:
            artefact: the fitted models.
            tdp_watts: TDP of one CPU package; 0: that of the identified CPU.
            instance_type: the cloud's instance type; "": the one that the machine reports.
            profile: ``tuned`` for benchmark machines, ``typical`` for all others.
            measured: readings taken on this machine, of the whole machine or of a guest's part.
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
        """Return the power of ``cpu``, ``dram`` and ``other``.

        For a guest this is its share of the host: the idle part by its share of threads and
        memory, the dynamic part by its own load.
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
        """Return a copy with more readings of this machine."""
        return ArtefactEstimator(
            self._artefact,
            tdp_watts=self._tdp_watts,
            instance_type=self._instance_type,
            profile=self._profile,
            measured=(*self._measured, *measured),
        )

    def host_model(self, machine: Machine) -> HostModel:
        """Compute the curves of the machine's whole host."""
        host = self._host_of(machine)
        return HostModel(self._artefact, host, profile=self._profile, measured=self._measured)

    def explain(self, machine: Machine) -> EstimatorInfo:
        """Describe the basis of the estimates for this machine."""
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
        """Compute the curves of a machine, which does not change while the agent runs."""
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
    """Return a guest's share of the power of its host's packages.

    Returns:
        (watts, low, high) in total, and the dynamic watts alone.
    """
    watts, low, high = model.package.at(utilisation)
    whole = (watts * share, low / _GUEST * share, high * _GUEST * share)
    return whole, (watts - model.package.at(0.0)[0]) * share


def covariance_of(artefact: Artefact, basis: str) -> Floats:
    """Return the covariance of ln(measured / predicted) between the wall's levels.

    ``basis`` is what is known of the CPU, a word of `KNOWN`.
    """
    in_training = basis == "seen" and artefact.covariance_seen
    return np.array(artefact.covariance_seen if in_training else artefact.covariance)


def fleet_offsets(artefact: Artefact, host: Host, scope: str, levels: Floats) -> Floats:
    """Return what the operator's own machines with this CPU add to ln W at these levels.

    If there are none, those with the same microarchitecture are used.
    """
    fleet = artefact.fleet
    if fleet is None:
        return np.zeros(len(levels))
    offsets = fleet.cpu.get(base_key(host.cpu_key), {})
    offsets = offsets or fleet.microarchitecture.get(host.microarchitecture, {})
    return np.interp(levels, fleet.levels, offsets.get(scope) or np.zeros(len(fleet.levels)))


def _around(model: HostModel) -> Curve:
    """Return the curve of ``other``: wall less packages and memory, at least losses and fans."""
    parts = model.package.watts + model.memory.watts
    dynamic = parts - parts[0]
    least = _AROUND_MIN_W + dynamic * _SUPPLY_LOSS / (1 - _SUPPLY_LOSS)
    watts = np.maximum.accumulate(np.maximum(model.wall.watts - parts, least))
    low, high = model.wall.low / model.wall.watts, model.wall.high / model.wall.watts
    return Curve(watts, watts * low / _OTHER, watts * high * _OTHER)


def _banded(watts: Floats, band: Band, width: Floats, more: Floats | float = 0.0) -> Curve:
    """Add a band to a curve.

    Args:
        watts: the curve.
        band: quantiles of ln(measured / predicted).
        width: remaining share of the band's width, 0 to 1.
        more: half-width of other errors, added in squares.
    """
    low = -np.hypot(np.interp(GRID, band.levels, band.low) * width, more)
    high = np.hypot(np.interp(GRID, band.levels, band.high) * width, more)
    return Curve(watts, watts * np.exp(low), watts * np.exp(high))


def _scaled(curve: Curve, factor: Floats) -> Curve:
    watts = np.maximum.accumulate(curve.watts * factor)
    factor = watts / curve.watts
    return Curve(watts, curve.low * factor, curve.high * factor)


def _widened(curve: Curve, *, guest: bool) -> Curve:
    return Curve(curve.watts, curve.low / _GUEST, curve.high * _GUEST) if guest else curve
