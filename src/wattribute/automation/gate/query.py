"""What pods used, asked of Prometheus: a load test in a cluster, cut into runs of equal length.

Raw samples are subtracted, never ``increase()``, which extrapolates. Between two samples a counter
is taken to rise evenly, so that runs add up to the whole however scrapes fall.
"""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from wattribute.accounting.promql.client import Prometheus
from wattribute.automation.gate.series import RunSeries
from wattribute.core.counters import risen_until, rises
from wattribute.core.errors import ConfigInvalid, DataInvalid
from wattribute.core.units import (
    MICROJOULES_PER_JOULE,
    MICROJOULES_PER_KWH,
    MILLISECONDS_PER_SECOND,
)

_FAMILY: Final = "wattribute_container_joules_total"
_ZONES: Final = "wattribute_zone_power_watts"
_LABELS: Final = {
    "namespace": "container_namespace",
    "pod": "pod_name",
    "container": "container_name",
}
"""What people call them; on the scraped series these names are the agent's own pod."""
_MATCHER: Final = re.compile(r'\s*([A-Za-z_]\w*)\s*(=~|!~|!=|=)\s*("(?:[^"\\]|\\.)*")\s*(?:,|$)')
_BEFORE_S: Final = 300.0
_AFTER_S: Final = 60.0
"""So far beyond the window samples are looked for, to know the counters at its edges."""
_RANK: Final = {"measured": 0, "integrated": 1, "estimated": 2}
"""How well energy is known by its origin; any other word is weaker."""


@dataclass(frozen=True, slots=True)
class Question:
    """Whose energy, and when."""

    name: str
    selector: str
    """Label matchers: ``namespace="ci",pod=~"load-.*"``."""
    start_s: float
    end_s: float
    """Unix time."""
    runs: int
    """Parts of equal length."""
    idle: bool = False
    """With the pods' part of the floor."""
    g_per_kwh: float | None = None
    units: float | None = None
    """Units of work in the whole window."""


