"""The scenario worlds: the same minutes for every version, and effects that do what they say."""

import numpy as np
import pytest
from bench.accuracy.worlds.build import build
from bench.accuracy.worlds.plan import SMOOTH_LOADS, Plan
from bench.accuracy.worlds.scenarios import SCENARIOS

SHORT = {"hours": 0.2, "workloads": 6}


def test_a_seed_gives_the_same_world_in_every_version() -> None:
    """Figures of two versions can be compared only if these numbers never move."""
    world = build(SCENARIOS["soft 20"].plan, 0)

    assert world.use.shape == (1440, 20)
    assert float(world.power_watts.sum()) == pytest.approx(168722.700318, rel=1e-9)
    rough = build(SCENARIOS["hard 5"].plan, 1)
    assert float(rough.power_watts.sum()) == pytest.approx(133792.559953, rel=1e-9)
    assert float(build(SCENARIOS["hard 5"].plan, 2).power_watts.sum()) != rough.power_watts.sum()


@pytest.mark.parametrize("name", [n for n in SCENARIOS if n.startswith("equal")])
def test_in_a_control_all_cost_the_same(name: str) -> None:
    world = build(SCENARIOS[name].plan, 0)
    running = world.use > 1e-9
    watts_per_core = np.where(running, world.true_watts / np.where(running, world.use, 1), np.nan)

    assert np.nanmax(watts_per_core, 1) == pytest.approx(np.nanmin(watts_per_core, 1))


def test_a_smooth_machine_keeps_the_ratio_of_two_workloads() -> None:
    world = build(SCENARIOS["pair 10 v 4"].plan, 0)
    watts_per_core = world.true_watts / world.use

    assert watts_per_core[:, 0] / watts_per_core[:, 1] == pytest.approx(2.5)


def test_nobody_uses_more_than_the_machine_has() -> None:
    world = build(Plan(load=1.6, **SHORT), 0)

    assert world.use.sum(1).max() <= world.threads * (1 + 1e-9)
    assert np.median(world.use.sum(1)) == pytest.approx(world.threads, rel=0.01)


def test_each_effect_changes_what_it_is_named_for() -> None:
    plain = build(Plan(**SHORT), 3)
    capped = build(Plan(power_cap_quantile=0.5, **SHORT), 3)
    off = build(Plan(floor_error_watts=3, **SHORT), 3)
    jobs = build(Plan(short_jobs=50, **SHORT), 3)
    churn = build(Plan(life_s=60, **SHORT), 3)
    replicas = build(Plan(replicas=3, **SHORT), 3)
    counted = build(Plan(counters=True, **SHORT), 3)

    total = capped.true_watts.sum(1)
    assert np.mean(total > total.max() * (1 - 1e-9)) == pytest.approx(0.5, abs=0.02)
    assert off.floor_watts == plain.floor_watts + 3
    assert jobs.use.shape[1] == 6 + 50
    assert ((churn.use > 0).sum(1) <= 6).all()
    assert churn.use.shape[1] > 6
    assert replicas.owners.tolist() == [0, 0, 0, 1, 1, 1]
    assert counted.counters is not None
    assert counted.counters.cycles.shape == counted.use.shape


def test_a_slow_meter_shows_the_past() -> None:
    fast = build(Plan(meter_noise=0, meter_noise_watts=0, **SHORT), 0)
    slow = build(Plan(meter_noise=0, meter_noise_watts=0, meter_delay_s=10, **SHORT), 0)

    assert slow.power_watts[2:] == pytest.approx(fast.power_watts[:-2])


def test_loads_have_the_mean_that_was_asked_for() -> None:
    world = build(Plan(kinds=SMOOTH_LOADS, load=0.2, common=0, workloads=60, hours=1), 0)

    assert world.use.sum(1).mean() / world.threads == pytest.approx(0.2, rel=0.1)
