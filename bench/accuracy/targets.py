"""What is expected of learned weights in every world, and where it is missed."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from bench.accuracy.methods.own import ByLearned, ByTime
from bench.accuracy.results import Summary
from bench.accuracy.worlds.scenarios import SCENARIOS

LEARNED: Final = ByLearned.name
TIME: Final = ByTime.name
MOST_EXCESS: Final = 1.0
"""Percentage points by which no seed may be worse than CPU time."""
LEAST_COVERED: Final = 85.0
WIDEST_BAND: Final = 1.5
_NONE: Final = 0.05
"""Percentage points that the page would show as 0.0."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """One target in one world."""

    world: str
    what: str
    value: float
    target: str
    met: bool


def verdicts(summaries: Mapping[str, Mapping[str, Summary]]) -> Iterator[Verdict]:
    """Compare the learner with its targets, world by world."""
    for world, by_method in summaries.items():
        learned = by_method[LEARNED]
        scenario = SCENARIOS.get(world)
        if scenario is not None and scenario.target_percent is not None:
            most = scenario.target_percent
            error = learned.score.error
            yield Verdict(world, "error", error, f"<= {most:g} %", error <= most)
        yield Verdict(
            world, "worst seed against CPU time", learned.excess, f"<= +{MOST_EXCESS:g}",
            learned.excess <= MOST_EXCESS,
        )  # fmt: skip
        covers, ratio = learned.score.covers, learned.score.width_ratio
        if covers is not None:
            yield Verdict(
                world, "band covers", covers, f">= {LEAST_COVERED:g} %", covers >= LEAST_COVERED
            )
        if ratio is not None:
            yield Verdict(
                world, "band over errors", ratio, f"<= {WIDEST_BAND:g}", ratio <= WIDEST_BAND
            )


def worse_than_time(summaries: Mapping[str, Mapping[str, Summary]]) -> list[str]:
    """Name the worlds in which a seed is worse with learned weights; the worst on average first."""
    worse = [world for world, by_method in summaries.items() if by_method[LEARNED].excess > _NONE]
    return sorted(worse, key=lambda world: -_loss(summaries[world]))


def _loss(by_method: Mapping[str, Summary]) -> float:
    return by_method[LEARNED].score.error - by_method[TIME].score.error
