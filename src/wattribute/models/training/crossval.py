"""What the wall model is worth on systems that it has not seen.

Systems are split by CPU model, never at random: a random split leaves a machine's twin in the
training part.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from math import inf
from typing import Final

import numpy as np

from wattribute.models.training.hosts import known_less
from wattribute.models.training.wall_fit import (
    LEVELS,
    Curves,
    Variances,
    fit_wall,
    make_design,
)
from wattribute.node.estimator.artefact import KNOWN, Band, Microarchitecture
from wattribute.node.estimator.cpu_names import base_key
from wattribute.node.estimator.host import Host
from wattribute.node.estimator.wall import Floats, WallModel

FOLDS: Final = 5
_REPEATS: Final = 2
COVERED: Final = 0.92
"""Of held-out points within the band: a little more than is promised, because the next machines
differ more than those that are held out here."""


@dataclass(frozen=True, slots=True)
class HeldOut:
    """ln(measured / predicted) of systems that were held out, by what was known of the CPU."""

    errors: Mapping[str, Floats]
    """What was known -> (systems x repeats, levels)."""
    systems: Mapping[str, tuple[int, ...]]
    """The same -> which system each row is."""


def cross_validate(
    curves: Curves,
    variances: Variances,
    typical: Mapping[str, Microarchitecture],
    tdp_exponent: float,
) -> HeldOut:
    """Hold out each CPU model in turn, and each system once with its CPU's other systems kept."""
    collected = _Errors(curves)
    for repeat in range(_REPEATS):
        for _, held_out in cpu_folds(curves.hosts, repeat):
            if (model := fit_without(curves, variances, held_out)) is None:
                continue
            collected.take("cpu", model, {i: curves.hosts[i] for i in held_out})
            for knowledge in ("microarchitecture", "class"):
                less = {
                    i: known_less(curves.hosts[i], knowledge, typical, tdp_exponent)
                    for i in held_out
                }
                collected.take(knowledge, model, less)
    # a maker's systems with one CPU are near copies: they are held out together
    pairs = [f"{host.maker or i} {base_key(host.cpu_key)}" for i, host in enumerate(curves.hosts)]
    for fold in range(FOLDS):
        held_out = [i for i, pair in enumerate(pairs) if _fold(pair) == fold]
        if (model := fit_without(curves, variances, held_out)) is not None:
            hosts = {i: curves.hosts[i] for i in held_out if model.knows(curves.hosts[i])}
            collected.take("seen", model, hosts)
    return collected.result()


class _Errors:
    def __init__(self, curves: Curves) -> None:
        self._curves = curves
        self._errors: dict[str, list[Floats]] = {knowledge: [] for knowledge in KNOWN}
        self._systems: dict[str, list[int]] = {knowledge: [] for knowledge in KNOWN}

    def take(self, knowledge: str, model: WallModel, hosts: Mapping[int, Host]) -> None:
        for i, host in hosts.items():
            self._errors[knowledge].append(self._curves.log_watts[i] - np.log(model.curve(host)))
            self._systems[knowledge].append(i)

    def result(self) -> HeldOut:
        return HeldOut(
            {
                knowledge: np.array(rows).reshape(-1, len(LEVELS))
                for knowledge, rows in self._errors.items()
            },
            {knowledge: tuple(rows) for knowledge, rows in self._systems.items()},
        )


def split_by_year(
    curves: Curves,
    variances: Variances,
    years: Sequence[float],
    until: float,
    *,
    then: float = inf,
    cpu_seen: bool = False,
) -> tuple[tuple[int, ...], Floats]:
    """Predict later systems by a model of the earlier ones.

    Args:
        curves: all systems.
        variances: of the groups of features.
        years: of each system's hardware.
        until: the last year of those that are fitted.
        then: the last year of those that are predicted.
        cpu_seen: predict those too whose CPU model an earlier system has.

    Returns:
        Which systems were predicted, and their ln(measured / predicted).
    """
    knowledge = {base_key(curves.hosts[i].cpu_key) for i, year in enumerate(years) if year <= until}
    test = tuple(
        i
        for i, year in enumerate(years)
        if until < year <= then and (cpu_seen or base_key(curves.hosts[i].cpu_key) not in knowledge)
    )
    model = fit_without(curves, variances, [i for i, year in enumerate(years) if year > until])
    if model is None or not test:
        return (), np.empty((0, len(LEVELS)))
    rows = [curves.log_watts[i] - np.log(model.curve(curves.hosts[i])) for i in test]
    return test, np.array(rows)


def cpu_folds(hosts: Sequence[Host], repeat: int = 0) -> list[tuple[list[int], list[int]]]:
    """(kept, held out) systems; those with one CPU model are held out together."""
    folds = [_fold(f"{repeat} {base_key(host.cpu_key)}") for host in hosts]
    return [
        (
            [i for i, f in enumerate(folds) if f != fold],
            [i for i, f in enumerate(folds) if f == fold],
        )
        for fold in range(FOLDS)
    ]


def band_of(errors: Floats, levels: Sequence[float] = LEVELS) -> Band:
    """The band that covers `COVERED` of these errors at each level (n, levels)."""
    tail = (1 - COVERED) / 2
    low, high = np.quantile(errors, (tail, 1 - tail), axis=0)
    return Band(levels=list(levels), low=_shipped(low), high=_shipped(high))


def fit_without(curves: Curves, variances: Variances, held_out: Sequence[int]) -> WallModel | None:
    """The model of all other systems; None if that are none, or all."""
    remaining = np.setdiff1d(np.arange(len(curves.hosts)), held_out)
    if not len(remaining) or not len(held_out):
        return None
    part = curves.of(remaining)
    return fit_wall(part, make_design(part.hosts), variances)


def _fold(text: str) -> int:
    """A number below `FOLDS` that is the same on every machine."""
    return int.from_bytes(sha256(text.encode()).digest()[:4], "big") % FOLDS


def _shipped(values: Floats) -> list[float]:
    return [float(f"{value:.6g}") for value in values]
