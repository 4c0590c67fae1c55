"""Series of one node and hour -> what each consumer used: the books of the hour.

Two passes: the node's own series first, because they say when it was scraped and when its agent
began anew; then its containers', each of which is reduced to a few numbers as it comes in.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from wattribute.accounting.ledger import families as fam
from wattribute.accounting.ledger.families import Target, own
from wattribute.accounting.ledger.frame import Frame, Rise, frame_of, held, rise
from wattribute.accounting.promql.matrix import Series
from wattribute.core.units import MICROJOULES_PER_JOULE

Numbers = NDArray[np.float64]
_Joined = tuple[NDArray[np.int64], Numbers]
_MILLIONTHS: Final = 1e6
_NONE: Final = np.zeros(0, np.int64)


@dataclass(frozen=True, slots=True)
class NodeIdentity:
    """Who the node is, in every entry of it."""

    cluster: str
    node: str
    provider_id: str
    instance_type: str
    region: str


@dataclass(slots=True)
class Consumer:
    """One container, or a special row."""

    names: Mapping[str, str] = field(default_factory=dict)
    """Labels of ``wattribute_container_info``, or those of an energy series where there is none."""
    energy_uj: dict[tuple[str, str], int] = field(default_factory=dict)
    """By component and source."""
    cpu_us: int = 0
    gpu_us: int = 0
    memory_byte_s: int = 0
    request_s: dict[str, float] = field(default_factory=dict)
    """Resource x seconds."""
    first: int = -1
    last: int = -1
    """The first and last scrape that showed it."""
    last_sign: int = -1
    """The last scrape in which it used CPU time, or held a reservation."""

    def show(self, labels: Mapping[str, str], first: int, last: int) -> None:
        """It was there in these scrapes; a name that came late is the one that counts."""
        self.first = first if self.last < 0 else min(self.first, first)
        self.last = max(self.last, last)
        if own(labels, "pod_name") or not self.names.get("pod_name"):
            self.names = labels

    def reserve(self, resource: str, amount_s: float, last: int) -> None:
        """It reserved so much until that scrape."""
        self.request_s[resource] = self.request_s.get(resource, 0.0) + amount_s
        self.last_sign = max(self.last_sign, last)

    def use(self, family: str, labels: Mapping[str, str], risen: Rise) -> None:
        """It used so much energy, in microjoules, or time, in microseconds."""
        if family == fam.CPU:
            self.cpu_us += risen.amount
            self.last_sign = max(self.last_sign, risen.last)
        elif family == fam.GPU:
            self.gpu_us += risen.amount
        else:
            key = (fam.ENERGY[family], labels.get("source", ""))
            self.energy_uj[key] = self.energy_uj.get(key, 0) + risen.amount
            self.names = self.names or labels

    def alive_s(self, frame: Frame) -> int:
        """How long it was there: its series linger after its end, without a sign of life."""
        if self.last < 0:
            return 0
        ended = self.last < len(frame.time_ms) - 1 or self.last_sign < 0
        end = self.last_sign if ended else self.last
        return round(float(frame.weight_s[self.first : end + 1].sum())) if end >= 0 else 0


class NodeHour:
    """One node in one hour."""

    def __init__(self, identity: NodeIdentity, hour_s: int) -> None:
        """``hour_s``: the hour's start, Unix seconds."""
        self.identity = identity
        self.hour_s = hour_s
        self.consumers: dict[str, Consumer] = {}
        self.pod_labels: dict[str, tuple[int, Mapping[str, str]]] = {}
        self.pod_annotations: Mapping[str, Mapping[str, str]] = {}
        self.problems: list[str] = []
        self._node: dict[Target, list[Series]] = {}
        self._targets: tuple[Target, ...] = ()
        self._pieces: dict[tuple[tuple[str, str], ...], list[Series]] = {}
        self._frame: Frame | None = None
        self._before: dict[tuple[tuple[str, str], ...], float] = {}

    @property
    def frame(self) -> Frame:
        """The hour's scrapes, once ``settle`` has laid them out."""
        if self._frame is None:
            raise ValueError("settle() comes first")
        return self._frame

    @property
    def covered_s(self) -> int:
        """How much of the hour is known."""
        return self.frame.covered_s

    @property
    def gaps(self) -> tuple[tuple[int, int], ...]:
        """What is not, [start, end) in Unix milliseconds."""
        return self.frame.gaps

    def alive_s(self, consumer: Consumer) -> int:
        """How long a consumer was there."""
        return consumer.alive_s(self.frame)

    # -- first pass: the node ------------------------------------------------------------------

    def add_node_series(self, target: Target, series: Series) -> None:
        """Take a series of ``NODE_FAMILIES``."""
        self._node.setdefault(target, []).append(series)

    def first_scrape_ms(self) -> int | None:
        """The earliest scrape that was taken; None: there is none."""
        times = [
            series.time_ms[0]
            for found in self._node.values()
            for series in found
            if series.labels["__name__"] == fam.NODE_JOULES and len(series.time_ms)
        ]
        return int(min(times)) if times else None

    def settle(self) -> bool:
        """Lay out the scrapes; False: the hour has none.

        A node that is scraped twice at once (two jobs, two Prometheus) is read from the target
        with more scrapes: their clocks may differ, and then sums of both would be wrong. Targets
        that follow each other (the agent's pod got a new address) are one row.
        """
        scrapes = {target: _scrapes(found) for target, found in self._node.items()}
        ranked = sorted(scrapes, key=lambda target: (-len(scrapes[target]), target))
        kept: list[Target] = []
        for target in ranked:
            times = scrapes[target]
            if not len(times):
                continue
            clash = next((one for one in kept if _overlap(scrapes[one], times)), None)
            if clash is None:
                kept.append(target)
            else:
                self.problems.append(f"scraped twice: {_differ(target, clash)} was left out")
        if not kept:
            return False
        time_ms = np.unique(np.concatenate([scrapes[target] for target in kept]))
        hour_ms = self.hour_s * 1000
        before = np.flatnonzero(time_ms <= hour_ms)
        time_ms = time_ms[max(len(before) - 1, 0) :]
        if time_ms[-1] <= hour_ms:
            return False
        self._targets = tuple(kept)
        joules = self._joined(fam.NODE_JOULES).values()
        columns = [_at(time_ms, joined) for joined in joules]
        self._frame = frame_of(time_ms, columns, hour_ms)
        return True

    def _joined(self, family: str) -> dict[tuple[tuple[str, str], ...], _Joined]:
        """The node's series of a family by the agent's own labels; targets one after the other."""
        pieces: dict[tuple[tuple[str, str], ...], list[Series]] = {}
        for target in self._targets:
            for series in self._node[target]:
                if series.labels["__name__"] == family:
                    pieces.setdefault(_own_labels(series, target), []).append(series)
        return {labels: self._begun(labels, _in_order(found)) for labels, found in pieces.items()}

    def came_back(self) -> bool:
        """Tell whether a counter of the node's own is there that was not when the hour began.

        While a meter does not answer, its series end (design section 9, rule 7). They come back
        with their old totals, which are not the hour's: ``remember`` what they were.
        """
        return any(
            joined[1][0] > 0 and not (joined[0] <= self.frame.time_ms[0]).any()
            for family in (fam.NODE_JOULES, fam.UNATTRIBUTED)
            for joined in self._joined(family).values()
        )

    def remember(self, family: str, labels: Mapping[str, str], value: float) -> None:
        """Take the last value of one of the node's counters from before the hour."""
        target = fam.target_of(labels)
        named = Series({**labels, "__name__": family}, _NONE, _NONE.astype(float))
        self._before[_own_labels(named, target)] = value

    def _begun(self, labels: tuple[tuple[str, str], ...], joined: _Joined) -> _Joined:
        """The samples, with what is remembered in the place of a first one that is missing."""
        if self._frame is None or labels not in self._before:
            return joined
        time_ms, values = joined
        start_ms = self._frame.time_ms[0]
        later = time_ms > start_ms
        if not later.all():
            return joined
        return np.insert(time_ms, 0, start_ms), np.insert(values, 0, self._before[labels])

    def node_rises(self, family: str) -> list[tuple[Mapping[str, str], int]]:
        """What the node's counters of a family rose by, in microjoules."""
        return [
            (dict(labels), self._rise(joined, _MILLIONTHS).amount)
            for labels, joined in self._joined(family).items()
        ]

    def held_rises_uj(self) -> dict[str, int]:
        """By component, how much more dynamic energy is held at birth than when the hour began."""
        found: dict[str, int] = {}
        for pairs, joined in self._joined(fam.HELD).items():
            labels = dict(pairs)
            if labels.get("mode") == "dynamic":
                place, values = self._placed(joined)
                change_uj = round(held(self.frame, place, values) * MICROJOULES_PER_JOULE)
                found[labels["component"]] = found.get(labels["component"], 0) + change_uj
        return found

    def integrals(self, family: str) -> list[tuple[Mapping[str, str], float]]:
        """The node's gauges of a family x seconds of the hour."""
        found: list[tuple[Mapping[str, str], float]] = []
        for labels, joined in self._joined(family).items():
            place, values = self._placed(joined)
            found.append((dict(labels), float((values * self.frame.weight_s[place]).sum())))
        return found

    # -- second pass: containers ---------------------------------------------------------------

    @property
    def targets(self) -> tuple[Target, ...]:
        """The targets that are read."""
        return self._targets

    def add_container_series(self, target: Target, series: Series) -> None:
        """Take a series of ``CONTAINER_FAMILIES``."""
        if target not in self._targets:
            return
        if len(self._targets) > 1 or self.frame.time_ms[0] < self.hour_s * 1000 - 600_000:
            self._pieces.setdefault(_own_labels(series, target), []).append(series)
        else:
            self._take(series.labels, (series.time_ms, series.values))

    def close(self) -> None:
        """No more series will come."""
        for pieces in self._pieces.values():
            self._take(pieces[0].labels, _in_order(pieces))
        self._pieces = {}

    def _take(self, labels: Mapping[str, str], joined: _Joined) -> None:
        place, values = self._placed(joined)
        if not len(place):
            return
        family = labels["__name__"]
        if family == fam.POD_LABELS:
            uid, last = labels.get("pod_uid", ""), int(place[-1])
            if uid not in self.pod_labels or self.pod_labels[uid][0] <= last:
                self.pod_labels[uid] = (last, fam.shown_labels(labels, "label_"))
            return
        consumer = self.consumers.setdefault(labels.get("container_id", ""), Consumer())
        if family == fam.CONTAINER_INFO:
            consumer.show(labels, int(place[0]), int(place[-1]))
        elif family == fam.REQUESTS:
            amount = float((values * self.frame.weight_s[place]).sum())
            consumer.reserve(labels.get("resource", ""), amount, int(place[-1]))
        elif family == fam.MEMORY:
            consumer.memory_byte_s += self._rise(joined, 1.0).amount
        else:
            consumer.use(family, labels, self._rise(joined, _MILLIONTHS))

    def _placed(self, joined: _Joined) -> _Joined:
        place, known = self.frame.places(joined[0])
        return place[known], joined[1][known]

    def _rise(self, joined: _Joined, scale: float) -> Rise:
        place, values = self._placed(joined)
        return rise(self.frame, place, np.rint(values * scale).astype(np.int64))


