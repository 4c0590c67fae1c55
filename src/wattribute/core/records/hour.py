"""What one node and its consumers did in one hour.

The agent writes it into its spool, as one line of JSON. The ledger reads it there, or makes it from
what Prometheus scraped; both become entries in the same way. Energies are whole microjoules, and a
table of energies has one value per channel.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import msgspec

HOUR_SCHEMA: Final = 1
"""Version of the JSON form: keys are added, never renamed or taken away."""

REWEIGHED: Final = ("low_uj", "high_uj", "time_uj", "learned_uj")
"""What ConsumerHour and ContainerTable have beside dynamic energy where weights are uncertain, or
have a rival: the ends of the band, and the energy by CPU time and by learned weights."""


class HourChannel(msgspec.Struct, frozen=True, array_like=True):
    """One column of the tables of energy: a component, from one meter, known in one way."""

    component: str
    """``cpu``, ``dram``, ``gpu`` or ``other``; "" for energy that overlaps one of these."""
    source: str
    """The meter, as Zone.source; "" where it is not known."""
    origin: str
    """``measured``, ``integrated`` or ``estimated``; ``unknown`` in some hours of agents of 0.1."""


class ModeEnergy(msgspec.Struct, frozen=True, array_like=True):
    """Energy of the node in one channel, by mode."""

    dynamic_uj: int
    idle_uj: int


class EstimateBand(msgspec.Struct, frozen=True, array_like=True):
    """Power of an estimate and the ends of its band, each times time, in microjoules."""

    low_uj: float
    middle_uj: float
    high_uj: float


class ConsumerHour(msgspec.Struct, omit_defaults=True):
    """One container, or what runs in no container, in one hour."""

    container_id: str
    pod_uid: str
    pod: str
    container: str
    namespace: str
    owner_kind: str
    owner_name: str
    labels: dict[str, str]
    """Of the pod, under the names that Prometheus shows."""
    energy_uj: list[int]
    """Dynamic energy by channel. Shorter than the channels where later ones came up after it."""
    cpu_ns: int
    memory_byte_s: int
    gpu_ns: int
    alive_s: float
    request_s: dict[str, float]
    """Resource x seconds."""
    annotations: dict[str, str] = {}
    """Of the pod; agents do not know them."""
    low_uj: list[int] = []
    """Lower end of the band that uncertain weights leave, by channel; empty: as ``energy_uj``."""
    high_uj: list[int] = []
    time_uj: list[int] = []
    """The energy if CPU time were the weight, by channel; empty: as ``energy_uj``."""
    learned_uj: list[int] = []
    """The energy if learned weights were used, by channel; empty: as ``energy_uj``."""

    def reweighed_uj(self, name: str) -> list[int]:
        """Return the field that a name in REWEIGHED is of, by channel, whether or not empty."""
        values: list[int] = getattr(self, name)
        return values or self.energy_uj


class NodeHour(msgspec.Struct, omit_defaults=True):
    """One node in one hour, or in the part of it that one run of its agent saw."""

    hour_s: int
    """Start of the hour, Unix seconds."""
    covered_s: float
    """How much of the hour is known."""
    node: str
    provider_id: str
    instance_type: str
    region: str
    cluster: str
    nested: bool
    """A guest whose host is scraped too."""
    model: str
    """Name and version of the model that estimated; "" where none did."""
    channels: list[HourChannel]
    node_uj: list[ModeEnergy]
    """By channel. The dynamic energy includes what no consumer shows."""
    unattributed_uj: list[int]
    """By channel: dynamic energy while nobody ran."""
    capacity_s: dict[str, float]
    """Resource x seconds."""
    band_uj: dict[str, EstimateBand]
    """By component, where it was estimated."""
    consumers: list[ConsumerHour] = msgspec.field(name="containers")
    shared_by: dict[str, str] = {}
    """By component: what its energy was shared by for the longest time of the hour, ``time``,
    ``cycles``, ``misses`` or ``learned-1``. GPUs are not there, nor is what an older agent saw."""
    held_uj: dict[str, int] = {}
    """By component: dynamic energy that containers do not show yet at the hour's end, less that at
    its beginning. Only a scrape has such; the snapshot of an agent shows births at once."""

    def by_component(self, values: Sequence[int]) -> Iterator[tuple[str, str, int]]:
        """Yield (component, origin, value) of a table, without what overlaps a component."""
        for channel, value in zip(self.channels, values, strict=False):
            if channel.component:
                yield channel.component, channel.origin, value


def shared_longest(times: Mapping[str, Mapping[str, float]]) -> dict[str, str]:
    """Return what the energy of each component was shared by for the longest time.

    Args:
        times: By component, then what its energy was shared by: for how long, in any unit.
    """
    return {
        component: max(sorted(by_name), key=by_name.__getitem__)
        for component, by_name in times.items()
    }
