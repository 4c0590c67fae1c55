"""What changed: CPU time, or watts per core; and where nothing may be claimed."""

import json
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace as replaced

from wattribute.automation.gate.check import GateReport, check, check_sides
from wattribute.automation.gate.decision import Rules, Verdict
from wattribute.automation.gate.explanation import Cause, FactorExplanation, Movement, explain
from wattribute.automation.gate.metrics import figures_of
from wattribute.automation.gate.output import render
from wattribute.automation.gate.series import RunSeries
from wattribute.cli.gate.shown import show
from wattribute.core.records import Origin
from wattribute.node.measuring import Measurement
from wattribute.node.measuring.result import ComponentEnergy
from wattribute_testing.strength import examples

Make = Callable[..., RunSeries]
Side = Callable[..., RunSeries]


@pytest.fixture
def side(make: Make) -> Side:
    """Runs with a known CPU time and known watts per core."""

    def built(
        cpu_s: float = 10.0,
        watts: float = 8.0,
        *,
        spread: float = 0.005,
        runs: int = 7,
        seed: int = 1,
        elapsed_s: float = 5.0,
        **changes: object,
    ) -> RunSeries:
        random = np.random.default_rng(seed)
        times = (cpu_s * np.exp(random.normal(0, spread, runs))).tolist()
        powers = (watts * np.exp(random.normal(0, spread, runs))).tolist()
        figures = tuple(
            {"energy_j": t * w, "cpu_s": t, "elapsed_s": elapsed_s, "watts_per_core": w}
            for t, w in zip(times, powers, strict=True)
        )
        return replaced(make(100, **changes), runs=figures)

    return built


def explained(
    base: RunSeries, new: RunSeries, *, pairs: bool = True, rules: Rules | None = None
) -> FactorExplanation:
    explanation = explain(base, new, rules or Rules(), pairs=pairs)
    assert explanation is not None
    return explanation


@pytest.mark.parametrize("pairs", [True, False])
@pytest.mark.parametrize(
    ("cpu_s", "watts", "cause"),
    [
        (10.0, 9.12, Cause.WATTS_PER_CORE),
        (10.0, 7.0, Cause.WATTS_PER_CORE),
        (11.0, 8.0, Cause.CPU_TIME),
        (8.0, 10.0, Cause.BOTH),
        (10.0, 8.0, Cause.NEITHER),
    ],
)
def test_the_factor_that_changed_is_named(
    side: Side, cpu_s: float, watts: float, cause: Cause, *, pairs: bool
) -> None:
    # The same cores are busy: time goes with CPU time.
    explanation = explained(
        side(elapsed_s=5), side(cpu_s, watts, seed=2, elapsed_s=cpu_s / 2), pairs=pairs
    )

    assert explanation.cause is cause
    assert explanation.cpu_time.ratio == pytest.approx(cpu_s / 10, abs=0.01)
    assert explanation.watts_per_core.ratio == pytest.approx(watts / 8, abs=0.01)
    assert explanation.busy_cores.new == pytest.approx(2, abs=0.02)


def test_the_text_says_what_stayed_and_what_changed(side: Side) -> None:
    text = explained(side(spread=0), side(10, 9.12, spread=0)).text

    assert text == (
        "same CPU time (+0.0 to +0.0 %), +14.0 % watts per core (+14.0 to +14.0); "
        "wider vector code, or fewer waits for memory?"
    )
    down = explained(side(spread=0), side(10, 7, spread=0)).text
    assert "-12.5 % watts per core" in down
    assert "more waits for memory" in down


def test_a_fuller_machine_is_given_as_the_reason_for_other_watts(side: Side) -> None:
    text = explained(side(elapsed_s=5), side(10, 6, seed=2, elapsed_s=2.5)).text

    assert "4 cores were busy instead of 2" in text
    assert "vector" not in text


def test_two_runs_show_nothing(side: Side) -> None:
    explanation = explained(side(runs=2, spread=0), side(10, 16, runs=2, spread=0))

    assert explanation.cause is Cause.UNCLEAR
    assert explanation.watts_per_core.movement is Movement.UNCLEAR
    assert "watts per core not clear (+100.0 %, ? to ?)" in explanation.text


def test_runs_that_scatter_show_nothing(side: Side) -> None:
    explanation = explained(side(spread=0.2), side(10, 16, spread=0.2, seed=2))

    assert explanation.cause is Cause.UNCLEAR


def test_a_busy_machine_makes_no_claim_even_in_pairs(side: Side) -> None:
    explanation = explained(side(), side(10, 16, seed=2, others_busy=0.6))

    assert explanation.cause is Cause.UNCLEAR
    assert "other processes were busy" in explanation.text


def test_one_clear_factor_and_one_unclear_is_not_clear_but_both_are_told(side: Side) -> None:
    base, new = side(spread=0.001), side(10, 9.12, spread=0.001, seed=2)
    shaken = replace_figure(new, "cpu_s", [8.0, 13.0, 10.0, 9.0, 12.0, 10.0, 10.5])
    explanation = explained(base, shaken)

    assert explanation.cause is Cause.UNCLEAR
    assert "CPU time not clear" in explanation.text
    assert "+14." in explanation.text


def replace_figure(series: RunSeries, metric: str, values: list[float]) -> RunSeries:
    runs = tuple(dict(run) | {metric: v} for run, v in zip(series.runs, values, strict=True))
    return RunSeries(
        name=series.name, at=series.at, origin=series.origin, key=series.key, runs=runs
    )


