"""The model card's figures: everything on machines that the fit had not seen."""

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from wattribute.models.training.component_fit import held_out_parts
from wattribute.models.training.crossval import cpu_folds, split_by_year
from wattribute.models.training.metrics import Score, ScoredRow, score_of
from wattribute.models.training.ordinary import ordinary_points
from wattribute.models.training.peers import PEERS
from wattribute.models.training.systems import System
from wattribute.models.training.train import Trained
from wattribute.models.training.wall_fit import LEVELS
from wattribute.node.estimator.calibration import Measured, correct
from wattribute.node.estimator.model import HostModel, covariance_of
from wattribute.node.estimator.wall import Floats

YEARS: Final = (2020.0, 2022.0, 2023.0)
"""Years after which systems are held out."""
NEXT: Final = (2014, 2025)
"""The years from whose ends on the following year is predicted."""
NEXT_YEAR: Final = "of the next year"
_ERAS: Final = ((2008, "to 2008"), (2012, "2009 to 2012"), (2016, "2013 to 2016"),
                (2020, "2017 to 2020"), (9999, "from 2021"))  # fmt: skip
_KNOWN: Final = {
    "cpu": "CPU model never seen, all its figures known",
    "seen": "CPU model seen in another maker's system",
    "microarchitecture": "only the microarchitecture known",
    "class": "only cores, threads and memory known",
}
_READINGS: Final = {
    "one reading, idle": (0.0,),
    "two readings, idle and at full load": (0.0, 1.0),
}
_SAME_LOAD: Final = 0.02
_MANY: Final = 20
"""Systems from which on a maker of servers has a line of its own."""


@dataclass(frozen=True, slots=True)
class Figures:
    """Name -> score, each table of the card."""

    known: dict[str, Score]
    readings: dict[str, Score]
    """With readings given, which are not scored."""
    levels: dict[str, Score]
    makes: dict[str, Score]
    makers: dict[str, Score]
    """Of servers; those of few systems together."""
    eras: dict[str, Score]
    years: dict[str, Score]
    peers: dict[str, Score | str]
    """A text: why it was not run."""
    packages: dict[str, Score]
    memory: dict[str, Score]
    ordinary: dict[str, Score]
    ordinary_idle: dict[str, Score]
    """The same with each one's reading of least load given."""


def figures_of(trained: Trained) -> Figures:
    """Score the trained models on held-out machines."""
    systems = trained.data.curve_systems
    points = {known: _wall_points(trained, known) for known in _KNOWN}
    cpu = points["cpu"]
    place = {s.system_id: s for s in systems}
    count = Counter(s.host.maker for s in systems)
    makers = {
        s.system_id: s.host.maker for s in systems if s.host.maker and count[s.host.maker] >= _MANY
    }

    def by(name: Callable[[ScoredRow], str]) -> dict[str, Score]:
        groups: dict[str, list[ScoredRow]] = defaultdict(list)
        for point in cpu:
            groups[name(point)].append(point)
        return {key: score_of(results) for key, results in groups.items()}

    return Figures(
        known={_KNOWN[known]: score_of(results) for known, results in points.items() if results},
        readings={
            f"{_KNOWN[known]}; {name}": score_of(_wall_points(trained, known, reading_loads))
            for known in ("cpu", "seen")
            for name, reading_loads in _READINGS.items()
            if points[known]
        },
        levels=by(lambda point: f"{point.level} %"),
        makes=by(lambda point: place[point.system_id].host.make or "other"),
        makers=by(lambda point: makers.get(point.system_id, "others")),
        eras=dict(
            sorted(by(lambda point: _era(place[point.system_id].host.year)).items(), key=_era_order)
        ),
        years=_by_year(trained),
        peers=_peers(systems),
        packages=_parts(trained, "pkg"),
        memory=_parts(trained, "dram"),
        ordinary=_by_system(ordinary_points(trained.artefact, trained.ordinary, idle=False)),
        ordinary_idle=_by_system(ordinary_points(trained.artefact, trained.ordinary, idle=True)),
    )


def _by_year(trained: Trained) -> dict[str, Score]:
    """Later hardware, by a model of what was there before."""
    curves, variances = trained.data.curves, trained.variances
    years = [s.row.number("hw_year") for s in trained.data.curve_systems]
    results = {}
    for name, cpu_seen in (
        (NEXT_YEAR, True),
        (f"{NEXT_YEAR}, CPU model never seen", False),
    ):
        points: list[ScoredRow] = []
        for year in range(*NEXT):
            held_systems, errors = split_by_year(
                curves, variances, years, year, then=year + 1, cpu_seen=cpu_seen
            )
            points += _points(trained, "cpu", held_systems, errors)
        if points:
            results[f"{name}, {NEXT[0]} to {NEXT[1]}"] = score_of(points)
    for until in YEARS:
        later = _points(trained, "cpu", *split_by_year(curves, variances, years, until))
        if later:
            results[f"after {until:.0f}, CPU model never seen"] = score_of(later)
    return results


