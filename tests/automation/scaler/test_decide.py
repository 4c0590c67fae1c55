import math
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wattribute.automation.scaler.decide import (
    Decision,
    DecisionMemory,
    Reason,
    decide,
    drain_hours,
)
from wattribute.automation.scaler.policy import Policy, read_policy
from wattribute.automation.scaler.signals import Ahead, Signals
from wattribute_testing.strength import examples

HOUR = 3600.0
NOON = 20_000 * 86_400.0 + 12 * HOUR
COMMON = {"query": "queue", "target": "5", "failOpenReplicas": "3", "region": "DE"}
KINDS = {
    "intensity": {"emissionThreshold": "200"},
    "percentile": {"percentile": "30"},
    "power-cap": {"watts": "500"},
    "carbon-budget": {"gramsPerDay": "1000"},
    "deadline": {"deadline": "2026-11-30T06:00:00Z", "unitsPerReplicaHour": "10"},
}


def policy(kind: str, **more: str) -> Policy:
    return read_policy({"policy": kind, **COMMON, **KINDS[kind], **more})


def day(*grams: float, start_s: float = NOON) -> list[Ahead]:
    return [
        Ahead(start_s + hour * HOUR, start_s + (hour + 1) * HOUR, one)
        for hour, one in enumerate(grams)
    ]


def first(policy: Policy, signals: Signals, demand: float = 50.0) -> Decision:
    return decide(policy, signals, demand, DecisionMemory(), NOON)[0]


def test_intensity_pauses_above_the_threshold_and_runs_below() -> None:
    assert first(policy("intensity"), Signals(201)).value == 0
    assert first(policy("intensity"), Signals(201)).reason is Reason.DIRTY
    assert first(policy("intensity"), Signals(199)).value == 50


def test_the_floor_stays_while_paused() -> None:
    found = first(policy("intensity", floorReplicas="2"), Signals(900))
    assert (found.allowed_replicas, found.value) == (2, 10)


def test_scale_down_emits_per_hour_what_the_threshold_would() -> None:
    found = first(policy("intensity", handler="scaleDown"), Signals(400))
    assert (found.desired_replicas, found.allowed_replicas, found.value) == (10, 5, 25)


def test_a_pause_ends_only_below_the_band_and_after_the_dwell() -> None:
    spec = policy("intensity", hysteresis="0.1", minDwellMinutes="5")
    _, memory = decide(spec, Signals(300), 50, DecisionMemory(), NOON)
    early, memory = decide(spec, Signals(100), 50, memory, NOON + 299)
    assert (early.reason, early.value) == (Reason.DWELL, 0)
    inside, memory = decide(spec, Signals(190), 50, memory, NOON + 600)
    assert (inside.reason, inside.value) == (Reason.DIRTY, 0)
    below, _ = decide(spec, Signals(179), 50, memory, NOON + 601)
    assert (below.reason, below.value) == (Reason.CLEAN, 50)


def test_a_pause_ends_after_its_longest_time_and_may_begin_again_later() -> None:
    spec = policy("intensity", maxPauseMinutes="60", minDwellMinutes="10")
    memory, seen = DecisionMemory(), []
    for minute in range(0, 181, 5):
        found, memory = decide(spec, Signals(900), 50, memory, NOON + 60 * minute)
        seen.append((minute, found.value))
    assert [minute for minute, value in seen if value] == list(range(60, 90, 5)) + list(
        range(150, 180, 5)
    )


def test_percentile_needs_no_threshold_in_grams() -> None:
    for scale in (1.0, 40.0):
        grams = [scale * one for one in range(24)]
        runs = [first(policy("percentile"), Signals(now, day(*grams))).value > 0 for now in grams]
        assert runs == [True] * 8 + [False] * 16  # rank 7/24 is within 30 %, 8/24 is not


def test_a_grid_that_never_changes_never_pauses_a_percentile() -> None:
    assert first(policy("percentile", percentile="1"), Signals(700, day(*[700.0] * 24))).value == 50


