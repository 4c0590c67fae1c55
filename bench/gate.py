"""``make bench-gate``: is the energy gate right? False alarms and missed regressions, really run.

Commands of 0.2 s, CPU seconds, 7+7 runs in turn. Three questions: how often is the same command
said to be slower than itself at tolerance 0, how often at 5 %, and how often is one that does 10 %
more found. The runs' own spread is told with it: on a busy machine it decides what can be found.
"""

import argparse
import json
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Final

import numpy as np
from rich.console import Console
from rich.progress import Progress

from bench.figure import Figure, at_most, print_table, shown, unmeasured
from wattribute.automation.gate.decision import Comparison, Rules, Sides, Verdict, compare
from wattribute.automation.gate.repeat import Work, run_in_turn
from wattribute.node.settings import ActivitySettings, MeterSettings, NodeSettings

SECTION: Final = "gate"
_RUNS: Final = 7
_CPU_S: Final = 0.2
_SLOWER: Final = 1.1
_QUIET: Final = 0.02
"""Spread under which a regression of 10 % must be found."""
# Without eBPF: the kernel's sum of ended children is the same, and a run starts 0.1 s sooner.
_SETTINGS: Final = NodeSettings(
    activity=ActivitySettings(source="procfs"), meter=MeterSettings(use=("estimate",))
)
_STRICT: Final = Rules(max_regression=0, min_effect=0)
_DEFAULT: Final = Rules()


def main() -> int:
    """0 when no target was missed, else 1."""
    parser = argparse.ArgumentParser(prog="python -m bench.gate", description=__doc__)
    parser.add_argument("--same", type=int, default=200, metavar="N",
                        help="comparisons of a command with itself")  # fmt: skip
    parser.add_argument("--slower", type=int, default=50, metavar="N",
                        help="comparisons with one that does 10 %% more")  # fmt: skip
    parser.add_argument("--seconds", type=float, default=_CPU_S, metavar="S",
                        help=f"CPU time of one run; the targets are for {_CPU_S:g}")  # fmt: skip
    parser.add_argument("--json", type=Path, metavar="FILE", help="every run's CPU seconds, too")
    options = parser.parse_args()
    start = time.monotonic()
    loops = _loops(options.seconds)
    with Progress(console=Console(stderr=True)) as progress:
        slower = list(_trials(progress, "10 % more", options.slower, loops, round(loops * _SLOWER)))
        same = list(_trials(progress, "the same", options.same, loops, loops))
    figures = [*_of_same(same), *_of_slower(slower)]
    figures.append(shown(SECTION, "it took", time.monotonic() - start, "s"))
    print_table(Console(width=max(140, Console().width)), figures)
    if options.json:
        body = {
            "figures": [asdict(figure) for figure in figures],
            "same": [(one.base, one.new) for one in same],
            "slower": [(one.base, one.new) for one in slower],
        }
        options.json.write_text(json.dumps(body, indent=1) + "\n")
    return 1 if any(figure.met is False for figure in figures) else 0


def _loops(cpu_s: float) -> int:
    """Rounds of an empty loop that take so much CPU time here, the interpreter's start aside."""
    rounds = 2_000_000
    taken = []
    for _ in range(5):
        start = time.process_time()
        exec(f"for i in range({rounds}): pass")  # noqa: S102 - as the command does it
        taken.append(time.process_time() - start)
    return round(rounds * cpu_s / min(taken))


def _work(name: str, loops: int) -> Work:
    command = (sys.executable, "-I", "-S", "-c", f"for i in range({loops}): pass")
    return Work(name=name, command=command, settings=_SETTINGS)


def _trials(
    progress: Progress, what: str, number: int, base_loops: int, new_loops: int
) -> Iterator[Sides]:
    task = progress.add_task(what, total=number)
    for _ in range(number):
        base, new = run_in_turn(
            _work("base", base_loops), _work("new", new_loops), _RUNS, 0, lambda _: None
        )
        progress.advance(task)
        values = base.values("cpu_s"), new.values("cpu_s")
        yield Sides("bench", "cpu_s", "", *values, pairs=True, others_busy=0)


def _decided(trials: list[Sides], rules: Rules) -> list[Comparison]:
    return [compare(sides, rules, 1) for sides in trials]


def _of_same(trials: list[Sides]) -> Iterator[Figure]:
    if not trials:
        return
    part = len(trials) / 200
    for rules, most in ((_STRICT, 18), (replace(_DEFAULT, max_regression=0.05), 2)):
        what = f"the same, tolerance {100 * rules.max_regression:g} %"
        decided = _decided(trials, rules)
        alarms = sum(one.verdict is Verdict.REGRESSION for one in decided)
        bare = sum((one.low or 0) > 1 + rules.max_regression for one in decided)
        yield at_most(
            SECTION, f"{what}: false alarms of {len(trials)}", alarms, most=most * max(part, 1),
            unit="", note=f"{_counts(decided)}; {bare} without the noise guard",
        )  # fmt: skip
    yield from _spreads("the same", _decided(trials, _STRICT))


def _of_slower(trials: list[Sides]) -> Iterator[Figure]:
    if not trials:
        return
    decided = _decided(trials, _DEFAULT)
    quiet = [one for one in decided if (one.spread or 0) < _QUIET]
    wide = [one for one in decided if (one.spread or 0) >= _QUIET]
    name = f"10 % more, tolerance 5 %, spread < {100 * _QUIET:g} %: found of {len(quiet)}"
    if quiet:
        hits = sum(one.verdict is Verdict.REGRESSION for one in quiet)
        least = 0.9 * len(quiet)
        yield Figure(SECTION, name, hits, "", f">= {least:g}", hits >= least, _counts(quiet))
    else:
        yield unmeasured(SECTION, name, ">= 90 %", "no trial was that quiet")
    passed = sum(one.verdict is Verdict.PASS for one in wide)
    yield at_most(
        SECTION, f"10 % more, wider spread: passed (exit 0) of {len(wide)}", passed, most=0,
        unit="", note=_counts(wide),
    )  # fmt: skip
    yield from _spreads("10 % more", decided)


def _counts(decided: list[Comparison]) -> str:
    counted = Counter(one.verdict for one in decided)
    return ", ".join(f"{verdict}: {counted[verdict]}" for verdict in Verdict if counted[verdict])


def _spreads(what: str, decided: list[Comparison]) -> Iterator[Figure]:
    spreads = np.array([100 * (one.spread or 0) for one in decided])
    low, middle, high = np.quantile(spreads, [0.1, 0.5, 0.9])
    means = np.array([one.base or 0 for one in decided])
    yield shown(
        SECTION, f"{what}: run-to-run spread, median", float(middle), "%",
        f"{low:.1f} to {high:.1f} % in 8 of 10 trials; {means.mean():.3f} s a run; between trials "
        f"{100 * means.std() / means.mean():.1f} %",
    )  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