def _wall_points(
    trained: Trained, known: str, reading_loads: Sequence[float] = ()
) -> list[ScoredRow]:
    held_out = trained.held_out
    return _points(trained, known, held_out.systems[known], held_out.errors[known], reading_loads)


def _points(
    trained: Trained,
    known: str,
    held_systems: Sequence[int],
    errors: Floats,
    reading_loads: Sequence[float] = (),
) -> list[ScoredRow]:
    """Held-out predictions at every measured point, between the model's levels too.

    Args:
        trained: with the systems' true watts.
        known: what is known of the CPU, which decides the band.
        held_systems: the systems.
        errors: their ln(measured / predicted).
        reading_loads: loads at which a reading is given to the model, and not scored.
    """
    few = trained.artefact.coefficients.wall.few
    levels, covariance = np.array(LEVELS), covariance_of(trained.artefact, known)
    results = []
    for i, error in zip(held_systems, errors, strict=True):
        system, truth = trained.data.curve_systems[i], trained.data.curves.log_watts[i]
        name = "class" if system.host.make in few else known
        band = trained.artefact.quantiles[name]["wall"]
        readings_given = [
            Measured(u, float(np.exp(np.interp(u, levels, truth)))) for u in reading_loads
        ]
        moved = correct(levels, covariance, np.exp(truth - error), readings_given)
        predicted = np.exp(truth - error + moved.shift)
        for u, w in zip(system.utilisation.tolist(), system.watts.tolist(), strict=True):
            if any(abs(u - load) < _SAME_LOAD for load in reading_loads):
                continue
            watts = float(np.interp(u, levels, predicted))
            remaining_sd = float(np.interp(u, levels, moved.remaining)) ** 0.5
            low, high = (
                watts * float(np.exp(np.interp(u, band.levels, side) * remaining_sd))
                for side in (band.low, band.high)
            )
            results.append(ScoredRow(system.system_id, round(u * 10) * 10, w, watts, low, high))
    return results


def _peers(systems: Sequence[System]) -> dict[str, Score | str]:
    results: dict[str, Score | str] = {}
    for name, peer in PEERS.items():
        points: list[ScoredRow] = []
        try:
            for fitted, held_systems in cpu_folds([s.host for s in systems]):
                if not fitted or not held_systems:
                    continue
                test = [systems[i] for i in held_systems]
                for s, watts in zip(test, peer([systems[i] for i in fitted], test), strict=True):
                    points += [
                        ScoredRow(s.system_id, 0, w, max(1.0, float(p)), 0.0, 0.0)
                        for w, p in zip(s.watts.tolist(), watts.tolist(), strict=True)
                    ]
        except ImportError as exc:
            results[name] = f"not run: {exc.name} is not installed"
            continue
        results[name] = score_of(points)
    return results


def _parts(trained: Trained, scope: str) -> dict[str, Score]:
    """Machine by machine, with the shipped band around the held-out prediction; first all."""
    results: dict[str, list[ScoredRow]] = {}
    hosts = {s.system_id: s.host for s in trained.data.systems if s.scope == scope}
    for system_id, points in held_out_parts(trained.data.systems, scope).items():
        model = HostModel(trained.artefact, hosts[system_id])
        curve = model.package if scope == "pkg" else model.memory
        low, high = float(curve.low[0] / curve.watts[0]), float(curve.high[0] / curve.watts[0])
        banded = [
            replace(p, low_w=p.predicted_w * low, high_w=p.predicted_w * high) for p in points
        ]
        results[f"{hosts[system_id].cpu_key} ({system_id})"] = banded
    return _by_system(results)


def _by_system(points: dict[str, list[ScoredRow]]) -> dict[str, Score]:
    every = [point for own in points.values() for point in own]
    scores = {name: score_of(results) for name, results in points.items()}
    return {"all": score_of(every), **scores} if every else {}


def _era(year: float) -> str:
    return next(name for until, name in _ERAS if year <= until)


def _era_order(item: tuple[str, Score]) -> int:
    return [name for _, name in _ERAS].index(item[0])