def test_without_the_figure_or_with_nothing_above_zero_there_is_no_explanation(
    side: Side, make: Make
) -> None:
    assert explain(side(), make(100), Rules(), pairs=True) is None
    assert explain(make(100), side(), Rules(), pairs=True) is None
    for metric in ("cpu_s", "watts_per_core", "elapsed_s"):
        nothing = replace_figure(side(), metric, [0.0] * 7)
        assert explain(side(), nothing, Rules(), pairs=True) is None


@settings(max_examples=examples(60))
@given(seed=st.integers(0, 10_000), factor=st.floats(0.5, 2.0), pairs=st.booleans())
def test_a_change_that_is_claimed_has_the_right_sign(
    seed: int, factor: float, *, pairs: bool
) -> None:
    random = np.random.default_rng(seed)

    def runs(watts: float) -> RunSeries:
        values = (watts * np.exp(random.normal(0, 0.01, 7))).tolist()
        figures = tuple(
            {"cpu_s": 10.0, "elapsed_s": 5.0, "watts_per_core": value} for value in values
        )
        return RunSeries(name="x", at="", origin="measured", key={}, runs=figures)

    explanation = explained(runs(8), runs(8 * factor), pairs=pairs)
    change = explanation.watts_per_core

    assert change.low <= change.ratio <= change.high
    assert explanation.cpu_time.movement is Movement.SAME
    if abs(np.log(factor)) > 0.06:
        assert change.movement is Movement.CHANGED
        assert (change.ratio > 1) == (factor > 1)


def test_equal_builds_are_seldom_called_changed() -> None:
    random = np.random.default_rng(7)
    claims = 0
    for _ in range(200):
        sides = [
            RunSeries(
                name="x",
                at="",
                origin="measured",
                key={},
                runs=tuple(
                    {"cpu_s": t, "elapsed_s": 5.0, "watts_per_core": w}
                    for t, w in 10 * np.exp(random.normal(0, 0.02, (7, 2)))
                ),
            )
            for _ in range(2)
        ]
        explanation = explained(*sides, rules=Rules(min_effect=0))
        changes = (explanation.cpu_time, explanation.watts_per_core)
        claims += any(change.movement is Movement.CHANGED for change in changes)

    assert claims <= 20  # alpha is 5 %: 10 are expected, and 20 have a probability below 0.2 %


def measurement(origin: Origin, *, cpu_ns: int = 10_000_000_000) -> Measurement:
    cpu = ComponentEnergy(80_000_000, 40_000_000, origin)
    return Measurement(
        command=(), exit_code=0, elapsed_ns=5_000_000_000, cpu_ns=cpu_ns,
        by_component={"cpu": cpu}, g_per_kwh=None, complete=True, notes=(),
    )  # fmt: skip


@pytest.mark.parametrize("origin", [Origin.MEASURED, Origin.INTEGRATED])
def test_watts_per_core_are_dynamic_energy_of_the_cpu_by_cpu_time(origin: Origin) -> None:
    assert figures_of(measurement(origin), None)["watts_per_core"] == pytest.approx(8.0)


def test_an_estimate_and_an_unknown_cpu_time_have_no_watts_per_core() -> None:
    assert "watts_per_core" not in figures_of(measurement(Origin.ESTIMATED), None)
    assert "watts_per_core" not in figures_of(measurement(Origin.MEASURED, cpu_ns=0), None)


@pytest.fixture
def report(side: Side) -> GateReport:
    """A regression of energy alone, against a stored baseline."""
    return check(
        [side(10, 9.12, seed=2, name="bench<&>")],
        [side(name="bench<&>")],
        ["cpu_s", "energy_j"],
        [],
        Rules(),
    )


def test_the_verdict_is_what_it_was_without_an_explanation(side: Side, report: GateReport) -> None:
    def plain(series: RunSeries) -> RunSeries:
        runs = tuple({k: v for k, v in run.items() if k != "watts_per_core"} for run in series.runs)
        return replaced(series, runs=runs)

    without = check(
        [plain(side(10, 9.12, seed=2, name="bench<&>"))],
        [plain(side(name="bench<&>"))],
        ["cpu_s", "energy_j"],
        [],
        Rules(),
    )

    assert without.explanations == ()
    assert without.verdict is report.verdict is Verdict.REGRESSION
    assert without.comparisons == report.comparisons


def test_sides_that_alternate_are_explained_too(side: Side) -> None:
    report = check_sides(
        side(name="main"), side(10, 9.12, seed=2, name="new"), ["cpu_s"], [], Rules()
    )

    assert [explanation.name for explanation in report.explanations] == ["new"]
    assert report.verdict is Verdict.PASS


@pytest.mark.parametrize("form", ["markdown", "junit", "sarif", "github", "gitlab", "json"])
def test_each_report_has_the_words(report: GateReport, form: str) -> None:
    assert "watts per core (+" in render(form, report)


def test_the_terminal_shows_it_above_the_verdict(
    report: GateReport, capsys: pytest.CaptureFixture[str]
) -> None:
    show(report)

    lines = capsys.readouterr().out.splitlines()
    assert "bench<&>: same CPU time" in next(line for line in lines if "watts per core (" in line)
    assert lines[-1] == "Energy gate: regression (exit 1)"


def test_json_has_the_numbers(report: GateReport) -> None:
    (explanation,) = json.loads(render("json", report))["explanations"]

    assert explanation["cause"] == "watts per core"
    assert explanation["watts_per_core"]["ratio"] == pytest.approx(1.14, abs=0.01)
    assert explanation["cpu_time"]["movement"] == "same"
