"""Watts per core of workloads, and what uncertain weights make of containers' energy."""

from collections.abc import Callable, Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

from wattribute.core.records import LearnedWeights, WorkloadKey, ZoneWeight
from wattribute.node.attribution.learned.report import METHOD
from wattribute.node.exporter.family import (
    Family,
    Samples,
    counter,
    crossed,
    gauge,
    listed,
    millionths,
)
from wattribute.node.exporter.identity import named_container_style
from wattribute.node.exporter.labels import block
from wattribute.node.exporter.scene import Scene

_TIME: Final = "time"
_ZONE: Final = ("zone",)
_WORKLOAD: Final = (
    *("owner_kind", "owner_name", "container_namespace", "container_name", "image", "zone"),
)
_CONTAINER: Final = (
    *("container_id", "pod_name", "container_name", "container_namespace", "component", "origin"),
)


def _rivals(scene: Scene) -> dict[str, str]:
    """Return the weights that are not used, by component, where there are some.

    The rest of the platform follows the other components.
    """
    rivals: dict[str, str] = {}
    for weight in scene.snapshot.weights:
        if weight.zone.component and weight.rival:
            rivals[weight.zone.component] = weight.rival
    if rivals:
        rivals.setdefault("other", next(iter(rivals.values())))
    return rivals


def _sums(
    scene: Scene, tables: Callable[[str], list[tuple[str, NDArray[np.int64] | None]]], label: str
) -> Samples | None:
    """Return samples of containers x components; ``tables`` names those of a component."""
    series = scene.containers(named_container_style)
    is_held = scene.snapshot.containers.held[series.rows]
    tails, values = [], []
    for (component, origin), places in scene.columns_by_component.items():
        for word, table in tables(component):
            if table is None:
                continue
            tails.append(block((("component", component), ("origin", origin), (label, word))))
            values.append(np.where(is_held, 0, table[series.rows][:, places].sum(axis=1)))
    return crossed(series, tails, values) if tails else None


def _band(scene: Scene) -> Samples | None:
    table = scene.snapshot.containers
    bounds = [("low", table.low_uj), ("high", table.high_uj)]
    learned = {w.zone.component for w in scene.snapshot.weights if w.shared_by == METHOD}
    if learned:
        learned.add("other")  # the rest of the platform follows the other components
    return _sums(scene, lambda c: bounds if c in learned else [], "bound")


def _weighed(scene: Scene) -> Samples | None:
    table, rivals = scene.snapshot.containers, _rivals(scene)
    by_name = {_TIME: table.time_uj, "learned": table.learned_uj}
    return _sums(
        scene, lambda c: [(rivals[c], by_name[rivals[c]])] if c in rivals else [], "weight"
    )


def _weight_info(scene: Scene) -> Samples | None:
    return listed(
        (
            {
                "zone": weight.zone.name,
                "component": weight.zone.component or "",
                "shared_by": weight.shared_by,
                "reason": weight.reason,
            },
            1,
        )
        for weight in scene.snapshot.weights
    )


def _learners(scene: Scene) -> Iterator[tuple[ZoneWeight, LearnedWeights]]:
    for weight in scene.snapshot.weights:
        if weight.learned is not None:
            yield weight, weight.learned


def _ratios(
    pick: Callable[[LearnedWeights], NDArray[np.float64]],
) -> Callable[[Scene], Samples | None]:
    """Return one sample per workload and zone; ``pick`` chooses its value."""
    return lambda scene: listed(
        (_workload(key, weight), millionths(value))
        for weight, learned in _learners(scene)
        for key, value in zip(learned.keys, pick(learned).tolist(), strict=True)
    )


def _workload(key: WorkloadKey, weight: ZoneWeight) -> dict[str, str]:
    return {
        "owner_kind": key.owner_kind,
        "owner_name": key.owner_name,
        "container_namespace": key.namespace,
        "container_name": key.container_name,
        "image": key.image,
        "zone": weight.zone.name,
    }


def _of_learner(pick: Callable[[LearnedWeights], int]) -> Callable[[Scene], Samples | None]:
    """Return one sample per learner; ``pick`` chooses its value."""
    return lambda scene: listed(
        ({"zone": weight.zone.name}, pick(learned)) for weight, learned in _learners(scene)
    )


def _skipped(scene: Scene) -> Samples | None:
    return listed(
        ({"zone": weight.zone.name, "reason": reason}, count)
        for weight, learned in _learners(scene)
        for reason, count in sorted(learned.skipped.items())
    )


FAMILIES: Final[tuple[Family, ...]] = (
    counter("wattribute_container_band_joules_total",
            "Ends of the 90 % band around a container's dynamic energy, where its weight was "
            "learned; held back at birth like the energy.",
            (*_CONTAINER, "bound"), _band),
    counter("wattribute_container_weighed_joules_total",
            "What a container's dynamic energy would be by the weight that is not used: time, or "
            "learned while attribution.weight is shadow.",
            (*_CONTAINER, "weight"), _weighed),
    gauge("wattribute_zone_weight_info",
          "By what a zone's energy above its floor is shared, and why: 1.",
          ("zone", "component", "shared_by", "reason"), _weight_info, decimals=0),
    gauge("wattribute_workload_watts_per_core_ratio",
          "Learned watts per core of a workload against the mean of its node; 1 is the mean.",
          _WORKLOAD, _ratios(lambda learned: learned.ratio)),
    gauge("wattribute_workload_watts_per_core_ratio_low",
          "Lower end of the 90 % band of the ratio.", _WORKLOAD,
          _ratios(lambda learned: learned.low)),
    gauge("wattribute_workload_watts_per_core_ratio_high",
          "Upper end of the 90 % band of the ratio.", _WORKLOAD,
          _ratios(lambda learned: learned.high)),
    gauge("wattribute_learner_lead_nats",
          "Log evidence of the best filter less that of equal weights; below 0, CPU time foretells "
          "the meter as well.",
          _ZONE, _of_learner(lambda learned: millionths(learned.lead_nats))),
    gauge("wattribute_learner_noise_ratio",
          "Noise of the meter as the learner sees it, as a part of the zone's power.",
          _ZONE, _of_learner(lambda learned: millionths(learned.noise_ratio))),
    gauge("wattribute_learner_delay_readings", "By how many readings the meter is late.",
          _ZONE, _of_learner(lambda learned: learned.delay_readings), decimals=0),
    gauge("wattribute_learner_slots", "Workloads that have a weight of their own.",
          _ZONE, _of_learner(lambda learned: len(learned.keys)), decimals=0),
    counter("wattribute_learner_jumps_total",
            "Sudden changes of the whole, such as a governor that is switched.",
            _ZONE, _of_learner(lambda learned: learned.jumps), decimals=0),
    counter("wattribute_learner_restarts_total",
            "How often the learner began anew because its numbers were no longer sound.",
            _ZONE, _of_learner(lambda learned: learned.restarts), decimals=0),
    counter("wattribute_learner_skipped_total",
            "Ticks from which nothing was learned: capped, jump, late or invalid.",
            (*_ZONE, "reason"), _skipped, decimals=0),
    counter("wattribute_learner_seconds_total", "CPU time of the learner.",
            _ZONE, _of_learner(lambda learned: millionths(learned.seconds))),
)  # fmt: skip