def _scrapes(found: list[Series]) -> NDArray[np.int64]:
    times = [series.time_ms for series in found if series.labels["__name__"] == fam.NODE_JOULES]
    return np.unique(np.concatenate(times)) if times else np.zeros(0, np.int64)


def _overlap(one: NDArray[np.int64], other: NDArray[np.int64]) -> bool:
    return bool(one[0] <= other[-1] and other[0] <= one[-1])


def _own_labels(series: Series, target: Target) -> tuple[tuple[str, str], ...]:
    foreign = {name for name, _ in target}
    return tuple(sorted(pair for pair in series.labels.items() if pair[0] not in foreign))


def _in_order(pieces: list[Series]) -> _Joined:
    if len(pieces) == 1:
        return pieces[0].time_ms, pieces[0].values
    time_ms, first = np.unique(np.concatenate([p.time_ms for p in pieces]), return_index=True)
    return time_ms, np.concatenate([p.values for p in pieces])[first]


def _at(time_ms: NDArray[np.int64], joined: _Joined) -> NDArray[np.int64]:
    """Microjoules at each scrape; -1 where the series has no sample."""
    column = np.full(len(time_ms), -1, np.int64)
    place = np.minimum(np.searchsorted(time_ms, joined[0]), len(time_ms) - 1)
    known = time_ms[place] == joined[0]
    column[place[known]] = np.rint(joined[1][known] * _MILLIONTHS).astype(np.int64)
    return column


def _differ(target: Target, other: Target) -> str:
    return ", ".join(f'{name}="{value}"' for name, value in target if (name, value) not in other)
