"""The series of one node's containers in one hour, laid over the scrapes of the node.

Each series is reduced to a few numbers as it comes in: an hour of a node has thousands.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from wattribute.accounting.ledger import families as fam
from wattribute.accounting.ledger.families import Labels, Target, own
from wattribute.accounting.ledger.frame import Frame, Rise
from wattribute.accounting.ledger.node_scrapes import NodeScrapes
from wattribute.accounting.ledger.samples import OwnLabels, ScrapedSamples, in_order, own_labels
from wattribute.accounting.promql.matrix import SampleSeries
from wattribute.core.records import HourChannel
from wattribute.core.units import (
    MICROJOULES_PER_JOULE,
    MICROSECONDS_PER_SECOND,
    MILLISECONDS_PER_SECOND,
    NANOSECONDS_PER_MICROSECOND,
)

_LATE_MS = 600_000
"""A first scrape this long before the hour was looked up by itself: its series come in pieces."""


@dataclass(slots=True)
class ScrapedConsumer:
    """What the scrapes say of one container, or of a special row."""

    names: Labels = field(default_factory=dict)
    """Labels of ``wattribute_container_info``, or those of an energy series where there is none."""
    energy_uj: dict[HourChannel, int] = field(default_factory=dict)
    reweighed_uj: dict[str, dict[HourChannel, int]] = field(default_factory=dict)
    """By the names in REWEIGHED that the node shows."""
    cpu_ns: int = 0
    gpu_ns: int = 0
    memory_byte_s: int = 0
    request_s: dict[str, float] = field(default_factory=dict)
    """Resource x seconds."""
    first: int = -1
    last: int = -1
    """The first and last scrape that showed it; -1: none has."""
    last_sign: int = -1
    """The last scrape in which it used CPU time, or held a reservation."""

    def show(self, labels: Labels, first: int, last: int) -> None:
        """Take the scrapes that showed it; a name that came late is the one that counts."""
        self.first = first if self.last < 0 else min(self.first, first)
        self.last = max(self.last, last)
        if own(labels, "pod_name") or not self.names.get("pod_name"):
            self.names = labels

    def reserve(self, resource: str, amount_s: float, last: int) -> None:
        """Take what it reserved until that scrape."""
        self.request_s[resource] = self.request_s.get(resource, 0.0) + amount_s
        self.last_sign = max(self.last_sign, last)

    def use_cpu(self, microseconds: Rise) -> None:
        """Take CPU time."""
        self.cpu_ns += microseconds.amount * NANOSECONDS_PER_MICROSECOND
        self.last_sign = max(self.last_sign, microseconds.last)

    def use_energy(self, channel: HourChannel, labels: Labels, amount_uj: int) -> None:
        """Take dynamic energy of a channel."""
        self.energy_uj[channel] = self.energy_uj.get(channel, 0) + amount_uj
        self.names = self.names or labels

    def reweigh(self, name: str, channel: HourChannel, amount_uj: int) -> None:
        """Take energy by another weight, or an end of the band."""
        amounts = self.reweighed_uj.setdefault(name, {})
        amounts[channel] = amounts.get(channel, 0) + amount_uj

    def alive_s(self, frame: Frame) -> float:
        """Return how long it was there: its series linger after its end, without a sign of life."""
        if self.last < 0:
            return 0.0
        ended = self.last < len(frame.time_ms) - 1 or self.last_sign < 0
        end = self.last_sign if ended else self.last
        return float(frame.weight_s[self.first : end + 1].sum()) if end >= 0 else 0.0


class ContainerScrapes:
    """The containers of one node in one hour."""

    def __init__(self, node: NodeScrapes) -> None:
        """Begin with no series; the node's scrapes are settled."""
        self._node = node
        self.frame = node.frame
        self._own_steps = node.own_steps()
        self._reweighed_steps = node.reweighed_steps()
        self._pieces: dict[OwnLabels, list[SampleSeries]] = {}
        self._pod_labels: dict[str, tuple[int, Mapping[str, str]]] = {}
        """By pod uid; the number is the last scrape that showed them."""
        self.consumers: dict[str, ScrapedConsumer] = {}
        """By container_id."""
        self.shows_energy = False
        """Whether a family of energy is among the series at all."""

    def add(self, target: Target, series: SampleSeries) -> None:
        """Take a series of ``CONTAINER_FAMILIES`` or ``KEPLER_JOULES``."""
        if target not in self._node.targets:
            return
        self.shows_energy |= series.labels["__name__"] in fam.CONTAINER_ENERGY
        looked_up = self.frame.time_ms[0] < self._node.hour_s * MILLISECONDS_PER_SECOND - _LATE_MS
        if len(self._node.targets) > 1 or looked_up:
            self._pieces.setdefault(own_labels(series, target), []).append(series)
        else:
            self._take(series.labels, in_order([series]))

    def close(self) -> None:
        """Take what came in pieces: no more series will come."""
        for pieces in self._pieces.values():
            self._take(pieces[0].labels, in_order(pieces))
        self._pieces = {}

    def labels_of(self, pod_uid: str) -> Mapping[str, str]:
        """Return a pod's labels as they were shown last."""
        return self._pod_labels.get(pod_uid, (0, {}))[1]

    def _take(self, labels: Labels, samples: ScrapedSamples) -> None:
        place, _ = self._node.placed(samples)
        if not len(place):
            return
        first, last = int(place[0]), int(place[-1])
        family = labels["__name__"]
        if family == fam.POD_LABELS:
            uid = labels.get("pod_uid", "")
            if uid not in self._pod_labels or self._pod_labels[uid][0] <= last:
                self._pod_labels[uid] = (last, fam.shown_labels(labels, "label_"))
            return
        consumer = self.consumers.setdefault(labels.get("container_id", ""), ScrapedConsumer())
        if family == fam.CONTAINER_INFO:
            consumer.show(labels, first, last)
        elif family == fam.REQUESTS:
            resource = labels.get("resource", "")
            consumer.reserve(resource, self._node.integral(samples), last)
        elif family == fam.MEMORY:
            consumer.memory_byte_s += self._node.rise(samples, 1).amount
        elif family == fam.CPU:
            consumer.use_cpu(self._node.rise(samples, MICROSECONDS_PER_SECOND))
        elif family == fam.GPU:
            microseconds = self._node.rise(samples, MICROSECONDS_PER_SECOND).amount
            consumer.gpu_ns += microseconds * NANOSECONDS_PER_MICROSECOND
        elif family in fam.REWEIGHED_JOULES:
            self._take_reweighed(consumer, labels, samples)
        else:
            self._take_energy(consumer, labels, samples)

    def _take_energy(
        self, consumer: ScrapedConsumer, labels: Labels, samples: ScrapedSamples
    ) -> None:
        """Take energy under our own name, or under one of Kepler's where ours was not scraped."""
        family = labels["__name__"]
        if family == fam.CONTAINER_JOULES:
            channel = HourChannel(own(labels, "component"), "", own(labels, "origin"))
            counted = self._own_steps
        else:
            component, source = fam.KEPLER_JOULES[family], own(labels, "source")
            channel = HourChannel(component, source, self._node.origin_of(component, source))
            counted = ~self._own_steps
        risen = self._node.rise(samples, MICROJOULES_PER_JOULE, counted)
        consumer.use_energy(channel, labels, risen.amount)
        for name, steps in self._reweighed_steps.items():
            as_energy = risen
            if channel.component in steps:
                rest = counted & ~steps[channel.component]
                as_energy = self._node.rise(samples, MICROJOULES_PER_JOULE, rest)
            consumer.reweigh(name, channel, as_energy.amount)

    def _take_reweighed(
        self, consumer: ScrapedConsumer, labels: Labels, samples: ScrapedSamples
    ) -> None:
        """Take energy by another weight, as far as the node shows it for the component."""
        name = fam.reweighed_name(labels)
        channel = HourChannel(own(labels, "component"), "", own(labels, "origin"))
        steps = self._reweighed_steps.get(name, {}).get(channel.component)
        if steps is not None:
            amount = self._node.rise(samples, MICROJOULES_PER_JOULE, steps).amount
            consumer.reweigh(name, channel, amount)
