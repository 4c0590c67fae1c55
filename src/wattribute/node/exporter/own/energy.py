"""Energy by component, mode and origin: of containers, of the node, and of no container."""

from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from wattribute.node.exporter.family import Family, Samples, counter, crossed, gauge, listed
from wattribute.node.exporter.identity import named_container_style
from wattribute.node.exporter.labels import block
from wattribute.node.exporter.scene import MODES, Scene


def _container_joules(scene: Scene) -> Samples | None:
    columns = scene.columns_by_component
    if not columns:
        return None
    series = scene.containers(named_container_style)
    energy = scene.container_uj[series.rows]
    tails, values = [], []
    for (component, origin), places in columns.items():
        for mode, word in MODES:
            tails.append(block((("component", component), ("mode", word), ("origin", origin))))
            values.append(energy[:, places, mode].sum(axis=1))
    return crossed(series, tails, values)


def _node_joules(scene: Scene) -> Samples | None:
    sums = scene.by_component(scene.snapshot.node.energy_uj, scene.live_channels)
    return listed(
        ({"component": component, "mode": word, "origin": origin}, int(energy[mode]))
        for (component, origin), energy in sums.items()
        for mode, word in MODES
    )


def _by_origin(pick: Callable[[Scene], NDArray[np.int64]]) -> Callable[[Scene], Samples | None]:
    """Return the samples of a table with one value per channel, which ``pick`` chooses."""

    def samples(scene: Scene) -> Samples | None:
        sums = scene.by_component(pick(scene), scene.live_channels)
        return listed(
            ({"component": component, "origin": origin}, int(energy))
            for (component, origin), energy in sums.items()
        )

    return samples


def _birth_held(scene: Scene) -> Samples | None:
    sums: dict[str, NDArray[np.int64]] = {}
    by_origin = scene.by_component(scene.snapshot.birth_held_uj, scene.component_columns)
    for (component, _), energy in by_origin.items():
        sums[component] = sums[component] + energy if component in sums else energy
    return listed(
        ({"component": component, "mode": word}, int(energy[mode]))
        for component, energy in sums.items()
        for mode, word in MODES
    )


FAMILIES: Final[tuple[Family, ...]] = (
    counter("wattribute_container_joules_total",
            "Energy of a container by component; components do not overlap.",
            ("container_id", "pod_name", "container_name", "container_namespace",
             "component", "mode", "origin"), _container_joules),
    counter("wattribute_node_joules_total",
            "Energy of this node by component; components do not overlap.",
            ("component", "mode", "origin"), _node_joules),
    counter("wattribute_idle_joules_total", "The part of the floor that no container pays.",
            ("component", "origin"), _by_origin(lambda scene: scene.snapshot.node.idle_uj)),
    counter("wattribute_unattributed_joules_total", "Energy above the floor while nobody ran.",
            ("component", "origin"), _by_origin(lambda scene: scene.snapshot.node.unattributed_uj)),
    gauge("wattribute_birth_held_joules",
          "Energy of new containers still published as 0, so that rate() sees all of it later.",
          ("component", "mode"), _birth_held),
)  # fmt: skip
