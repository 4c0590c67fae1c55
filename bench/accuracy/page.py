"""From results to docs/reference/accuracy.md."""

import textwrap
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from statistics import mean, median
from string import Template
from typing import Final

from bench.accuracy.chart import render_chart
from bench.accuracy.methods import METHODS
from bench.accuracy.results import Conditions, Measured, Played, Results, Summary
from bench.accuracy.score import Score
from bench.accuracy.targets import LEARNED, TIME, Verdict, verdicts, worse_than_time
from bench.figure import Figure

ROOT: Final = Path(__file__).resolve().parents[2]
PAGE: Final = ROOT / "docs/reference/accuracy.md"
CHART: Final = ROOT / "docs/images/accuracy.svg"
_TEMPLATE: Final = Path(__file__).with_name("page.md.in")
_NOT_YET: Final = "Not measured yet."
_TITLES: Final = {TIME: "CPU time"}
Summaries = Mapping[str, Mapping[str, Summary]]


def pages(results: Results) -> dict[Path, str]:
    """Return what the generated files hold."""
    played = results.worlds.summaries if results.worlds else {}
    return {PAGE: render(results), CHART: render_chart(played)}


def render(results: Results) -> str:
    """Return the page in Markdown."""
    played: dict[str, Mapping[str, Summary]] = {}
    for section in (results.worlds, results.recordings):
        played |= section.summaries if section else {}
    worse = [_against_time(name, played[name]) for name in worse_than_time(played)]
    names = [method.name for method in METHODS]
    without = [method.name for method in METHODS if not method.needs_counters]
    counted = {world: own for world, own in played.items() if len(own) == len(names)}
    uncounted = {world: own for world, own in played.items() if world not in counted}
    return Template(_TEMPLATE.read_text(encoding="utf-8")).substitute(
        worse=_bullets(worse) or "* none",
        targets=_targets(list(verdicts(played))),
        worlds=_of_played(results.worlds),
        recordings=_of_played(results.recordings),
        methods=_table(
            (
                "method",
                "worlds",
                "error",
                "worst one",
                "covers",
                "as reported",
                "misfit",
                "ms a tick",
            ),
            [_method_row(name, scores) for name in names if (scores := _scores(name, played))],
        ),
        counted=_errors(counted, names),
        uncounted=_errors(uncounted, without),
        plants=_of_figures(results.plants),
        kepler=_of_figures(results.kepler),
    )


def _against_time(name: str, by_method: Mapping[str, Summary]) -> str:
    learned, by_time = by_method[LEARNED], by_method[TIME]
    return (
        f"{name}: {learned.score.error:.1f} % instead of {by_time.score.error:.1f} %, "
        f"{learned.excess:+.1f} points in the worst seed"
    )


def _targets(every: Sequence[Verdict]) -> str:
    kinds: dict[tuple[str, str], list[Verdict]] = {}
    for one in every:
        if not one.met:
            kinds.setdefault((one.what, "" if one.what == "error" else one.target), []).append(one)
    met = sum(one.met for one in every)
    lines = [
        f"{what} {target}".rstrip() + ": " + ", ".join(map(_miss, own))
        for (what, target), own in kinds.items()
    ]
    counted = f"{met} of {len(every)} targets of learned weights are met."
    return f"{counted} Missed are:\n\n{_wrapped(lines)}" if lines else counted


def _miss(one: Verdict) -> str:
    target = f" ({one.target})" if one.what == "error" else ""
    return f"{one.world} {one.value:.2f}{target}"


def _of_played(played: Played | None) -> str:
    if played is None:
        return _NOT_YET
    header = (
        "world", "CPU time", "learned", "worst seed", "worst one: CPU time", "learned", "covers",
        "band ±", "band / errors",
    )  # fmt: skip
    rows = [_world_row(name, by_method) for name, by_method in played.summaries.items()]
    reasons = [f"{name}: not measured. {why}" for name, why in played.unmeasured.items()]
    parts = [_conditions(played.conditions), _table(header, rows), _bullets(reasons)]
    return "\n\n".join(part for part in parts if part)


def _world_row(name: str, by_method: Mapping[str, Summary]) -> list[str]:
    by_time, learned = by_method[TIME].score, by_method[LEARNED]
    own = learned.score
    ratio = own.width_ratio
    return [
        name,
        f"{by_time.error:.1f}",
        f"**{own.error:.1f}**",
        f"{learned.excess:+.1f}",
        f"{by_time.worst:.0f}",
        f"{own.worst:.0f}",
        "" if own.covers is None else f"{own.covers:.0f}",
        "" if own.half_width is None else f"{own.half_width:.0f}",
        "" if ratio is None else f"{ratio:.1f}",
    ]


def _of_methods(names: Sequence[str], played: Summaries) -> str:
    header = (
        "method", "worlds", "error", "worst one", "covers", "as reported", "misfit", "ms a tick",
    )  # fmt: skip
    rows = [_method_row(name, scores) for name in names if (scores := _scores(name, played))]
    return _table(header, rows)


def _scores(name: str, played: Summaries) -> list[Score]:
    return [own[name].score for own in played.values() if name in own]


def _method_row(name: str, scores: Sequence[Score]) -> list[str]:
    """Return means over all worlds; of the misfit the largest, of the cost the median."""
    covers = [one.covers for one in scores if one.covers is not None]
    return [
        _TITLES.get(name, name),
        f"{len(scores)}",
        f"{mean(one.error for one in scores):.1f}",
        f"{mean(one.worst for one in scores):.0f}",
        f"{mean(covers):.0f}" if covers else "",
        f"{mean(one.raw_error for one in scores):.1f}",
        f"{max((one.misfit for one in scores), key=abs):+.2f}".replace("-0.00", "+0.00"),
        f"{median(one.tick_ms for one in scores):.2f}",
    ]


def _errors(played: Summaries, names: Sequence[str]) -> str:
    header = ["world", *(_TITLES.get(name, name) for name in names)]
    rows = [
        [world, *(f"{own[name].score.error:.1f}" for name in names)]
        for world, own in played.items()
    ]
    return _table(header, rows)


def _of_figures(measured: Measured | None) -> str:
    if measured is None:
        return _NOT_YET
    header = ("figure", "value", "target", "result", "note")
    table = _table(header, map(_figure_row, measured.figures))
    return f"{_conditions(measured.conditions)}\n\n{table}"


def _figure_row(figure: Figure) -> list[str]:
    value = "" if figure.value is None else f"{figure.value:.4g} {figure.unit}".strip()
    return [figure.name, value, figure.target, figure.result, figure.note]


def _conditions(conditions: Conditions) -> str:
    text = f"Measured {conditions.date}: {conditions.extent}. {conditions.machine}."
    return textwrap.fill(text, 120)


def _bullets(lines: Sequence[str]) -> str:
    return "\n".join(f"* {line}" for line in lines)


def _wrapped(lines: Sequence[str]) -> str:
    """Return bullets of at most 120 columns."""
    return "\n".join(
        textwrap.fill(f"* {line}", 120, subsequent_indent="  ", break_on_hyphens=False)
        for line in lines
    )


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    cells = (" | ".join(cell.replace("|", "\\|") for cell in row) for row in rows)
    return "\n".join(
        [f"| {' | '.join(header)} |", "|---" * len(header) + "|", *(f"| {row} |" for row in cells)]
    )
