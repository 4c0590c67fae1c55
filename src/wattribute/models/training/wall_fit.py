"""Fits the wall model: one linear mixed model per load level, solved in closed form.

Every group of features (linear, bumps, offsets by ...) has a variance of its own, found by maximum
likelihood, so that a group which explains little shrinks by itself; an offset of a CPU seen once
shrinks more than of one seen ten times. This is ridge regression with a penalty per group, in its
dual form: the covariance of n systems is C = sum of v_g X_g X_g' + v_noise I, and the weights of
group g are v_g X_g' C^-1 (y - mean).

Systems of one maker with one CPU are near copies; an offset for each such pair keeps them from
counting as independent. It is fitted, and not shipped.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from wattribute.node.estimator.cpu_names import base_key, family_of
from wattribute.node.estimator.host import Host
from wattribute.node.estimator.wall import (
    FORM_FIRST,
    Floats,
    WallModel,
    bumps,
    decades,
    linear_features,
    scaled,
    slopes,
    smooth_features,
)

LEVELS: Final = (0.0, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0)
_ANCHORS: Final = (0, 3, 6)
"""Levels whose variances are found; those between are interpolated in their logarithms."""
_YEARS: Final = (2006.0, 2010.0, 2014.0, 2018.0, 2022.0, 2025.0)
_YEARS_LENGTH: Final = 0.3
_LENGTH: Final = 2.5
_POINTS: Final = 60
_LEAST: Final = 1e-3
"""Offsets of less than this (0.1 % of the watts) at every level are not shipped."""
_PLACES: Final = 5
"""Decimals of offsets in ln W: more would change a kilowatt by less than 0.01 W."""
_ROUNDS: Final = 40
"""Of the variances' fixed-point iteration; they move less than 1 % from there on."""
_MAKE_MOST: Final = 0.005
"""There are three designers of CPUs; a variance found from three offsets can be anything."""
_SLOPES: Final = 0.2
"""Part of the likelihood's variance of slopes that is used: slopes of their own help the
microarchitectures that were there, and mislead in later years (see the decision record)."""
_MIDDLE: Final = 3
_ODD: Final = 2.0
"""A system is odd from this squared error on, in units of what was to be expected."""
_DOUBTS: Final = 2
"""Rounds of finding odd systems; those that hid behind others show in the second."""
_AGING_YEARS: Final = 12.0
"""A system this much older than the newest counts half: the next ones will resemble the newest."""

Variances = Mapping[str, tuple[float, ...]]
"""Group -> variance at each level; ``noise`` too."""


@dataclass(frozen=True, slots=True)
class Curves:
    """Systems with their wall power over load."""

    hosts: tuple[Host, ...]
    log_watts: Floats
    """(systems, levels) of `LEVELS`."""

    def of(self, rows: Sequence[int] | np.ndarray) -> "Curves":
        """Some of the systems."""
        return Curves(tuple(self.hosts[i] for i in rows), self.log_watts[rows])


@dataclass(frozen=True, slots=True)
class Design:
    """The features of all systems, group by group."""

    linear_centre: Floats
    linear_scale: Floats
    smooth_centre: Floats
    smooth_scale: Floats
    points: Floats
    groups: dict[str, Floats]
    """Group -> (systems, features)."""
    names: dict[str, tuple[str, ...]]
    """Of a group of offsets: what each column stands for."""
    bumps_prior: Floats
    """(points, points) prior covariance of the bumps' weights: the smooth part is a Gaussian
    process."""


