"""The node's own series of one hour: when it was scraped, and what its counters did.

They come first, because they say when the node was scraped and when its agent began anew. Its
containers' series are laid over the same scrapes (``container_scrapes``).
"""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from wattribute.accounting.ledger import families as fam
from wattribute.accounting.ledger.families import Labels, Target, own
from wattribute.accounting.ledger.frame import Frame, Rise, frame_of, held, rise
from wattribute.accounting.ledger.samples import (
    NO_SAMPLES,
    OwnLabels,
    ScrapedSamples,
    in_order,
    own_labels,
)
from wattribute.accounting.ledger.schema import ORIGINS, UNKNOWN_ORIGIN
from wattribute.accounting.promql.matrix import SampleSeries
from wattribute.core.units import MICROJOULES_PER_JOULE, MILLISECONDS_PER_SECOND


class NodeScrapes:
    """One node's scrapes in one hour."""

    def __init__(self, hour_s: int, info: Labels) -> None:
        """Begin with no series.

        Args:
            hour_s: the hour's start, Unix seconds.
            info: the labels of the node's ``wattribute_node_info``.
        """
        self.hour_s = hour_s
        self.info = info
        self.problems: list[str] = []
        self.targets: tuple[Target, ...] = ()
        """The targets that are read, once ``settle`` has chosen them."""
        self._series: dict[Target, list[SampleSeries]] = {}
        self._frame: Frame | None = None
        self._before: dict[OwnLabels, float] = {}
        self._origins: dict[tuple[str, str], str] = {}
        """By component and source."""

    @property
    def frame(self) -> Frame:
        """The hour's scrapes, once ``settle`` has laid them out."""
        if self._frame is None:
            raise ValueError("settle() comes first")
        return self._frame

    def add(self, target: Target, series: SampleSeries) -> None:
        """Take a series of the node, or of the row that every agent shows."""
        self._series.setdefault(target, []).append(series)

    def first_scrape_ms(self) -> int | None:
        """Return the earliest scrape that was taken; None: there is none."""
        starts = [times[0] for series in self._series.values() if len(times := _scrapes(series))]
        return int(min(starts)) if starts else None

    def settle(self) -> bool:
        """Lay out the scrapes; False: the hour has none.

        A node that is scraped twice at once (two jobs, two Prometheus) is read from the target
        with more scrapes: their clocks may differ, and then sums of both would be wrong. Targets
        that follow each other (the agent's pod got a new address) are one row.
        """
        scrapes = {target: _scrapes(series) for target, series in self._series.items()}
        ranked = sorted(scrapes, key=lambda target: (-len(scrapes[target]), target))
        kept_targets: list[Target] = []
        for target in ranked:
            times = scrapes[target]
            if not len(times):
                continue
            clash = next((rival for rival in kept_targets if _overlap(scrapes[rival], times)), None)
            if clash is None:
                kept_targets.append(target)
            else:
                self.problems.append(f"scraped twice: {_differ(target, clash)} was left out")
        if not kept_targets:
            return False
        time_ms = np.unique(np.concatenate([scrapes[target] for target in kept_targets]))
        hour_ms = self.hour_s * MILLISECONDS_PER_SECOND
        before = np.flatnonzero(time_ms <= hour_ms)
        time_ms = time_ms[max(len(before) - 1, 0) :]
        if time_ms[-1] <= hour_ms:
            return False
        self.targets = tuple(kept_targets)
        joules = self._joined(fam.NODE_JOULES).values()
        columns = [_at(time_ms, samples) for samples in joules]
        self._frame = frame_of(time_ms, columns, hour_ms)
        self._origins = self._zone_origins()
        return True

    def origin_of(self, component: str, source: str) -> str:
        """Return how the energy of a source is known, for Kepler's families do not say it.

        The node's zones say it. A source with zones of two origins (GPUs with and without a
        counter) gets the weaker word. ``unknown``: no zone of it was scraped in the hour.
        """
        return self._origins.get((component, source), UNKNOWN_ORIGIN)

    def _zone_origins(self) -> dict[tuple[str, str], str]:
        origins: dict[tuple[str, str], str] = {}
        for pairs in self._joined(fam.POWER):
            labels = dict(pairs)
            key = (labels.get("component", ""), labels.get("source", ""))
            origin = labels.get("origin", UNKNOWN_ORIGIN)
            weakest = origins.get(key, ORIGINS[0])
            origins[key] = max(origin, weakest, key=ORIGINS.index)
        return origins

    def own_steps(self) -> NDArray[np.bool_]:
        """Return (scrapes,) True where our own family of containers speaks for the rise up to it.

        It does where both that scrape and the one before have it. In an hour in which the agent
        was upgraded from 0.1, the scrapes before have Kepler's names alone, and the first one
        after it shows totals that are older than the family.
        """
        return self._steps(self._joined(fam.CONTAINER_JOULES).values())

    def reweighed_steps(self) -> dict[str, dict[str, NDArray[np.bool_]]]:
        """Return the same for each name in REWEIGHED and component that has series of its own.

        Up to other scrapes, energy by other weights rose as the energy did. Such series come and go
        with the weight in use, and then begin at totals that are older than the hour.
        """
        series: dict[str, dict[str, list[ScrapedSamples]]] = {}
        for family in fam.REWEIGHED_JOULES:
            for pairs, samples in self._joined(family).items():
                labels = dict(pairs)
                if name := fam.reweighed_name(labels):
                    by_component = series.setdefault(name, {})
                    by_component.setdefault(own(labels, "component"), []).append(samples)
        return {
            name: {component: self._steps(every) for component, every in by_component.items()}
            for name, by_component in series.items()
        }

    def _steps(self, series: Iterable[ScrapedSamples]) -> NDArray[np.bool_]:
        """Return (scrapes,) True where both that scrape and the one before have some series."""
        there = np.zeros(len(self.frame.time_ms), np.bool_)
        for samples in series:
            there[self.placed(samples)[0]] = True
        steps = there.copy()
        steps[1:] &= there[:-1]
        return steps

    def came_back(self) -> bool:
        """Tell whether a counter of the node's own is there that was not when the hour began.

        While a meter does not answer, its series end (design section 9, rule 7). They come back
        with their old totals, which are not the hour's: ``remember`` what they were.
        """
        return any(
            samples.values[0] > 0 and not (samples.time_ms[0] <= self.frame.time_ms[0]).any()
            for family in (fam.NODE_JOULES, fam.UNATTRIBUTED)
            for samples in self._joined(family).values()
        )

    def remember(self, family: str, labels: Labels, value: float) -> None:
        """Take the last value of one of the node's counters from before the hour."""
        series = SampleSeries({**labels, "__name__": family}, *NO_SAMPLES)
        self._before[own_labels(series, fam.target_of(labels))] = value

    def rises_uj(self, family: str) -> list[tuple[Labels, int]]:
        """Return what the node's counters of a family rose by, in microjoules."""
        return [
            (dict(labels), self.rise(samples, MICROJOULES_PER_JOULE).amount)
            for labels, samples in self._joined(family).items()
        ]

    def held_rises_uj(self) -> dict[str, int]:
        """By component, how much more dynamic energy is held at birth than when the hour began."""
        changes: dict[str, int] = {}
        for pairs, samples in self._joined(fam.HELD).items():
            labels = dict(pairs)
            if labels.get("mode") == "dynamic":
                place, values = self.placed(samples)
                change_uj = round(held(self.frame, place, values) * MICROJOULES_PER_JOULE)
                changes[labels["component"]] = changes.get(labels["component"], 0) + change_uj
        return changes

    def integrals(self, family: str) -> list[tuple[Labels, float]]:
        """Return the node's gauges of a family x seconds of the hour."""
        return [
            (dict(labels), self.integral(samples))
            for labels, samples in self._joined(family).items()
        ]

    def integral(self, samples: ScrapedSamples) -> float:
        """Return a gauge x seconds of the hour."""
        place, values = self.placed(samples)
        return float((values * self.frame.weight_s[place]).sum())

    def placed(self, samples: ScrapedSamples) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Return the scrapes of samples, and the values of those that are of one."""
        place, is_scrape = self.frame.places(samples.time_ms)
        return place[is_scrape], samples.values[is_scrape]

    def rise(
        self, samples: ScrapedSamples, scale: float, counted: NDArray[np.bool_] | None = None
    ) -> Rise:
        """Return what a counter did in the hour, in parts of its unit, ``scale`` of which are one.

        ``counted`` are the scrapes of which a rise up to them counts; None: all.
        """
        place, values = self.placed(samples)
        return rise(self.frame, place, np.rint(values * scale).astype(np.int64), counted)

    def _joined(self, family: str) -> dict[OwnLabels, ScrapedSamples]:
        """Return the series of a family by the agent's own labels; targets one after the other."""
        pieces: dict[OwnLabels, list[SampleSeries]] = {}
        for target in self.targets:
            for series in self._series[target]:
                if series.labels["__name__"] == family:
                    pieces.setdefault(own_labels(series, target), []).append(series)
        return {
            labels: self._from_start(labels, in_order(parts)) for labels, parts in pieces.items()
        }

    def _from_start(self, labels: OwnLabels, samples: ScrapedSamples) -> ScrapedSamples:
        """Return samples, with what is remembered in the place of a first one that is missing."""
        if self._frame is None or labels not in self._before:
            return samples
        start_ms = self._frame.time_ms[0]
        if not (samples.time_ms > start_ms).all():
            return samples
        return ScrapedSamples(
            np.insert(samples.time_ms, 0, start_ms),
            np.insert(samples.values, 0, self._before[labels]),
        )


def _scrapes(every: list[SampleSeries]) -> NDArray[np.int64]:
    times = [series.time_ms for series in every if series.labels["__name__"] == fam.NODE_JOULES]
    return np.unique(np.concatenate(times)) if times else np.zeros(0, np.int64)


def _overlap(times: NDArray[np.int64], rival_times: NDArray[np.int64]) -> bool:
    return bool(times[0] <= rival_times[-1] and rival_times[0] <= times[-1])


def _at(time_ms: NDArray[np.int64], samples: ScrapedSamples) -> NDArray[np.int64]:
    """Return microjoules at each scrape; -1 where the series has no sample."""
    column = np.full(len(time_ms), -1, np.int64)
    place = np.minimum(np.searchsorted(time_ms, samples.time_ms), len(time_ms) - 1)
    is_scrape = time_ms[place] == samples.time_ms
    column[place[is_scrape]] = np.rint(samples.values[is_scrape] * MICROJOULES_PER_JOULE).astype(
        np.int64
    )
    return column


def _differ(target: Target, rival: Target) -> str:
    return ", ".join(f'{name}="{value}"' for name, value in target if (name, value) not in rival)
