"""A cap is known from powercap, or found where readings pile up; a load that varies is no cap."""

import numpy as np

from wattribute.node.attribution.learned.cap import PowerCap

TICK_S = 5.0


def capped_part(watts: np.ndarray, limit_w: float | None = None) -> float:
    """Part of the ticks of the second half in which the cap is said to hold."""
    cap = PowerCap()
    said = [cap.holds(float(power_w), TICK_S, limit_w) for power_w in watts]
    return float(np.mean(said[len(said) // 2 :]))


def varying(seed: int, ticks: int = 1440) -> np.ndarray:
    random = np.random.default_rng(seed)
    level = np.zeros(ticks)
    for tick in range(1, ticks):
        level[tick] = 0.97 * level[tick - 1] + random.normal(0, 0.24)
    return np.asarray(100 * np.exp(0.2 * level) * (1 + random.normal(0, 0.004, ticks)))


def test_readings_at_the_known_limit_are_capped() -> None:
    assert capped_part(np.array([99.0, 99.0]), 100.0) == 1
    assert capped_part(np.array([97.0, 97.0]), 100.0) == 0
    assert capped_part(np.array([140.0, 140.0]), 100.0) == 0  # turbo may, for some seconds


def test_a_load_that_varies_is_not_capped() -> None:
    assert max(capped_part(varying(seed)) for seed in range(5)) <= 0.01


def test_readings_that_pile_up_below_nothing_are_a_cap() -> None:
    random = np.random.default_rng(1)
    free = varying(1)
    limit_w = float(np.quantile(free, 0.7))
    held = np.minimum(free, limit_w) * (1 + random.normal(0, 0.002, len(free)))
    is_held = free[len(free) // 2 :] > limit_w

    assert abs(capped_part(held) - is_held.mean()) < 0.1


def test_a_cap_that_is_lifted_is_forgotten() -> None:
    held = np.minimum(varying(2), 95.0)
    cap = PowerCap()
    for power_w in held:
        cap.holds(float(power_w), TICK_S, None)

    said = [cap.holds(float(power_w), TICK_S, None) for power_w in varying(3, 2000)]

    assert np.mean(said[1000:]) <= 0.01