def make_design(hosts: Sequence[Host], fixed: Design | None = None) -> Design:
    """The features of ``hosts``; scaled, centred and named as in ``fixed``, or anew."""
    raw = np.array([linear_features(host) for host in hosts])
    smooth = np.array([smooth_features(host) for host in hosts])
    if fixed is None:
        lc, ls = _rounded(raw.mean(0)), _rounded(_spread(raw))
        sc, ss = _rounded(smooth.mean(0)), _rounded(_spread(smooth))
        points = _centres(scaled(smooth, sc, ss), _POINTS)
    else:
        lc, ls = fixed.linear_centre, fixed.linear_scale
        sc, ss, points = fixed.smooth_centre, fixed.smooth_scale, fixed.points
    x, s = scaled(raw, lc, ls), scaled(smooth, sc, ss)
    x[[not host.form for host in hosts], FORM_FIRST:] = 0.0
    inner = bumps(points, points, _LENGTH) + 1e-6 * np.eye(len(points))
    groups = {"linear": x, "smooth": bumps(s, points, _LENGTH)}
    names: dict[str, tuple[str, ...]] = {}
    keys = {
        "microarchitecture": [host.microarchitecture for host in hosts],
        "family": [family_of(host.cpu_key) for host in hosts],
        "make": [host.make for host in hosts],
        "cpu": [base_key(host.cpu_key) for host in hosts],
        "maker_cpu": [host.maker and f"{host.maker} {base_key(host.cpu_key)}" for host in hosts],
    }
    for group, column in keys.items():
        names[group], groups[group] = _one_hot(column)
    names["slopes"] = names["microarchitecture"]
    offsets, angles = groups["microarchitecture"], slopes(s)[:, 1:]
    groups["slopes"] = (offsets[:, :, None] * angles[:, None, :]).reshape(len(hosts), -1)
    names["maker"], makers = _one_hot([host.maker for host in hosts])
    t = np.array([[decades(host.year)] for host in hosts])
    knots = np.array([[decades(year)] for year in _YEARS])
    near = bumps(t, knots, _YEARS_LENGTH)
    groups["maker"] = (makers[:, :, None] * near[:, None, :]).reshape(len(hosts), -1)
    prior = np.asarray(np.linalg.inv(inner), np.float64)
    return Design(lc, ls, sc, ss, points, groups, names, prior)


def find_variances(curves: Curves, design: Design) -> Variances:
    """Variance of each group at each level, by maximum likelihood.

    The iteration (Zhou, Hu, Zhou and Lange, "MM algorithms for variance components models", 2019)
    never lowers the likelihood and needs no step size.
    """
    kernels = _kernels(design)
    levels_found = {}
    for level in _ANCHORS:
        y = curves.log_watts[:, level] - curves.log_watts[:, level].mean()
        shares = {
            g: float(y.var()) / len(kernels) / max(np.trace(k) / len(y), 1e-9)
            for g, k in kernels.items()
        }
        for _ in range(_ROUNDS):
            inverse = np.linalg.inv(sum(v * kernels[g] for g, v in shares.items()))
            a = inverse @ y
            for g, k in kernels.items():
                up, down = float(a @ k @ a), float((inverse * k).sum())
                shares[g] *= (up / down) ** 0.5 if down > 0 and up > 0 else 0.0
                shares[g] = max(shares[g], 1e-9)
        levels_found[level] = shares
    variances = {g: _between(tuple(levels_found[level][g] for level in _ANCHORS)) for g in kernels}
    variances["make"] = tuple(min(v, _MAKE_MOST) for v in variances["make"])
    variances["slopes"] = tuple(float(f"{v * _SLOPES:.3g}") for v in variances["slopes"])
    return variances


def _noise(
    curves: Curves, kernels: Mapping[str, Floats], variances: Variances, level: int = _MIDDLE
) -> Floats:
    """How much more than usual each system's own part may be off, 1 or more.

    More for old ones, and for those that differ from what the others say of them (each predicted
    without itself, in closed form): published results hold a few that are set up unlike all others.
    """
    years = np.array([host.year for host in curves.hosts])
    usual = 1 + ((years.max() - years) / _AGING_YEARS) ** 2
    y = curves.log_watts[:, level] - curves.log_watts[:, level].mean()
    shared = sum(v[level] * kernels[g] for g, v in variances.items() if g != "noise")
    noise = usual
    for _ in range(_DOUBTS):
        inverse = np.linalg.inv(shared + variances["noise"][level] * np.diag(noise))
        squared = (inverse @ y) ** 2 / np.diag(inverse)
        noise = usual * np.maximum(1.0, noise / usual * squared / _ODD)
    return np.asarray(noise)