@dataclass(frozen=True, slots=True)
class _EnergyCounter:
    """The samples of one series."""

    component: str
    origin: str
    instance: str
    """The agent that was scraped."""
    at_s: NDArray[np.float64]
    joules: NDArray[np.float64]

    def risen_until(self, instants_s: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the joules since the first sample, at each instant."""
        return risen_until(self.at_s, self.joules, instants_s)

    @property
    def is_used(self) -> bool:
        """Whether it rose at all."""
        return bool(rises(self.joules).sum() > 0)


def ask(prometheus: Prometheus, question: Question) -> RunSeries:
    """Return the runs.

    Raises:
        ConfigInvalid: the selector or the window is wrong.
        DataInvalid: there are no samples, or not all the time.
        SourceFailed: Prometheus does not answer.
    """
    if question.end_s <= question.start_s:
        raise ConfigInvalid("--from must be before --to")
    matchers = [*translated(question.selector)]
    if not question.idle:
        matchers.append('mode="dynamic"')
    counters = list(_counters(prometheus, question, matchers))
    if not counters:
        raise DataInvalid(
            f"{prometheus.name}: no samples in that time of {_FAMILY}{{{','.join(matchers)}}}: "
            "check the selector, and that Prometheus scrapes the agents (those of 0.1 do not have "
            "this family)"
        )
    edges_s = np.linspace(question.start_s, question.end_s, question.runs + 1)
    gap_s = _check_gaps(counters, edges_s)
    components = {
        name: sum(
            (counter.risen_until(edges_s) for counter in counters if counter.component == name),
            np.zeros(len(edges_s)),
        )
        for name in sorted({counter.component for counter in counters})
    }
    whole = sum(components.values(), np.zeros(len(edges_s)))
    if whole[-1] <= whole[0]:
        raise DataInvalid(f"{prometheus.name}: {question.selector}: used no energy in that time")
    nodes = _one_of(sorted({counter.instance for counter in counters}))
    return RunSeries(
        name=question.name,
        at=datetime.fromtimestamp(question.end_s, UTC).isoformat(timespec="seconds"),
        origin=_origin(counters),
        key={
            "asked": "prometheus, " + ("dynamic and idle" if question.idle else "dynamic"),
            "cpu": _cpus(prometheus, question.end_s, nodes),
            "meters": _meters(prometheus, question.end_s, nodes, counters),
            "run_s": f"{edges_s[1] - edges_s[0]:.0f}",
        },
        runs=tuple(
            _figures(question, counters, window_s, gap_s) for window_s in pairwise(edges_s.tolist())
        ),
        components={
            name: float(joules[-1] - joules[0]) / question.runs
            for name, joules in components.items()
        },
        notes=("runs are parts of one window: what one leaves behind is in the next",),
    )


def translated(selector: str) -> Iterator[str]:
    """Yield the matchers, with the labels' names as they are on the exported family.

    Raises:
        ConfigInvalid: it is no list of matchers.
    """
    text = selector.strip().removeprefix("{").removesuffix("}")
    place = 0
    while place < len(text):
        match = _MATCHER.match(text, place)
        if match is None:
            raise ConfigInvalid(
                f"--selector {selector!r}: not a list of matchers at {text[place:]!r}; it must be "
                'like namespace="ci",pod=~"load-.*"'
            )
        yield f"{_LABELS.get(match[1], match[1])}{match[2]}{match[3]}"
        place = match.end()


def when(text: str, flag: str) -> float:
    """Return the Unix time of ``2026-01-31T12:00:00Z`` (without a zone: UTC), or of itself.

    Raises:
        ConfigInvalid: it is neither.
    """
    try:
        return float(text)
    except ValueError:
        pass
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise ConfigInvalid(
            f"{flag} {text!r}: must be a time like 2026-01-31T12:00:00Z, or Unix seconds"
        ) from None
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()


def _counters(
    prometheus: Prometheus, question: Question, matchers: Sequence[str]
) -> Iterator[_EnergyCounter]:
    start_s, end_s = question.start_s - _BEFORE_S, question.end_s + _AFTER_S
    for series in prometheus.raw(f"{_FAMILY}{{{','.join(matchers)}}}", start_s, end_s):
        if len(series.values):
            yield _EnergyCounter(
                series.labels.get("component", ""),
                series.labels.get("origin", ""),
                series.labels.get("instance", ""),
                series.time_ms / MILLISECONDS_PER_SECOND,
                series.values,
            )


def _check_gaps(counters: Sequence[_EnergyCounter], edges_s: NDArray[np.float64]) -> float:
    """Return the usual time between two samples.

    Raises:
        DataInvalid: for a whole run there are none.
    """
    at_s = np.unique(np.concatenate([counter.at_s for counter in counters]))
    for run, (start_s, end_s) in enumerate(pairwise(edges_s), 1):
        if not ((at_s >= start_s) & (at_s <= end_s)).any():
            raise DataInvalid(
                f"no sample in run {run} ({end_s - start_s:.0f} s long): fewer --runs, a longer "
                "window, or look why nothing was scraped then"
            )
    gaps = [np.median(np.diff(counter.at_s)) for counter in counters if len(counter.at_s) > 1]
    return float(max(1.0, np.median(gaps))) if gaps else float(edges_s[1] - edges_s[0])


def _figures(
    question: Question,
    counters: Sequence[_EnergyCounter],
    window_s: tuple[float, float],
    gap_s: float,
) -> dict[str, float]:
    start_s, end_s = window_s
    elapsed_s = end_s - start_s
    steps = max(1, int(elapsed_s // gap_s))
    grid_s = np.linspace(start_s, end_s, steps + 1)
    line = sum((counter.risen_until(grid_s) for counter in counters), np.zeros(len(grid_s)))
    energy_j = float(line[-1] - line[0])
    figures = {
        "energy_j": energy_j,
        "elapsed_s": elapsed_s,
        "power_w_mean": energy_j / elapsed_s,
        "power_w_peak": float(np.diff(line).max()) * steps / elapsed_s,
        "edp": energy_j * elapsed_s,
    }
    if question.g_per_kwh is not None:
        kwh = energy_j * MICROJOULES_PER_JOULE / MICROJOULES_PER_KWH
        figures["co2e_g"] = kwh * question.g_per_kwh
    if question.units is not None:
        figures["energy_per_unit"] = energy_j / (question.units / question.runs)
    return figures


def _origin(counters: Sequence[_EnergyCounter]) -> str:
    """Return how the energy is known; of several origins the weakest."""
    origins = {counter.origin for counter in counters if counter.is_used}
    return max(origins, key=lambda origin: _RANK.get(origin, len(_RANK)))


def _meters(
    prometheus: Prometheus, at_s: float, nodes: str, counters: Sequence[_EnergyCounter]
) -> str:
    """Return the meters of the nodes that fed the energy: ``cpu=rapl-sysfs dram=rapl-sysfs``."""
    used = {(counter.component, counter.origin) for counter in counters if counter.is_used}
    query = f"group by (component, source, origin) ({_ZONES}{{instance=~{nodes}}})"
    rows = [labels for labels, _ in prometheus.vector(query, at_s)]
    meters = {
        (row["component"], row.get("source", ""))
        for row in rows
        if (row.get("component", ""), row.get("origin", "")) in used
    }
    return " ".join(f"{component}={source}" for component, source in sorted(meters)) or "unknown"


def _cpus(prometheus: Prometheus, at_s: float, nodes: str) -> str:
    """Return the generations of the nodes' CPUs, which one of Kepler's families alone says."""
    rows = prometheus.vector(f"kepler_node_info{{instance=~{nodes}}}", at_s)
    return "+".join(sorted({labels.get("cpu_architecture", "") for labels, _ in rows})) or "unknown"


def _one_of(instances: Sequence[str]) -> str:
    """Return a quoted pattern that matches these addresses and no other."""
    return json.dumps("|".join(re.escape(instance) for instance in instances))
