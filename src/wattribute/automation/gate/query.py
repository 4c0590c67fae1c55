"""What pods used, asked of Prometheus: a load test in a cluster, cut into runs of equal length.

Raw samples are subtracted, never ``increase()``, which extrapolates. Between two samples a counter
is taken to rise evenly, so that runs add up to the whole however scrapes fall.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from wattribute.accounting.promql.client import Prometheus
from wattribute.automation.gate.series import Series
from wattribute.core.counters import rises
from wattribute.core.errors import ConfigInvalid, DataInvalid
from wattribute.core.units import MICROJOULES_PER_JOULE, MICROJOULES_PER_KWH

_FAMILIES: Final = {"package": "cpu", "dram": "dram", "other": "other", "gpu": "gpu"}
"""Kepler's kinds that do not overlap, and our names of the components."""
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
_ESTIMATED: Final = "trained_power_model"
_COUNTERS: Final = frozenset({"rapl-sysfs", "nvml", "amdsmi", "drm", ""})
"""Sources that count energy; of the others power is integrated."""


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
class _Rise:
    """One counter's rise since its first sample, resets taken out."""

    component: str
    source: str
    node: str
    at_s: NDArray[np.float64]
    joules: NDArray[np.float64]

    def at(self, edges_s: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.interp(edges_s, self.at_s, self.joules)


def ask(prometheus: Prometheus, question: Question) -> Series:
    """The runs.

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
    rises = [
        rise
        for kind, component in _FAMILIES.items()
        for rise in _rises(
            prometheus, question, f"kepler_container_{kind}_joules_total", component, matchers
        )
    ]
    if not rises:
        raise DataInvalid(
            f"{prometheus.name}: no samples in that time of "
            f"kepler_container_*_joules_total{{{','.join(matchers)}}}; is the agent scraped?"
        )
    edges_s = np.linspace(question.start_s, question.end_s, question.runs + 1)
    gap_s = _check_gaps(rises, edges_s)
    components = {
        name: sum((r.at(edges_s) for r in rises if r.component == name), np.zeros(len(edges_s)))
        for name in sorted({rise.component for rise in rises})
    }
    whole = sum(components.values(), np.zeros(len(edges_s)))
    if whole[-1] <= whole[0]:
        raise DataInvalid(f"{prometheus.name}: {question.selector}: used no energy in that time")
    nodes = sorted({rise.node for rise in rises})
    return Series(
        name=question.name,
        at=datetime.fromtimestamp(question.end_s, UTC).isoformat(timespec="seconds"),
        origin=_origin(rises),
        key={
            "asked": "prometheus, " + ("dynamic and idle" if question.idle else "dynamic"),
            "cpu": _cpus(prometheus, question.end_s, nodes),
            "meters": _meters(rises),
            "run_s": f"{edges_s[1] - edges_s[0]:.0f}",
        },
        runs=tuple(
            _figures(question, rises, window_s, gap_s) for window_s in pairwise(edges_s.tolist())
        ),
        components={
            name: float(joules[-1] - joules[0]) / question.runs
            for name, joules in components.items()
        },
        notes=("runs are parts of one window: what one leaves behind is in the next",),
    )


def translated(selector: str) -> Iterator[str]:
    """The matchers, with the labels' names as they are on Kepler's families.

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
    """Unix time of ``2026-01-31T12:00:00Z`` (without a zone: UTC), or of itself.

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


def _rises(
    prometheus: Prometheus, question: Question, family: str, component: str, matchers: Sequence[str]
) -> Iterator[_Rise]:
    start_s, end_s = question.start_s - _BEFORE_S, question.end_s + _AFTER_S
    for found in prometheus.raw(f"{family}{{{','.join(matchers)}}}", start_s, end_s):
        if not len(found.values):
            continue
        yield _Rise(
            component,
            found.labels.get("source", ""),
            found.labels.get("instance", ""),
            found.time_ms / 1000,
            np.concatenate([[0.0], np.cumsum(rises(found.values))]),
        )


def _check_gaps(rises: Sequence[_Rise], edges_s: NDArray[np.float64]) -> float:
    """The usual time between two samples.

    Raises:
        DataInvalid: for a whole run there are none.
    """
    at_s = np.unique(np.concatenate([rise.at_s for rise in rises]))
    for run, (start_s, end_s) in enumerate(pairwise(edges_s), 1):
        if not ((at_s >= start_s) & (at_s <= end_s)).any():
            raise DataInvalid(
                f"no sample in run {run} ({end_s - start_s:.0f} s long): fewer --runs, a longer "
                "window, or look why nothing was scraped then"
            )
    gaps = [np.median(np.diff(rise.at_s)) for rise in rises if len(rise.at_s) > 1]
    return float(max(1.0, np.median(gaps))) if gaps else float(edges_s[1] - edges_s[0])


def _figures(
    question: Question, rises: Sequence[_Rise], window_s: tuple[float, float], gap_s: float
) -> dict[str, float]:
    start_s, end_s = window_s
    elapsed_s = end_s - start_s
    steps = max(1, int(elapsed_s // gap_s))
    grid_s = np.linspace(start_s, end_s, steps + 1)
    line = sum((rise.at(grid_s) for rise in rises), np.zeros(len(grid_s)))
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


def _origin(rises: Sequence[_Rise]) -> str:
    sources = {rise.source for rise in rises if rise.joules[-1] > 0}
    if _ESTIMATED in sources:
        return "estimated"
    return "measured" if sources <= _COUNTERS else "integrated"


def _meters(rises: Sequence[_Rise]) -> str:
    found = sorted({(rise.component, rise.source) for rise in rises if rise.joules[-1] > 0})
    return " ".join(f"{component}={source}" for component, source in found)


def _cpus(prometheus: Prometheus, at_s: float, nodes: Sequence[str]) -> str:
    """Generations of the CPUs of those nodes."""
    one_of = "|".join(re.escape(node) for node in nodes).replace("\\", "\\\\").replace('"', '\\"')
    rows = prometheus.vector(f'kepler_node_info{{instance=~"{one_of}"}}', at_s)
    return "+".join(sorted({labels.get("cpu_architecture", "") for labels, _ in rows})) or "unknown"
