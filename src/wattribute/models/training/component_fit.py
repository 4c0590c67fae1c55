"""Fits of what few machines tell: CPU packages, memory, ordinary servers against tuned ones.

Medians over CPU models, because there are three to five of them, and one that differs must not
decide.
"""

import warnings
from collections import defaultdict
from collections.abc import Callable, Sequence
from math import inf
from typing import Final

import msgspec
import numpy as np

from wattribute.core.errors import DataInvalid
from wattribute.models.training.metrics import ScoredRow
from wattribute.models.training.systems import System
from wattribute.models.training.wall_fit import LEVELS
from wattribute.node.estimator.artefact import DramModel, Package
from wattribute.node.estimator.components import memory_watts, package_watts
from wattribute.node.estimator.cpu_names import base_key
from wattribute.node.estimator.wall import Floats

COMPONENT_LEVELS: Final = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
_LARGE_CORES: Final = 12
"""Cores of one package from which on a part runs at its TDP when busy."""
_BUSY: Final = 0.98
_NEAR: Final = 0.1
_OLD: Final = 2017


def fit_package(systems: Sequence[System]) -> Package:
    """The median curve of large parts over TDP, and what each CPU model differs from it.

    A cap too: the most that a core draws per GHz cubed.

    Raises:
        DataInvalid: no system with a large part.
    """
    measured = [s for s in systems if s.scope == "pkg"]
    large = [s for s in measured if s.host.cores / s.host.chips >= _LARGE_CORES]
    if not large:
        raise DataInvalid(
            f"no pkg rows of a CPU with {_LARGE_CORES} cores or more to fit the package model on"
        )
    curve = _filled(_by_cpu(large, lambda s: _levels(s) / s.host.tdp_total))
    caps = [
        s.watts.max() / (s.host.cores * s.host.boost_ghz**3)
        for s in measured
        if s.host.boost_ghz and s.utilisation[-1] >= _BUSY
    ]
    package = Package(
        levels=list(COMPONENT_LEVELS),
        of_tdp=_shipped(np.maximum.accumulate(curve)),
        watts_per_core_ghz3=float(f"{max(caps):.6g}") if caps else 1.0,
    )
    return msgspec.structs.replace(package, cpu=_by_model(measured, package))


def _by_model(measured: Sequence[System], package: Package) -> dict[str, list[float]]:
    """What each CPU model draws beyond the curve, drawn in as if one more system had not."""
    groups: dict[str, list[Floats]] = defaultdict(list)
    for s in measured:
        expected = [package_watts(s.host, package, u) for u in COMPONENT_LEVELS]
        groups[base_key(s.host.cpu_key)].append(_filled(np.log(_levels(s) / expected)))
    return {
        key: _shipped(np.mean(rows, axis=0) * len(rows) / (len(rows) + 1))
        for key, rows in sorted(groups.items())
        if key
    }


def fit_memory(systems: Sequence[System]) -> DramModel:
    """Watts of one 16 GB module by load, and how much less older generations draw.

    Raises:
        DataInvalid: no system with dram rows and known memory.
    """
    measured = [s for s in systems if s.scope == "dram" and s.row.number("mem_gb")]
    if not measured:
        raise DataInvalid("no dram rows with mem_gb to fit the memory model on")
    unit = DramModel(levels=[0.0, 1.0], module_watts=[1.0, 1.0], before_2017=1.0)

    def per_module(s: System) -> Floats:
        return _levels(s) / memory_watts(s.host, unit, 0.0)

    new = [s for s in measured if s.host.year >= _OLD]
    old = [s for s in measured if s.host.year < _OLD]
    curve = np.maximum.accumulate(_filled(_by_cpu(new or old, per_module)))
    factor = 1.0
    if new and old:
        factor = float(f"{np.median(_filled(_by_cpu(old, per_module)) / curve):.6g}")
    return DramModel(
        levels=list(COMPONENT_LEVELS), module_watts=_shipped(curve), before_2017=factor
    )


