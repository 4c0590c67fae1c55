"""The scrapes of one node in one hour -> the record that a spool would have of it."""

from collections.abc import Mapping, Sequence

from wattribute.accounting.ledger import families as fam
from wattribute.accounting.ledger.container_scrapes import ContainerScrapes
from wattribute.accounting.ledger.families import own
from wattribute.accounting.ledger.node_scrapes import NodeScrapes
from wattribute.accounting.ledger.reading import HourReading
from wattribute.core.records import (
    ConsumerHour,
    EstimateBand,
    HourChannel,
    ModeEnergy,
    NodeHour,
    shared_longest,
)
from wattribute.core.units import MICROJOULES_PER_JOULE

Annotations = Mapping[str, Mapping[str, str]]
"""Of pods, by uid."""


def reading_of(
    cluster: str,
    node: str,
    scrapes: NodeScrapes,
    containers: ContainerScrapes,
    annotations: Annotations,
) -> HourReading:
    """Return the hour of a node.

    Args:
        cluster: the cluster that the node is in.
        node: its name.
        scrapes: the node's own series, settled.
        containers: its containers' series, closed.
        annotations: the annotations of pods.
    """
    energy_uj: dict[HourChannel, ModeEnergy] = {}
    for labels, amount_uj in scrapes.rises_uj(fam.NODE_JOULES):
        channel = _channel(labels)
        dynamic_uj, idle_uj = _modes(energy_uj.get(channel))
        if own(labels, "mode") == "idle":
            energy_uj[channel] = ModeEnergy(dynamic_uj, idle_uj + amount_uj)
        else:
            energy_uj[channel] = ModeEnergy(dynamic_uj + amount_uj, idle_uj)
    unattributed_uj: dict[HourChannel, int] = {}
    for labels, amount_uj in scrapes.rises_uj(fam.UNATTRIBUTED):
        unattributed_uj[_channel(labels)] = amount_uj
    channels = dict.fromkeys((*energy_uj, *unattributed_uj))
    for consumer in containers.consumers.values():
        channels.update(dict.fromkeys(consumer.energy_uj))
    hour = NodeHour(
        hour_s=scrapes.hour_s,
        covered_s=float(scrapes.frame.weight_s.sum()),
        cluster=cluster,
        node=node,
        provider_id=own(scrapes.info, "provider_id"),
        instance_type=own(scrapes.info, "instance_type"),
        region=own(scrapes.info, "region"),
        nested=False,
        model=_model(scrapes),
        channels=list(channels),
        node_uj=[energy_uj.get(channel, ModeEnergy(0, 0)) for channel in channels],
        unattributed_uj=[unattributed_uj.get(channel, 0) for channel in channels],
        capacity_s={
            labels.get("resource", ""): amount for labels, amount in scrapes.integrals(fam.CAPACITY)
        },
        band_uj=_bands(scrapes),
        consumers=[
            _consumer(container_id, list(channels), containers, annotations)
            for container_id in containers.consumers
        ],
        shared_by=_shared_by(scrapes),
        held_uj=scrapes.held_rises_uj(),
    )
    return HourReading(hour, scrapes.frame.gaps, scrapes.problems)


def _channel(labels: Mapping[str, str]) -> HourChannel:
    return HourChannel(labels.get("component", ""), "", labels.get("origin", ""))


def _modes(energy: ModeEnergy | None) -> tuple[int, int]:
    return (energy.dynamic_uj, energy.idle_uj) if energy else (0, 0)


def _model(scrapes: NodeScrapes) -> str:
    """Return the name and version of the model that estimated last; "" where none did."""
    models = scrapes.integrals(fam.ESTIMATOR)
    labels = models[-1][0] if models else {}
    return f"{labels.get('model', '')} {labels.get('version', '')}".strip()


def _shared_by(scrapes: NodeScrapes) -> dict[str, str]:
    times_s: dict[str, dict[str, float]] = {}
    for labels, time_s in scrapes.integrals(fam.WEIGHT_INFO):
        if component := own(labels, "component"):
            by_name = times_s.setdefault(component, {})
            shared_by = own(labels, "shared_by")
            by_name[shared_by] = by_name.get(shared_by, 0.0) + time_s
    return shared_longest(times_s)


def _bands(scrapes: NodeScrapes) -> dict[str, EstimateBand]:
    """Return the band of the estimates by component, in microjoules."""
    low_j, middle_j, high_j = (
        _estimated_j(scrapes, family) for family in (fam.POWER_LOW, fam.POWER, fam.POWER_HIGH)
    )
    return {
        component: EstimateBand(
            low_j.get(component, 0.0) * MICROJOULES_PER_JOULE,
            middle_j.get(component, 0.0) * MICROJOULES_PER_JOULE,
            amount_j * MICROJOULES_PER_JOULE,
        )
        for component, amount_j in high_j.items()
    }


def _estimated_j(scrapes: NodeScrapes, family: str) -> dict[str, float]:
    """Return a gauge of estimated zones x time by component, in joules."""
    sums: dict[str, float] = {}
    for labels, amount_j in scrapes.integrals(family):
        component = labels.get("component", "")
        if component and labels.get("origin") == "estimated":
            sums[component] = sums.get(component, 0.0) + amount_j
    return sums


def _consumer(
    container_id: str,
    channels: Sequence[HourChannel],
    containers: ContainerScrapes,
    annotations: Annotations,
) -> ConsumerHour:
    consumer = containers.consumers[container_id]
    names = consumer.names
    uid = own(names, "pod_uid") or container_id.removeprefix("ended-")
    return ConsumerHour(
        container_id=container_id,
        pod_uid=own(names, "pod_uid"),
        pod=own(names, "pod_name"),
        container=own(names, "container_name"),
        namespace=own(names, "container_namespace"),
        owner_kind=own(names, "owner_kind"),
        owner_name=own(names, "owner_name"),
        labels=dict(containers.labels_of(uid)),
        annotations=dict(annotations.get(uid, {})),
        energy_uj=[consumer.energy_uj.get(channel, 0) for channel in channels],
        cpu_ns=consumer.cpu_ns,
        memory_byte_s=consumer.memory_byte_s,
        gpu_ns=consumer.gpu_ns,
        alive_s=consumer.alive_s(containers.frame),
        request_s=consumer.request_s,
        **{
            name: [amounts_uj.get(channel, 0) for channel in channels]
            for name, amounts_uj in consumer.reweighed_uj.items()
        },
    )
