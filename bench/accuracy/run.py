"""Plays worlds and recordings, seed by seed, and sums the scores up."""

from collections.abc import Callable, Iterable, Mapping

from bench.accuracy.methods import METHODS
from bench.accuracy.play import play
from bench.accuracy.recordings.scenarios import NoRecording, recordings
from bench.accuracy.recordings.trace import NotATrace
from bench.accuracy.results import Played, Summary, conditions
from bench.accuracy.score import Score, mean_score, score
from bench.accuracy.targets import TIME
from bench.accuracy.worlds.build import build
from bench.accuracy.worlds.scenarios import SCENARIOS
from bench.accuracy.worlds.world import World

Tell = Callable[[str, Mapping[str, Summary]], None]
"""Takes the name of a world that was played, and its summaries."""


def play_worlds(names: Iterable[str], seeds: int, tell: Tell) -> Played:
    """Play scenario worlds with the seeds 0, 1, ..."""
    summaries = {}
    for name in names:
        plan = SCENARIOS[name].plan
        summaries[name] = summarise(build(plan, seed) for seed in range(seeds))
        tell(name, summaries[name])
    return Played(conditions=conditions(_extent(seeds)), summaries=summaries)


def play_recordings(names: Iterable[str], seeds: int, tell: Tell) -> Played:
    """Play superposed recordings; those whose data are not here are named as unmeasured."""
    summaries, unmeasured = {}, {}
    every = recordings()
    for name in names:
        try:
            summaries[name] = summarise(every[name](seed) for seed in range(seeds))
        except (NoRecording, NotATrace, OSError) as exc:
            unmeasured[name] = str(exc)
            continue
        tell(name, summaries[name])
    return Played(conditions=conditions(_extent(seeds)), summaries=summaries, unmeasured=unmeasured)


def summarise(worlds: Iterable[World]) -> dict[str, Summary]:
    """Return the summary of each method over worlds that differ by their seed alone."""
    scores: dict[str, list[Score]] = {}
    for world in worlds:
        for name, report in play(world, METHODS).items():
            scores.setdefault(name, []).append(score(world, report))
    by_time = scores[TIME]
    return {
        name: Summary(
            score=mean_score(own),
            excess=max(a.error - b.error for a, b in zip(own, by_time, strict=True)),
        )
        for name, own in scores.items()
    }


def _extent(seeds: int) -> str:
    return f"{seeds} seed{'s' if seeds > 1 else ''}"
