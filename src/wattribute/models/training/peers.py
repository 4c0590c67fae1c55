"""What other tools would say of the same servers, as published, or fitted again on the same split.

Sources: CodeCarbon 2.x (``max(10 %, load) x TDP``); Teads, "Estimating AWS EC2 instances power
consumption" (curve over TDP), as Boavizta uses it, with 0.284 W/GB of memory; Cloud Carbon
Footprint's method (idle and full watts per thread by microarchitecture, a straight line between),
fitted again; green-coding.io's SPECpower model (gradient boosting on the machine's figures and
load), fitted again with scikit-learn.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

import numpy as np

from wattribute.models.training.systems import System
from wattribute.node.estimator.host import Host
from wattribute.node.estimator.wall import Floats

Peer = Callable[[Sequence[System], Sequence[System]], list[Floats]]
"""(systems to fit on, systems to predict) -> watts at each one's points."""

_TEADS_LEVELS: Final = (0.0, 0.1, 0.5, 1.0)
_TEADS: Final = (0.12, 0.32, 0.75, 1.02)
_BOAVIZTA_W_PER_GB: Final = 0.284


def codecarbon(_: Sequence[System], test: Sequence[System]) -> list[Floats]:
    """TDP x load."""
    return [s.host.tdp_total * np.maximum(0.1, s.utilisation) for s in test]


def teads(_: Sequence[System], test: Sequence[System]) -> list[Floats]:
    """TDP x a curve."""
    return [s.host.tdp_total * np.interp(s.utilisation, _TEADS_LEVELS, _TEADS) for s in test]


def boavizta(train: Sequence[System], test: Sequence[System]) -> list[Floats]:
    """The same, and memory."""
    cpus = teads(train, test)
    return [w + _BOAVIZTA_W_PER_GB * s.host.memory_gb for s, w in zip(test, cpus, strict=True)]


def cloud_carbon_footprint(train: Sequence[System], test: Sequence[System]) -> list[Floats]:
    """Idle and full watts per thread, by microarchitecture."""
    groups: dict[str, list[tuple[float, float]]] = {"": []}
    for s in train:
        ends = (s.watts[0] / s.host.threads, s.watts[-1] / s.host.threads)
        groups.setdefault(s.host.microarchitecture, []).append(ends)
        groups[""].append(ends)
    means = {name: np.mean(ends, axis=0) for name, ends in groups.items() if ends}
    points = []
    for s in test:
        low, high = means.get(s.host.microarchitecture, means[""]) * s.host.threads
        points.append(np.asarray(low + (high - low) * s.utilisation))
    return points


def gradient_boosting(train: Sequence[System], test: Sequence[System]) -> list[Floats]:
    """Boosted trees with the defaults that green-coding uses (100 trees, depth 6, rate 0.3).

    Raises:
        ImportError: scikit-learn is not installed.
    """
    from sklearn.ensemble import HistGradientBoostingRegressor  # noqa: PLC0415 - optional

    def table(systems: Sequence[System]) -> Floats:
        return np.concatenate(
            [
                np.column_stack((np.tile(_figures(s.host), (len(s.watts), 1)), s.utilisation))
                for s in systems
            ]
        )

    model = HistGradientBoostingRegressor(max_iter=100, max_depth=6, learning_rate=0.3)
    model.fit(table(train), np.concatenate([s.watts for s in train]))
    watts = model.predict(table(test))
    return np.split(watts, np.cumsum([len(s.watts) for s in test])[:-1])


def _figures(host: Host) -> list[float]:
    makes = ("intel", "amd", "arm")
    make = float(makes.index(host.make)) if host.make in makes else 3.0
    return [
        host.chips,
        host.cores,
        host.threads,
        host.ghz,
        host.tdp_watts,
        host.memory_gb,
        host.year,
        make,
    ]


PEERS: Final[Mapping[str, Peer]] = {
    "CodeCarbon: TDP x load": codecarbon,
    "Teads: TDP x curve": teads,
    "Boavizta: the same + 0.284 W/GB": boavizta,
    "Cloud Carbon Footprint, fitted again": cloud_carbon_footprint,
    "green-coding: gradient boosting, fitted again": gradient_boosting,
}