def fit_typical(systems: Sequence[System], predict: Callable[[System], Floats]) -> list[float]:
    """What ordinary servers add to ln W at the wall's levels.

    A straight line through the mean over servers of the median near each level, shrunk as if one
    more server had added nothing; it ends at 0: when busy, ordinary servers draw what tuned ones
    do.

    Args:
        systems: measured at the wall.
        predict: ln W of a tuned server like that one, at the system's points.
    """
    ordinary = [s for s in systems if s.scope == "wall" and not s.tuned]
    if not ordinary:
        return [0.0] * len(LEVELS)
    table = np.full((len(ordinary), len(LEVELS)), np.nan)
    for i, s in enumerate(ordinary):
        off = np.log(s.watts) - predict(s)
        for j, level in enumerate(LEVELS):
            near = np.abs(s.utilisation - level) <= _NEAR
            if near.any():
                table[i, j] = np.median(off[near])
    count = (~np.isnan(table)).sum(0)
    added, levels = np.nansum(table, 0) / (count + 1), np.array(LEVELS)
    if (count > 0).sum() < 2:
        return [0.0] * len(LEVELS)
    slope, offset = np.polyfit(levels[count > 0], added[count > 0], 1)
    return _shipped(np.maximum(0.0, offset + slope * levels))


def held_out_parts(systems: Sequence[System], scope: str) -> dict[str, list[ScoredRow]]:
    """Each machine's points, predicted by a model fitted on those with another CPU model.

    The band is not known yet, and left open. Machines that are the only ones of their kind, so that
    nothing can be fitted without them, are left out.

    Args:
        systems: all of them.
        scope: ``pkg`` or ``dram``.
    """
    measured = [s for s in systems if s.scope == scope]
    points_by_key: dict[str, list[ScoredRow]] = {}
    for key in sorted({base_key(s.host.cpu_key) for s in measured}):
        rest = [s for s in measured if base_key(s.host.cpu_key) != key]
        try:
            predict = _fitted(rest, scope)
        except DataInvalid:
            continue
        for s in measured:
            if base_key(s.host.cpu_key) == key:
                points_by_key[s.system_id] = [
                    ScoredRow(s.system_id, round(u * 10) * 10, w, predict(s, u), 0.0, inf)
                    for u, w in zip(s.utilisation.tolist(), s.watts.tolist(), strict=True)
                ]
    return points_by_key


def _fitted(systems: Sequence[System], scope: str) -> Callable[[System, float], float]:
    if scope == "pkg":
        package = fit_package(systems)
        return lambda s, u: package_watts(s.host, package, u)
    memory = fit_memory(systems)
    return lambda s, u: memory_watts(s.host, memory, u)


def _levels(system: System) -> Floats:
    """Watts at `COMPONENT_LEVELS`; NaN outside of what was measured."""
    at = np.array(COMPONENT_LEVELS)
    watts = np.interp(at, system.utilisation, system.watts)
    inside = (at >= system.utilisation[0] - 0.02) & (at <= system.utilisation[-1] + 0.02)
    return np.where(inside, watts, np.nan)


def _by_cpu(systems: Sequence[System], figure: Callable[[System], Floats]) -> Floats:
    """The median over CPU models of the median over each model's systems."""
    groups: dict[str, list[Floats]] = defaultdict(list)
    for s in systems:
        groups[base_key(s.host.cpu_key)].append(figure(s))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a level that nobody measured stays NaN
        middles = [np.nanmedian(rows, axis=0) for rows in groups.values()]
        return np.asarray(np.nanmedian(middles, axis=0))


def _filled(values: Floats) -> Floats:
    """Levels that nobody measured, between and beyond those that somebody did."""
    known_indices = np.flatnonzero(~np.isnan(values))
    return np.asarray(np.interp(np.arange(len(values)), known_indices, values[known_indices]))


def _shipped(values: Floats) -> list[float]:
    return [float(f"{value:.6g}") for value in values]
