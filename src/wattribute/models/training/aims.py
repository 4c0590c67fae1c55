"""What the model was built to reach, beside what it reaches on machines that it has not seen.

The aims are below what the best of the other tools reaches on the same kind of split; machines that
rest on few measurements are listed one by one.
"""

from collections.abc import Iterator, Mapping
from typing import Final

from wattribute.models.training.figures import NEXT, NEXT_YEAR, Figures
from wattribute.models.training.metrics import Score

_LEAST, _MOST = 88.0, 93.0
"""Percent of held-out points that a 90 % band should hold."""
_GUESTS: Final = "not measured: no rows of guests are in the data"
_HEAD: Final = """\
| | aim: median APE / MAPE, % | reached | |
|---|---|---|---|
"""


def aims_table(figures: Figures) -> str:
    """The table, in Markdown."""
    return _HEAD + "".join(f"| {' | '.join(row)} |\n" for row in _rows(figures))


def _rows(figures: Figures) -> Iterator[tuple[str, ...]]:
    scores_by_knowledge = list(figures.known.items())
    if scores_by_knowledge:
        yield _row("wall, CPU model never seen", scores_by_knowledge[0][1], 10.5, 14.5)
    name = f"{NEXT_YEAR}, {NEXT[0]} to {NEXT[1]}"
    if (later := figures.years.get(name)) is not None:
        yield _row("wall, hardware of the year after the training data", later, 9.5)
    if len(scores_by_knowledge) > 1:
        yield _row("wall, CPU model seen in another maker's system", scores_by_knowledge[1][1], 7.5)
    yield from _machines("packages", figures.packages, 10.0)
    yield from _machines("DRAM", figures.memory, 20.0)
    if (ordinary := figures.ordinary_idle.get("all")) is not None:
        yield _row("ordinary servers, one idle reading", ordinary, 8.0)
    yield "a guest's packages", "11", _GUESTS, ""
    if scores_by_knowledge:
        covered = scores_by_knowledge[0][1].band_covers_pct
        good = _LEAST <= covered <= _MOST
        yield (
            "90 % band, CPU model never seen",
            f"{_LEAST:g} to {_MOST:g} % covered",
            (f"{covered:.1f} %"),
            _word(good=good),
        )


def _row(name: str, score: Score, median: float, mape: float | None = None) -> tuple[str, ...]:
    reached = f"{score.median_ape_pct:.1f}"
    aim, good = f"{median:g}", score.median_ape_pct <= median
    if mape is not None:
        reached += f" / {score.mape_pct:.1f}"
        aim, good = f"{aim} / {mape:g}", good and score.mape_pct <= mape
    return name, aim, reached, _word(good=good)


def _machines(label: str, scores: Mapping[str, Score], median: float) -> Iterator[tuple[str, ...]]:
    """A line for each machine."""
    for name, score in scores.items():
        if name != "all":
            yield _row(f"{label}: {name}", score, median)


def _word(*, good: bool) -> str:
    return "reached" if good else "**missed**"
