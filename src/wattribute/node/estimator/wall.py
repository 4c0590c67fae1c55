"""Predict the wall power of a whole server by load from the features of a host.

ln W at a few load levels is a sum of these parts: linear in the features, smooth (Gaussian bumps),
and offsets by microarchitecture, product line, designer, maker of the server (changing over the
years) and CPU model. A part that is not in the model adds 0.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import log, log1p
from typing import Final

import numpy as np
from numpy.typing import NDArray

from wattribute.node.estimator.cpu_names import base_key, family_of
from wattribute.node.estimator.host import Host

Floats = NDArray[np.float64]

LINEAR: Final = (
    ("ln_tdp", "ln W"),
    ("ln_cores", "ln 1"),
    ("ln_memory", "ln GB"),
    ("ln_packages", "ln 1"),
    ("ln_base_clock", "ln GHz"),
    ("ln_threads", "ln 1"),
    ("ln_memory_per_tdp", "ln(1 + GB/W)"),
    ("ln_tdp_x_ln_packages", "ln W x ln 1"),
    ("ln_around", "ln(W + 0.2 W/GB x GB + 20 W)"),
    ("year", "decades from 2015"),
    ("year_squared", "decades squared"),
    ("ln_nodes", "ln 1"),
    ("many_nodes", "0 or 1"),
    ("blade", "0 or 1"),
    ("tower", "0 or 1"),
    ("two_units", "0 or 1"),
    ("four_units", "0 or 1"),
)
"""The features and their units; watts and gigabytes are of the whole machine."""
_FAR: Final = 6.0
"""Features are clipped to this many standard deviations from the mean."""
FORM_FIRST: Final = 13
"""Index of the first feature of the form; these stay at their mean if the form is not known."""

SMOOTH: Final = (
    "ln_tdp_per_package",
    "ln_cores_per_package",
    "ln_packages",
    "ln_memory_per_tdp",
    "ln_base_clock",
    "smt",
    "year",
)
SLOPES: Final = (0, 1, 2, 3)
"""Indices of the smooth features whose slope differs by microarchitecture."""


@dataclass(frozen=True, slots=True)
class WallModel:
    """The fitted parts of the model; every row of weights has one column per level."""

    levels: Floats
    mean: Floats
    linear_centre: Floats
    linear_scale: Floats
    linear: Floats
    smooth_centre: Floats
    smooth_scale: Floats
    points: Floats
    """Centres of the bumps, in units of scale x length."""
    length: float
    smooth: Floats
    microarchitecture: dict[str, Floats]
    """(1 + slopes, levels): an offset, and the weights of the slopes."""
    family: dict[str, Floats]
    make: dict[str, Floats]
    years: Floats
    """Knots of a maker's offset, in decades from 2015."""
    years_length: float
    maker: dict[str, Floats]
    """(knots, levels) weights by maker."""
    cpu: dict[str, Floats]

    def knows(self, host: Host) -> bool:
        """Tell whether the host's CPU model was in the training data."""
        return base_key(host.cpu_key) in self.cpu

    def curve(self, host: Host) -> Floats:
        """Return the watts at each level, which never fall."""
        x = scaled(np.array(linear_features(host)), self.linear_centre, self.linear_scale)
        if not host.form:
            x[FORM_FIRST:] = 0.0
        s = scaled(np.array(smooth_features(host)), self.smooth_centre, self.smooth_scale)
        y = self.mean + x @ self.linear + bumps(s, self.points, self.length) @ self.smooth
        for table, key in (
            (self.family, family_of(host.cpu_key)),
            (self.make, host.make),
            (self.cpu, base_key(host.cpu_key)),
        ):
            if key in table:
                y = y + table[key]
        if host.microarchitecture in self.microarchitecture:
            y = y + slopes(s) @ self.microarchitecture[host.microarchitecture]
        if host.maker in self.maker:
            near = bumps(np.array([decades(host.year)]), self.years[:, None], self.years_length)
            y = y + near @ self.maker[host.maker]
        return np.maximum.accumulate(np.exp(y))


def linear_features(host: Host) -> list[float]:
    """Return the features of `LINEAR`, in its order."""
    tdp, memory = host.tdp_total, max(host.memory_gb, 0.5)
    t = decades(host.year)
    return [
        log(tdp),
        log(host.cores),
        log(memory),
        log(host.chips),
        log(host.ghz),
        log(host.threads),
        log1p(memory / tdp),
        log(tdp) * log(host.chips),
        log(tdp + 0.2 * memory + 20),
        t,
        t * t,
        log(host.nodes),
        float(host.nodes > 1),
        float(host.form == "blade"),
        float(host.form == "tower"),
        float(host.form == "2u"),
        float(host.form == "4u"),
    ]


def smooth_features(host: Host) -> list[float]:
    """Return the features of `SMOOTH`, in its order."""
    return [
        log(host.tdp_watts),
        log(host.cores / host.chips),
        log(host.chips),
        log(max(host.memory_gb, 0.5) / host.tdp_total),
        log(host.ghz),
        float(host.threads > host.cores),
        decades(host.year),
    ]


def scaled(features: Floats, centre: Floats, scale: Floats) -> Floats:
    """Return features in standard deviations of the training data, clipped to `_FAR`."""
    return np.asarray(np.clip((features - centre) / scale, -_FAR, _FAR))


def bumps(x: Floats, points: Floats, length: float) -> Floats:
    """Evaluate Gaussian bumps around ``points`` (m, d) at ``x`` (d,) or (n, d): (m,) or (n, m)."""
    away = ((x[..., None, :] - points) ** 2).sum(-1)
    return np.asarray(np.exp(-0.5 * away / length**2))


def slopes(s: Floats) -> Floats:
    """Return 1 and the scaled features whose slope differs by microarchitecture."""
    return np.concatenate((np.ones((*s.shape[:-1], 1)), s[..., list(SLOPES)]), axis=-1)


def decades(year: float) -> float:
    """Convert a year into decades from 2015."""
    return (year - 2015) / 10


def at(
    levels: Sequence[float] | Floats, watts: Sequence[float] | Floats, utilisation: float
) -> float:
    """Return the watts at a utilisation from 0 to 1, linear between the levels."""
    return float(np.interp(utilisation, levels, watts))
