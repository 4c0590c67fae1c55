"""Ordinary servers against tuned ones: a profile, and how far it can be trusted.

Three machines told it, so each is predicted with a profile fitted on the others, by a wall model
that has not seen its CPU; the band is made as wide as that needs.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

import msgspec
import numpy as np

from wattribute.models.training.component_fit import fit_typical
from wattribute.models.training.crossval import COVERED, fit_without
from wattribute.models.training.metrics import ScoredRow
from wattribute.models.training.shipped import shipped_wall
from wattribute.models.training.systems import System
from wattribute.models.training.wall_fit import Curves, Variances
from wattribute.node.estimator.artefact import Artefact, Coefficients
from wattribute.node.estimator.calibration import Measured
from wattribute.node.estimator.cpu_names import base_key
from wattribute.node.estimator.model import HostModel
from wattribute.node.estimator.wall import Floats, WallModel

_WIDEST: Final = 2.0
_STEPS: Final = 24


@dataclass(frozen=True, slots=True)
class HeldOutServer:
    """One ordinary server, and what is known without it."""

    system: System
    wall: WallModel
    typical: list[float]


def hold_out_ordinary(
    systems: Sequence[System], curves: Curves, variances: Variances, whole: WallModel
) -> tuple[HeldOutServer, ...]:
    """Each ordinary server with a wall model and a profile of the others."""
    ordinary = [s for s in systems if s.scope == "wall" and not s.tuned]
    results = []
    for s in ordinary:
        key = base_key(s.host.cpu_key)
        held_out = [i for i, host in enumerate(curves.hosts) if base_key(host.cpu_key) == key]
        wall = fit_without(curves, variances, held_out) or whole
        other_servers = [candidate for candidate in ordinary if candidate is not s]
        results.append(HeldOutServer(s, wall, fit_typical(other_servers, partial(log_watts, wall))))
    return tuple(results)


def ordinary_points(
    artefact: Artefact, servers: Sequence[HeldOutServer], *, idle: bool
) -> dict[str, list[ScoredRow]]:
    """Their points by system; ``idle``: the one of least load is given, and left out."""
    results = {}
    for server in servers:
        s = server.system
        readings = [Measured(float(s.utilisation[0]), float(s.watts[0]))] if idle else []
        model = HostModel(_of(artefact, server), s.host, profile="typical", measured=readings)
        points = list(zip(s.utilisation.tolist(), s.watts.tolist(), strict=True))[len(readings) :]
        results[s.system_id] = [
            ScoredRow(s.system_id, round(u * 10) * 10, w, *model.wall.at(u)) for u, w in points
        ]
    return results


def widen_typical(artefact: Artefact, servers: Sequence[HeldOutServer]) -> Artefact:
    """The artefact with the band of ``typical`` as wide as these servers need."""
    if not servers:
        return artefact
    for field, idle in (("typical_scatter", True), ("typical_spread", False)):
        low, high = 0.0, _WIDEST
        for _ in range(_STEPS):
            middle = (low + high) / 2
            points = ordinary_points(_with(artefact, field, middle), servers, idle=idle)
            every = [p for results in points.values() for p in results]
            covered = np.mean([p.low_w <= p.measured_w <= p.high_w for p in every])
            low, high = (low, middle) if covered >= COVERED else (middle, high)
        artefact = _with(artefact, field, float(f"{high:.4g}"))
    return artefact


def log_watts(wall: WallModel, system: System) -> Floats:
    """Give ln W of a tuned server like this one at its points."""
    watts = np.interp(system.utilisation, wall.levels, wall.curve(system.host))
    return np.asarray(np.log(watts))


def _of(artefact: Artefact, server: HeldOutServer) -> Artefact:
    """The artefact as it would be without that server."""
    now = artefact.coefficients.wall
    wall = msgspec.structs.replace(
        shipped_wall(server.wall, server.typical),
        typical_spread=now.typical_spread,
        typical_scatter=now.typical_scatter,
        few=now.few,
    )
    return _replaced(artefact, msgspec.structs.replace(artefact.coefficients, wall=wall))


def _with(artefact: Artefact, field: str, value: float) -> Artefact:
    wall = msgspec.structs.replace(artefact.coefficients.wall, **{field: value})
    return _replaced(artefact, msgspec.structs.replace(artefact.coefficients, wall=wall))


def _replaced(artefact: Artefact, coefficients: Coefficients) -> Artefact:
    return msgspec.structs.replace(artefact, coefficients=coefficients)
