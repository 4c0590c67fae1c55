"""``make bench-accuracy``: measure, keep the results, and write docs/reference/accuracy.md."""

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before numpy: a tick is too small to share

import argparse
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Final

import msgspec
from rich.console import Console

from bench.accuracy import kepler_binary, plants
from bench.accuracy.page import ROOT, pages
from bench.accuracy.plants import Spans
from bench.accuracy.recordings.scenarios import recordings
from bench.accuracy.results import (
    Measured,
    Played,
    Results,
    Summary,
    conditions,
    read_results,
    write_results,
)
from bench.accuracy.run import Tell, play_recordings, play_worlds
from bench.accuracy.targets import LEARNED, TIME, verdicts
from bench.accuracy.worlds.scenarios import SCENARIOS
from bench.agent import AgentFailed
from bench.figure import Figure, unmeasured
from wattribute.core.errors import WattributeError

_SECTIONS: Final = ("worlds", "recordings", "plants", "kepler")
_FIGURES: Final[Mapping[str, Callable[[Spans], Iterator[Figure]]]] = {
    "plants": plants.run,
    "kepler": kepler_binary.run,
}
_SEEDS: Final = 3
_QUICK_SEEDS: Final = 1
_QUICK_WORLDS: Final = ("soft 5", "hard 5", "equal", "PMU", "pair 10 v 4")
_QUICK_RECORDINGS: Final = ("nx12, 5 pods",)


def main() -> int:
    """0 when all is well; 1 when a target was missed or, with ``--check``, the page is stale."""
    options = _options()
    if options.check:
        return _check()
    console = Console(stderr=True, highlight=False)
    results = Results() if options.quick else read_results()
    if not options.page:
        for section in options.only or _SECTIONS:
            results = _measure(results, section, options, console)
    if not options.quick:
        write_results(results)
        for path, text in pages(results).items():
            path.write_text(text, encoding="utf-8")
            console.print(f"{path.relative_to(ROOT)}: written")
    return 0 if options.page else _missed(results, console)


def _missed(results: Results, console: Console) -> int:
    missed = [
        f"{one.world}: {one.what} {one.value:.2f}, target {one.target}"
        for played in (results.worlds, results.recordings)
        if played
        for one in verdicts(played.summaries)
        if not one.met
    ] + [
        f"{figure.name}: {figure.value:.4g} {figure.unit}, target {figure.target}"
        for measured in (results.plants, results.kepler)
        if measured
        for figure in measured.figures
        if figure.met is False
    ]
    for line in missed:
        console.print(f"missed: {line}")
    return 1 if missed else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.accuracy", description=__doc__)
    option = parser.add_argument
    option("--only", action="append", choices=_SECTIONS,
           help="measure this section alone, and keep the results of the others")  # fmt: skip
    option("--seeds", type=int, default=_SEEDS, metavar="N",
           help="of each world and recording; default: %(default)s")  # fmt: skip
    option("--quick", action="store_true",
           help="few worlds, one seed, short windows, for trying; writes nothing")  # fmt: skip
    option("--page", action="store_true",
           help="measure nothing, and write the page from the results")  # fmt: skip
    option("--check", action="store_true",
           help="measure nothing; exit 1 if the page is not that of the results")  # fmt: skip
    return parser.parse_args()


def _check() -> int:
    stale = [
        path
        for path, text in pages(read_results()).items()
        if not path.exists() or path.read_text(encoding="utf-8") != text
    ]
    for path in stale:
        print(f"{path.relative_to(ROOT)}: stale; run `make docs`", file=sys.stderr)
    return 1 if stale else 0


def _measure(
    results: Results, section: str, options: argparse.Namespace, console: Console
) -> Results:
    quick = options.quick
    seeds = _QUICK_SEEDS if quick else options.seeds
    part: Played | Measured
    if section == "worlds":
        part = play_worlds(_QUICK_WORLDS if quick else SCENARIOS, seeds, _teller(console))
    elif section == "recordings":
        names = _QUICK_RECORDINGS if quick else recordings()
        part = play_recordings(names, seeds, _teller(console))
    else:
        part = _figures(section, plants.QUICK if quick else plants.FULL, console)
    return msgspec.structs.replace(results, **{section: part})


def _teller(console: Console) -> Tell:
    def tell(name: str, summaries: Mapping[str, Summary]) -> None:
        by_time, learned = summaries[TIME].score, summaries[LEARNED].score
        console.print(f"{name:36} {by_time.error:6.1f} {learned.error:6.1f} %")

    return tell


def _figures(section: str, spans: Spans, console: Console) -> Measured:
    figures: list[Figure] = []
    try:
        for figure in _FIGURES[section](spans):
            figures.append(figure)
            value = "" if figure.value is None else f"{figure.value:.4g} {figure.unit}"
            console.print(f"{figure.name}: {value} {figure.result} {figure.note}")
    except (AgentFailed, WattributeError, OSError) as exc:
        figures.append(unmeasured(section, "the rest of the section", "", str(exc)))
    extent = f"{spans.learn_s:g} s to learn, {spans.count_s:g} s counted"
    return Measured(conditions=conditions(extent), figures=figures)


if __name__ == "__main__":
    sys.exit(main())