def test_a_short_forecast_fails_open() -> None:
    found = first(policy("percentile"), Signals(700, day(100, 700)))
    assert (found.reason, found.allowed_replicas, found.value) == (Reason.FAIL_OPEN, 3, 15)
    assert "12 hours" in found.detail


def test_a_power_cap_is_never_exceeded() -> None:
    found = first(policy("power-cap"), Signals(watts_per_replica=115))
    assert (found.reason, found.allowed_replicas) == (Reason.POWER_CAP, 4)
    assert first(policy("power-cap"), Signals(watts_per_replica=20)).value == 50


def test_a_measured_power_at_the_edge_does_not_flap() -> None:
    spec, memory, seen = policy("power-cap"), DecisionMemory(), []
    for step, each in enumerate((101, 99.9, 100.1, 99.9, 90)):
        found, memory = decide(spec, Signals(watts_per_replica=each), 50, memory, NOON + 15 * step)
        seen.append(found.allowed_replicas)
    assert seen == [4, 4, 4, 4, 5]


def test_a_carbon_budget_stops_when_it_is_spent_and_begins_anew_at_midnight() -> None:
    spec = policy("carbon-budget", floorReplicas="0")
    signals = Signals(500, watts_per_replica=100)  # 10 replicas: 500 g per hour
    memory, spent = DecisionMemory(), 0.0
    for minute in range(0, 12 * 60, 5):
        found, memory = decide(spec, signals, 50, memory, NOON + 60 * minute)
        spent += found.allowed_replicas * 0.1 * 500 * 5 / 60
    assert 950 <= spent <= 1000
    assert found.reason is Reason.BUDGET_SPENT
    found, _ = decide(spec, signals, 50, memory, NOON + 12 * HOUR + 1)
    assert (found.reason, found.value) == (Reason.WITHIN_BUDGET, 50)


def test_a_budget_goes_on_paying_while_its_signals_are_away() -> None:
    spec = policy("carbon-budget", failOpenReplicas="10")
    _, memory = decide(spec, Signals(500, watts_per_replica=100), 50, DecisionMemory(), NOON)
    for hour in (1, 2, 3):
        _, memory = decide(spec, Signals(problem="away"), 50, memory, NOON + hour * HOUR)
    assert memory.spent_g == pytest.approx(1500)


def test_the_whole_day_as_percentile_holds_nothing_back() -> None:
    spec = policy("percentile", percentile="100", handler="scaleDown")
    assert first(spec, Signals(900, day(*[100.0] * 24))).value == 50


def test_a_deadline_waits_for_the_cleanest_hours_and_then_must_run() -> None:
    spec = replace(policy("deadline"), deadline_s=NOON + 10 * HOUR, margin_s=600)
    later_cleaner = Signals(500, day(500, 500, 400, 300, 100, 100, 300, 400, 500, 500))
    assert first(spec, later_cleaner).reason is Reason.WAITING
    assert first(spec, replace(later_cleaner, g_per_kwh=100)).reason is Reason.CLEANEST_HOURS
    late = replace(spec, deadline_s=NOON + drain_hours(spec, 50) * HOUR + 600)
    assert first(late, later_cleaner).reason is Reason.MUST_RUN
    assert first(replace(spec, deadline_s=NOON), later_cleaner).reason is Reason.DEADLINE_PASSED


def test_a_deadline_takes_dirtier_hours_as_the_slack_shrinks() -> None:
    grams = [100.0 * hour for hour in range(1, 11)]
    runs = []
    for left_h in (10, 6, 4, 3):
        spec = replace(policy("deadline"), deadline_s=NOON + left_h * HOUR, margin_s=60)
        taken = [
            first(spec, Signals(now, day(*grams[:left_h]))).value > 0 for now in grams[:left_h]
        ]
        runs.append(sum(taken) / left_h)
    assert runs == sorted(runs)
    assert runs[-1] > runs[0]


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "power-cap"])
def test_without_a_carbon_intensity_the_stated_replicas_run(kind: str) -> None:
    spec = replace(policy(kind), deadline_s=NOON + 100 * HOUR)
    found = first(spec, Signals(problem="em: status 500", watts_per_replica=100))
    assert (found.reason, found.value, found.detail) == (Reason.FAIL_OPEN, 15, "em: status 500")


