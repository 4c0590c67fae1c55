"""What the wall model is worth on systems that it has not seen.

Systems are split by CPU model, never at random: a random split leaves a machine's twin in the
training part.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

import numpy as np

from wattribute.estimator.artefact import KNOWN, Band, Microarchitecture
from wattribute.estimator.cpu_names import base_key
from wattribute.estimator.host import Host
from wattribute.estimator.wall import Floats, WallModel
from wattribute.training.hosts import known_less
from wattribute.training.wall_fit import (
    LEVELS,
    Curves,
    Variances,
    fit_wall,
    make_design,
)

FOLDS: Final = 5
_REPEATS: Final = 2
COVERED: Final = 0.91
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
    found = _Errors(curves)
    keys = [base_key(host.cpu_key) for host in curves.hosts]
    for repeat in range(_REPEATS):
        for fold in range(FOLDS):
            held = [i for i, key in enumerate(keys) if _fold(f"{repeat} {key}") == fold]
            if (model := _without(curves, variances, held)) is None:
                continue
            found.take("cpu", model, {i: curves.hosts[i] for i in held})
            for known in ("microarchitecture", "class"):
                less = {i: known_less(curves.hosts[i], known, typical, tdp_exponent) for i in held}
                found.take(known, model, less)
    # a maker's systems with one CPU are near copies: they are held out together
    pairs = [f"{host.maker or i} {keys[i]}" for i, host in enumerate(curves.hosts)]
    for fold in range(FOLDS):
        held = [i for i, pair in enumerate(pairs) if _fold(pair) == fold]
        if (model := _without(curves, variances, held)) is not None:
            hosts = {i: curves.hosts[i] for i in held if model.knows(curves.hosts[i])}
            found.take("seen", model, hosts)
    return found.done()


class _Errors:
    def __init__(self, curves: Curves) -> None:
        self._curves = curves
        self._errors: dict[str, list[Floats]] = {known: [] for known in KNOWN}
        self._systems: dict[str, list[int]] = {known: [] for known in KNOWN}

    def take(self, known: str, model: WallModel, hosts: Mapping[int, Host]) -> None:
        for i, host in hosts.items():
            self._errors[known].append(self._curves.log_watts[i] - np.log(model.curve(host)))
            self._systems[known].append(i)

    def done(self) -> HeldOut:
        return HeldOut(
            {
                known: np.array(rows).reshape(-1, len(LEVELS))
                for known, rows in self._errors.items()
            },
            {known: tuple(rows) for known, rows in self._systems.items()},
        )


def split_by_year(
    curves: Curves, variances: Variances, years: Sequence[float], until: float
) -> Floats:
    """ln(measured / predicted) of later systems with a CPU that earlier ones do not have."""
    train = [i for i, year in enumerate(years) if year <= until]
    seen = {base_key(curves.hosts[i].cpu_key) for i in train}
    test = [
        i
        for i, year in enumerate(years)
        if year > until and base_key(curves.hosts[i].cpu_key) not in seen
    ]
    model = _without(curves, variances, [i for i in range(len(years)) if i not in set(train)])
    if model is None or not test:
        return np.empty((0, len(LEVELS)))
    return np.array([curves.log_watts[i] - np.log(model.curve(curves.hosts[i])) for i in test])


def band_of(errors: Floats, levels: Sequence[float] = LEVELS) -> Band:
    """The band that covers `COVERED` of these errors at each level (n, levels)."""
    tail = (1 - COVERED) / 2
    low, high = np.quantile(errors, (tail, 1 - tail), axis=0)
    return Band(levels=list(levels), low=_shipped(low), high=_shipped(high))


def _without(curves: Curves, variances: Variances, held: Sequence[int]) -> WallModel | None:
    kept = np.setdiff1d(np.arange(len(curves.hosts)), held)
    if not len(kept) or not len(held):
        return None
    part = curves.of(kept)
    return fit_wall(part, make_design(part.hosts), variances)


def _fold(text: str) -> int:
    """A number below `FOLDS` that is the same on every machine."""
    return int.from_bytes(sha256(text.encode()).digest()[:4], "big") % FOLDS


def _shipped(values: Floats) -> list[float]:
    return [float(f"{value:.6g}") for value in values]
