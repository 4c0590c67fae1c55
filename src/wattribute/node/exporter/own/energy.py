"""Energy by component, mode and origin: of the node, and what of it no container shows."""

from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from wattribute.node.exporter.family import Family, Samples, counter, gauge, listed
from wattribute.node.exporter.scene import MODES, Scene


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