def test_a_dry_run_returns_the_demand_and_says_what_it_would_do() -> None:
    found = first(policy("intensity", dryRun="true"), Signals(900))
    assert (found.value, found.allowed_replicas, found.reason) == (50, 0, Reason.DIRTY)


_AMOUNT = st.floats(0, 1e5, allow_nan=False)
_GRAMS = st.one_of(st.none(), st.floats(0, 2000))
_STEP = st.tuples(_AMOUNT, _GRAMS, st.floats(0, 3000), st.floats(0, 7200))


@settings(max_examples=examples(60))
@given(
    st.sampled_from(sorted(KINDS)),
    st.integers(0, 20),
    st.integers(0, 100),
    st.booleans(),
    st.lists(st.floats(0, 2000), max_size=30),
    st.lists(_STEP, min_size=1, max_size=12),
)
def test_never_above_the_demand_and_never_below_the_floor(  # noqa: PLR0917 - hypothesis gives them
    kind: str,
    floor: int,
    fail_open: int,
    scale_down: bool,  # noqa: FBT001 - hypothesis gives it
    grams: list[float],
    steps: list[tuple[float, float | None, float, float]],
) -> None:
    spec = replace(
        policy(kind),
        floor_replicas=floor,
        fail_open_replicas=fail_open,
        scale_down=scale_down,
        deadline_s=NOON + 5 * HOUR,
    )
    memory, now_s = DecisionMemory(), NOON
    for demand, now, watts, pause_s in steps:
        now_s += pause_s
        signals = Signals(now, day(*grams), "away", watts)
        found, memory = decide(spec, signals, demand, memory, now_s)
        assert min(demand, floor * spec.target) <= found.value <= demand
        assert min(floor, found.desired_replicas) <= found.allowed_replicas
        assert found.allowed_replicas <= found.desired_replicas
        assert math.isfinite(memory.spent_g)


@settings(max_examples=examples(40))
@given(
    st.floats(0.1, 3000),
    st.integers(1, 50),
    st.floats(0.5, 50),
    st.floats(0.5, 100),
    st.floats(1.0, 3.0),
    st.lists(st.floats(0, 2000), min_size=1, max_size=48),
    st.booleans(),
)
def test_a_deadline_that_is_feasible_is_met(  # noqa: PLR0917 - hypothesis gives them
    work: float,
    most: int,
    target: float,
    rate: float,
    slack: float,
    grams: list[float],
    away: bool,  # noqa: FBT001
) -> None:
    step_s, margin_s = 60.0, 600.0
    spec = replace(
        policy("deadline"),
        max_replicas=most,
        target=target,
        units_per_replica_hour=rate,
        margin_s=margin_s,
        fail_open_replicas=0,
    )
    needed_s = drain_hours(spec, work) * HOUR
    if needed_s > 40 * HOUR:
        return
    spec = replace(spec, deadline_s=NOON + slack * needed_s + margin_s + step_s)
    memory, now_s, left = DecisionMemory(), NOON, work
    while left > 1e-9 and now_s < spec.deadline_s:
        hour = int((now_s - NOON) // HOUR)
        signals = Signals(None) if away else Signals(grams[hour % len(grams)], day(*grams))
        found, memory = decide(spec, signals, left, memory, now_s)
        replicas = math.ceil(found.value / target)
        left = max(0.0, left - min(replicas, most) * rate * step_s / HOUR)
        now_s += step_s
    assert left <= 1e-9
