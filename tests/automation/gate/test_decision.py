"""The answer: pass, regression, too noisy, not comparable; and what may never happen."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace as replaced

from wattribute.automation.gate.check import Limit, check, check_sides, parse_limit, parse_metrics
from wattribute.automation.gate.decision import Comparison, Rules, Sides, Verdict, compare
from wattribute.automation.gate.series import RunSeries
from wattribute.core.errors import ConfigInvalid, DataInvalid
from wattribute_testing.strength import examples

Make = Callable[..., RunSeries]


USUAL = Rules()


def one(
    base: RunSeries, new: RunSeries, rules: Rules = USUAL, metric: str = "energy_j"
) -> Comparison:
    return check([new], [base], [metric], [], rules).comparisons[0]


def test_the_same_passes_and_says_what_it_excludes(make: Make) -> None:
    said = one(make(100), make(100, seed=2))

    assert said.verdict is Verdict.PASS
    assert "certainly less than" in said.reason
    assert said.high is not None
    assert said.high < 1.08
    assert said.finds is not None
    assert 0 < said.finds < 0.03


def test_ten_percent_more_is_a_regression(make: Make) -> None:
    said = one(make(100), make(110, seed=2))

    assert said.verdict is Verdict.REGRESSION
    assert said.ratio == pytest.approx(1.1, abs=0.015)
    assert said.low is not None
    assert said.low > 1.05
    assert said.p_value is not None
    assert said.p_value < 0.01


def test_less_energy_passes(make: Make) -> None:
    assert one(make(100), make(60, seed=2)).verdict is Verdict.PASS


def test_runs_that_scatter_are_no_pass_and_no_alarm(make: Make) -> None:
    for mean in (100, 110, 300):
        said = one(make(100, spread=0.1), make(mean, spread=0.1, seed=2))
        assert said.verdict is Verdict.NOISY
        assert "--max-spread" in said.reason


def test_a_busy_machine_is_no_measure_against_a_baseline_but_is_in_turn(make: Make) -> None:
    base, new = make(100), make(110, seed=2, others_busy=0.6)

    assert one(base, new).verdict is Verdict.NOISY
    assert "--max-busy" in one(base, new).reason
    assert check_sides(base, new, ["energy_j"], [], Rules()).verdict is Verdict.REGRESSION


def test_too_few_runs_say_so_and_how_many_are_needed(make: Make) -> None:
    said = one(make(100, runs=2), make(200, runs=2))

    assert said.verdict is Verdict.NOISY
    assert "at least 3 of each" in said.reason


def test_what_cannot_exclude_a_regression_is_no_pass(make: Make) -> None:
    plain = make(0)
    base = replaced(plain, runs=tuple({"energy_j": j} for j in (98, 100, 102, 105)))
    new = replaced(plain, runs=tuple({"energy_j": j} for j in (101, 104, 108, 109)))

    said = one(base, new)
    assert said.verdict is Verdict.NOISY
    assert "--detect" in said.reason
    assert one(base, new, Rules(detect=1)).verdict is Verdict.PASS


def test_a_sure_but_tiny_regression_does_not_fail(make: Make) -> None:
    base, new = make(100, spread=0.001), make(101.5, spread=0.001, seed=2)
    strict = Rules(max_regression=0)

    assert one(base, new, strict).verdict is Verdict.PASS
    assert one(base, new, replace(strict, min_effect=0.01)).verdict is Verdict.REGRESSION


def test_what_is_estimated_has_a_wider_tolerance_and_what_is_counted_has_not(make: Make) -> None:
    base, new = make(100, origin="estimated"), make(108, origin="estimated", seed=2)

    assert one(base, new).tolerance == pytest.approx(0.1)
    assert one(base, new).verdict is Verdict.PASS
    assert one(base, new).origin == "estimated"
    assert one(base, new, metric="cpu_s").verdict is Verdict.REGRESSION
    assert one(base, new, metric="cpu_s").origin == "counted"


def test_another_machine_is_not_comparable_and_the_difference_is_named(make: Make) -> None:
    other = make(100, key={"cpu": "Another CPU", "cpus": "4 of 4"})
    report = check([make(100)], [other], ["energy_j"], [], Rules())

    assert report.verdict is Verdict.INCOMPARABLE
    assert "cpu: 'Some CPU' was 'Another CPU'" in report.comparisons[0].reason
    empty = check([make(100)], [], ["energy_j"], [], Rules())
    assert empty.verdict is Verdict.INCOMPARABLE
    assert "no baseline for 'bench'" in empty.comparisons[0].reason


def test_a_regression_counts_most_then_noise_then_what_is_missing(make: Make) -> None:
    base = [make(100), make(100, name="wild", spread=0.2)]
    fresh = [make(120, seed=2), make(100, name="wild", spread=0.2), make(100, name="new")]
    report = check(fresh, base, ["energy_j"], [], Rules())

    assert [c.verdict for c in report.comparisons] == [
        Verdict.REGRESSION,
        Verdict.NOISY,
        Verdict.INCOMPARABLE,
    ]
    assert report.verdict is Verdict.REGRESSION
    assert check(fresh[1:], base, ["energy_j"], [], Rules()).verdict is Verdict.NOISY


def test_alarms_are_shared_among_the_comparisons_of_a_check(make: Make) -> None:
    base, new = make(100), make(105.8, seed=2)
    alone = check([new], [base], ["energy_j"], [], Rules()).comparisons[0]
    many = check([new], [base], ["energy_j", "cpu_s"], [], Rules()).comparisons[0]

    assert many.low is not None
    assert alone.low is not None
    assert many.low < alone.low
    assert many.high == alone.high  # a pass must hold by itself


def test_runs_of_nothing_are_too_short_to_tell(make: Make) -> None:
    said = one(make(100), make(0.0))

    assert said.verdict is Verdict.NOISY
    assert "too short for the meter" in said.reason


def test_absolute_limits_are_decided_by_the_interval(make: Make) -> None:
    def against(value: float, series: RunSeries) -> Verdict:
        return check([series], None, [], [Limit("energy_j", value)], Rules()).verdict

    assert against(120, make(100)) is Verdict.PASS
    assert against(90, make(100)) is Verdict.REGRESSION
    assert against(100, make(100, spread=0.05)) is Verdict.NOISY
    assert against(120, make(100, runs=1)) is Verdict.PASS
    assert against(90, make(100, runs=1)) is Verdict.REGRESSION


def test_a_metric_that_was_not_measured_says_what_would_measure_it(make: Make) -> None:
    with pytest.raises(DataInvalid, match="--g-per-kwh"):
        one(make(1), make(1), metric="co2e_g")


def test_metrics_and_limits_are_read_or_refused_in_one_line() -> None:
    assert parse_metrics("energy_j, cpu_s,energy_j") == ("energy_j", "cpu_s")
    assert parse_limit(" edp < 1e3 ") == Limit("edp", 1000)
    for bad in ("energy_j>3", "joules<3", "energy_j<0", "energy_j<1.2.3", ""):
        with pytest.raises(ConfigInvalid):
            parse_limit(bad)
    with pytest.raises(ConfigInvalid, match="energy_j, power_w_mean"):
        parse_metrics("watts")


def verdicts(
    trials: int, ratio: float, spread: float, rules: Rules, *, pairs: bool
) -> dict[Verdict, int]:
    draw = np.random.default_rng(7)
    counts = dict.fromkeys(Verdict, 0)
    for _ in range(trials):
        base, new = np.exp(draw.normal(0, spread, (2, 7)))
        sides = Sides(
            "b", "cpu_s", "", tuple(base), tuple(new * ratio), pairs=pairs, others_busy=0.0
        )
        counts[compare(sides, rules, 1).verdict] += 1
    return counts


@pytest.mark.parametrize("pairs", [True, False])
@pytest.mark.parametrize("spread", [0.003, 0.02, 0.045, 0.15, 0.4])
def test_the_proof_in_simulation(spread: float, pairs: bool) -> None:  # noqa: FBT001
    """`make bench-gate` asks the same of real commands."""
    strict = Rules(max_regression=0, min_effect=0)

    assert verdicts(200, 1.0, spread, strict, pairs=pairs)[Verdict.REGRESSION] <= 18
    assert verdicts(200, 1.0, spread, Rules(), pairs=pairs)[Verdict.REGRESSION] <= 2
    slower = verdicts(50, 1.1, spread, Rules(), pairs=pairs)
    if spread < 0.02:
        assert slower[Verdict.REGRESSION] >= 45
    assert slower[Verdict.PASS] == 0


@settings(max_examples=examples(200))
@given(
    st.lists(st.floats(1, 3), min_size=1, max_size=7),
    st.lists(st.floats(1, 3), min_size=1, max_size=7),
)
def test_no_pass_where_a_regression_beyond_detect_is_possible(
    base: list[float], new: list[float]
) -> None:
    rules = Rules(max_spread=10)
    said = compare(
        Sides("b", "cpu_s", "", tuple(base), tuple(new), pairs=False, others_busy=0.0), rules, 1
    )

    if said.verdict is Verdict.PASS:
        assert said.high is not None
        assert said.high <= 1.08 + 1e-9
    if said.verdict is Verdict.REGRESSION:
        assert said.low is not None
        assert said.low > 1.05


def test_runs_of_a_restless_machine_that_agree_in_pairs_by_chance_are_no_pass() -> None:
    """Measured on such a machine: the new revision did 10 % more work, and looked 3 % dearer."""
    base = (0.218, 0.250, 0.286, 0.193, 0.301, 0.348, 0.221)
    new = (0.226, 0.255, 0.304, 0.203, 0.330, 0.334, 0.224)

    said = compare(
        Sides("work", "cpu_s", "measured", base, new, pairs=True, others_busy=0.0), Rules(), 1
    )

    assert said.verdict is Verdict.NOISY
    assert "too much for a pass" in said.reason
