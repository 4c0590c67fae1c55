"""The tests on the ratio: exact where all relabellings are looked at, true to their alpha."""

from itertools import combinations, product
from math import exp, log

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wattribute.automation.gate.permutation import fewest_runs, paired, unpaired
from wattribute_testing.strength import examples

POSITIVE = st.floats(0.01, 1000)
SIDES = st.integers(1, 5).flatmap(
    lambda n: st.tuples(
        st.lists(POSITIVE, min_size=n, max_size=n), st.lists(POSITIVE, min_size=n, max_size=n)
    )
)


def naive_unpaired(base: list[float], new: list[float], ratio: float) -> float:
    """By the book: part of all relabellings whose difference of means is as large or larger."""
    x, y = [log(v) for v in base], [log(v / ratio) for v in new]
    pooled, seen, count, total = x + y, sum(y), 0, 0
    for chosen in combinations(range(len(pooled)), len(y)):
        total += 1
        count += sum(pooled[i] for i in chosen) >= seen - 1e-9
    return count / total


def naive_paired(base: list[float], new: list[float], ratio: float) -> float:
    differences = [log(n / ratio / b) for b, n in zip(base, new, strict=True)]
    signs = list(product((1, -1), repeat=len(differences)))
    sums = [sum(s * d for s, d in zip(sign, differences, strict=True)) for sign in signs]
    return sum(one >= sums[0] - 1e-9 for one in sums) / len(sums)


@settings(max_examples=examples(60))
@given(SIDES, st.floats(0.5, 2))
def test_p_is_the_part_of_all_relabellings_that_are_as_large(
    sides: tuple[list[float], list[float]], ratio: float
) -> None:
    base, new = sides
    x, y = np.array(base), np.array(new)

    assert unpaired(x, y).p_value(ratio) == pytest.approx(naive_unpaired(base, new, ratio))
    assert paired(x, y).p_value(ratio) == pytest.approx(naive_paired(base, new, ratio))


def test_unequal_numbers_of_runs_are_compared_too() -> None:
    base, new = [1.0, 1.1, 0.9], [1.3, 1.2, 1.4, 1.25, 1.15]

    assert unpaired(np.array(base), np.array(new)).p_value(1.1) == pytest.approx(
        naive_unpaired(base, new, 1.1)
    )


@settings(max_examples=examples(60))
@given(SIDES, st.sampled_from([0.01, 0.05, 0.1, 0.3]))
def test_the_bound_is_where_the_test_changes_its_mind(
    sides: tuple[list[float], list[float]], alpha: float
) -> None:
    for test in (unpaired(*map(np.array, sides)), paired(*map(np.array, sides))):
        low = test.low(alpha)
        if low > 0:
            assert test.p_value(low * 0.999) <= alpha + 1e-12
            assert test.p_value(low * 1.001) > alpha
            assert low <= test.ratio * (1 + 1e-9)
        assert test.high(alpha) >= test.ratio * (1 - 1e-9)


@settings(max_examples=examples(40))
@given(SIDES, st.floats(0.1, 10))
def test_units_do_not_matter_and_a_factor_moves_the_ratio_by_itself(
    sides: tuple[list[float], list[float]], factor: float
) -> None:
    base, new = map(np.array, sides)
    for make in (unpaired, paired):
        plain, both, one = make(base, new), make(base * 7, new * 7), make(base, new * factor)
        assert both.ratio == pytest.approx(plain.ratio)
        assert one.ratio == pytest.approx(plain.ratio * factor)
        assert one.low(0.2) == pytest.approx(plain.low(0.2) * factor)
        assert one.high(0.2) == pytest.approx(plain.high(0.2) * factor)


def test_swapping_the_sides_turns_the_interval_around() -> None:
    draw = np.random.default_rng(1)
    base, new = np.exp(draw.normal(0, 0.1, 6)), np.exp(draw.normal(0.1, 0.1, 6))
    for make in (unpaired, paired):
        there, back = make(base, new), make(new, base)
        assert there.low(0.05) == pytest.approx(1 / back.high(0.05))


def test_counts_are_exact_at_small_numbers_and_random_beyond() -> None:
    assert unpaired(np.ones(7), np.ones(7)).relabellings == 3432
    assert paired(np.ones(7), np.ones(7)).relabellings == 128
    draw = np.random.default_rng(2)
    base, new = np.exp(draw.normal(0, 0.05, 30)), np.exp(draw.normal(0.1, 0.05, 30))
    for make in (unpaired, paired):
        first, again = make(base, new), make(base, new)
        assert first.relabellings == 20_001
        assert first.low(0.05) == again.low(0.05)
        assert 1 < first.low(0.05) < first.ratio < first.high(0.05)


@pytest.mark.parametrize("pairs", [False, True])
def test_too_few_runs_say_nothing(pairs: bool) -> None:  # noqa: FBT001
    fewest = fewest_runs(0.05, pairs=pairs)
    make = paired if pairs else unpaired

    assert fewest == (5 if pairs else 3)
    assert make(np.ones(fewest - 1), np.full(fewest - 1, 9.0)).low(0.05) == 0
    assert make(np.ones(fewest), np.full(fewest, 9.0)).low(0.05) == pytest.approx(9)


@pytest.mark.parametrize("skew", ["normal", "bursts"])
def test_false_alarms_are_as_rare_as_alpha_says(skew: str) -> None:
    """2,000 comparisons of the same with the same: a true 5 % has 99.9 % of its counts below 132.

    Where the noise is skewed, as when a neighbour wakes up, too: nothing is assumed of it.
    """
    draw = np.random.default_rng(3)
    alarms = {"unpaired": 0, "paired": 0}
    missed = dict(alarms)
    for _ in range(2000):
        noise = draw.normal(0, 0.02, (2, 6))
        if skew == "bursts":
            noise = draw.exponential(0.02, (2, 6)) + 0.2 * (draw.random((2, 6)) < 0.1)
        drift = draw.normal(0, 0.1, 6)  # common to a pair: the machine's
        base, new = np.exp(noise)
        alarms["unpaired"] += unpaired(base, new).low(0.05) > 1
        missed["unpaired"] += unpaired(base, new).high(0.05) < 1
        pair = paired(base * np.exp(drift), new * np.exp(drift))
        alarms["paired"] += pair.low(0.05) > 1
        missed["paired"] += pair.high(0.05) < 1

    assert max(alarms.values()) < 132
    assert max(missed.values()) < 132
    assert min(alarms.values()) > 30  # nor so careful that nothing is ever shown


def test_pairs_see_through_a_drift_that_blinds_the_unpaired_test() -> None:
    drift = np.exp(np.linspace(0, 0.4, 7))
    noise = np.exp(np.random.default_rng(4).normal(0, 0.01, (2, 7)))

    assert unpaired(drift * noise[0], 1.1 * drift * noise[1]).low(0.05) < 1
    assert paired(drift * noise[0], 1.1 * drift * noise[1]).low(0.05) > 1.05


def test_the_estimate_is_the_ratio_of_geometric_means() -> None:
    base, new = np.array([1.0, 4.0]), np.array([4.0, 9.0])

    assert unpaired(base, new).ratio == pytest.approx(6 / 2)
    assert paired(base, new).ratio == pytest.approx(exp((log(4) + log(9 / 4)) / 2))