def fit_wall(curves: Curves, design: Design, variances: Variances) -> WallModel:
    """The model of these systems, with variances that are already known."""
    kernels = _kernels(design)
    kernels["noise"] = np.diag(_noise(curves, kernels, variances))
    mean = curves.log_watts.mean(0)
    weights = {
        g: np.zeros((x.shape[1], len(LEVELS))) for g, x in design.groups.items() if g != "maker_cpu"
    }
    for level in range(len(LEVELS)):
        covariance = sum(v[level] * kernels[g] for g, v in variances.items())
        a = np.linalg.solve(covariance, curves.log_watts[:, level] - mean[level])
        for g, weight in weights.items():
            w = variances[g][level] * (design.groups[g].T @ a)
            weight[:, level] = design.bumps_prior @ w if g == "smooth" else w
    names, levels = design.names, len(LEVELS)
    turns = weights["slopes"].reshape(len(names["slopes"]), -1, levels)
    offsets = weights["microarchitecture"][:, None, :]
    per_maker = weights["maker"].reshape(len(names["maker"]), -1, levels)

    def table(group: str, values: Floats) -> dict[str, Floats]:
        return {
            name: np.round(_rounded(value), _PLACES)
            for name, value in zip(names[group], values, strict=True)
            if np.abs(value).max() >= _LEAST or group == "cpu"
        }

    return WallModel(
        levels=np.array(LEVELS),
        mean=_rounded(mean),
        linear_centre=design.linear_centre,
        linear_scale=design.linear_scale,
        linear=_rounded(weights["linear"]),
        smooth_centre=design.smooth_centre,
        smooth_scale=design.smooth_scale,
        points=design.points,
        length=_LENGTH,
        smooth=_rounded(weights["smooth"]),
        microarchitecture=table("microarchitecture", np.concatenate((offsets, turns), axis=1)),
        family=table("family", weights["family"]),
        make=table("make", weights["make"]),
        years=np.array([decades(year) for year in _YEARS]),
        years_length=_YEARS_LENGTH,
        maker=table("maker", per_maker),
        cpu=table("cpu", weights["cpu"]),
    )


def _kernels(design: Design) -> dict[str, Floats]:
    """Covariance of the systems that each group gives for a variance of 1."""
    kernels = {}
    for group, x in design.groups.items():
        kernels[group] = x @ design.bumps_prior @ x.T if group == "smooth" else x @ x.T
    kernels["noise"] = np.eye(len(kernels["linear"]))
    return kernels


def _between(anchors: tuple[float, ...]) -> tuple[float, ...]:
    """Variances at all levels from those at `_ANCHORS`; three digits, so that machines agree."""
    at = [LEVELS[i] for i in _ANCHORS]
    return tuple(float(f"{v:.3g}") for v in np.exp(np.interp(LEVELS, at, np.log(anchors))))


def _one_hot(column: Sequence[str]) -> tuple[tuple[str, ...], Floats]:
    """Sorted names, and a matrix with a 1 where a row has that name; "" has none."""
    names = tuple(sorted(set(column) - {""}))
    place = {name: i for i, name in enumerate(names)}
    matrix = np.zeros((len(column), len(names)))
    for row, name in enumerate(column):
        if name:
            matrix[row, place[name]] = 1.0
    return names, matrix


def _centres(x: Floats, count: int) -> Floats:
    """Centres of ``count`` clusters (Lloyd's algorithm, started from distant points)."""
    picked = [int(((x - x.mean(0)) ** 2).sum(1).argmin())]
    away = ((x - x[picked[0]]) ** 2).sum(1)
    while len(picked) < min(count, len(np.unique(x, axis=0))):
        picked.append(int(away.argmax()))
        away = np.minimum(away, ((x - x[picked[-1]]) ** 2).sum(1))
    centres = x[picked]
    for _ in range(10):
        nearest = ((x[:, None, :] - centres[None]) ** 2).sum(-1).argmin(1)
        centres = np.array(
            [x[nearest == i].mean(0) if (nearest == i).any() else c for i, c in enumerate(centres)]
        )
    return np.round(centres, 2)


def _spread(features: Floats) -> Floats:
    """Standard deviations; 1 for a feature that is the same everywhere, and so tells nothing."""
    deviation = features.std(0)
    return np.where(deviation > 1e-6, deviation, 1.0)


def _rounded(values: Floats) -> Floats:
    """Six significant digits, as they are shipped."""
    flat = [float(f"{value:.6g}") for value in np.asarray(values, np.float64).ravel()]
    return np.array(flat).reshape(np.shape(values))
