"""Decide how many replicas the demand may have now, from policy, signals and earlier decisions.

The result is never above the demand, and never below the smaller of the demand and the floor.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import Enum
from typing import Final

from wattribute.automation.scaler.policy import Policy
from wattribute.automation.scaler.signals import Signals, cheapest_g_per_kwh, rank_in_next_day
from wattribute.core.units import DAY_S, HOUR_S, WATTS_PER_KILOWATT

_LEAST_OPEN_S: Final = 1800.0
"""Least time without throttling after the longest pause, so that delayed work can run."""
_BUDGET_AHEAD_H: Final = 1 / 12
"""A budget must cover five more minutes of the replicas that it allows."""
_EULER: Final = 0.5772156649015329


class Reason(Enum):
    """The reason of a decision; a label of metrics."""

    NO_DEMAND = "no_demand"
    CLEAN = "clean"
    """The signal is on the good side of the threshold."""
    DIRTY = "dirty"
    DWELL = "dwell"
    """The signal has crossed the threshold, and ``minDwellMinutes`` have not passed."""
    MAX_PAUSE = "max_pause"
    WITHIN_CAP = "within_cap"
    POWER_CAP = "power_cap"
    WITHIN_BUDGET = "within_budget"
    BUDGET_SPENT = "budget_spent"
    CLEANEST_HOURS = "cleanest_hours"
    """The deadline can be met, and this hour is among the cleanest until then."""
    WAITING = "waiting"
    MUST_RUN = "must_run"
    """There is no slack left before the deadline."""
    DEADLINE_PASSED = "deadline_passed"
    FAIL_OPEN = "fail_open"
    """A signal is missing."""


@dataclass(frozen=True, slots=True)
class DecisionMemory:
    """The state that the next decision needs from earlier ones."""

    throttled: bool = False
    since_s: float = -math.inf
    """Time of the last change of ``throttled``."""
    open_until_s: float = -math.inf
    cap_replicas: int = 0
    day: int = 0
    """Days since 1970, UTC."""
    spent_g: float = 0.0
    """Grams spent on that day."""
    at_s: float = -math.inf
    """Time of the last decision; since then, ``grams_per_hour`` are spent."""
    grams_per_hour: float = 0.0


@dataclass(frozen=True, slots=True)
class Decision:
    """The value for KEDA, and its reason."""

    demand: float
    value: float
    """The metric's value: at most ``demand``; equal to ``demand`` in a dry run."""
    desired_replicas: int
    """Replicas for the whole demand, up to the policy's ``maxReplicas``."""
    allowed_replicas: int
    """Replicas that the policy allows; in a dry run, those that it would allow."""
    reason: Reason
    detail: str = ""


@dataclass(frozen=True, slots=True)
class _Wish:
    """The result of a policy before its time constants are applied."""

    throttle: bool
    level: float
    """Allowed replicas while throttled."""
    good: Reason
    bad: Reason
    detail: str
    at_once: bool = False
    """True for hard limits and dates, which ignore ``minDwellMinutes``."""


@dataclass(frozen=True, slots=True)
class _Case:
    """The inputs of one decision."""

    policy: Policy
    signals: Signals
    memory: DecisionMemory
    now_s: float
    demand: float
    desired: int


class _Missing(Exception):  # noqa: N818 - not an error: a state
    """A signal is missing that the policy needs."""


def decide(
    policy: Policy, signals: Signals, demand: float, memory: DecisionMemory, now_s: float
) -> tuple[Decision, DecisionMemory]:
    """Make one decision; return it and the state for the next one.

    Args:
        policy: The policy of the trigger.
        signals: Carbon intensity and power.
        demand: Value of the inner metric in its units; at least 0 and finite.
        memory: The state that the last call returned; ``Memory()`` the first time.
        now_s: Unix time.
    """
    desired = min(policy.max_replicas, math.ceil(demand / policy.target))
    memory = _with_spending(memory, now_s)
    case = _Case(policy, signals, memory, now_s, demand, desired)
    try:
        wish = _WISHES[policy.kind](case)
    except _Missing as exc:
        level, reason, detail = float(policy.fail_open_replicas), Reason.FAIL_OPEN, str(exc)
    else:
        memory, reason = _settled(wish, case)
        level = wish.level if memory.throttled else float(desired)
        detail = wish.detail
    allowed = min(desired, max(policy.floor_replicas, math.floor(level)))
    if not desired:
        reason = Reason.NO_DEMAND
    value = demand if allowed >= desired or policy.dry_run else allowed * policy.target
    decision = Decision(demand, min(value, demand), desired, allowed, reason, detail)
    running = desired if policy.dry_run else allowed
    # While a signal is missing, a budget keeps spending at its last rate rather than at 0.
    rate = memory.grams_per_hour
    if signals.g_per_kwh is not None and signals.watts_per_replica:
        rate = running * signals.watts_per_replica / WATTS_PER_KILOWATT * signals.g_per_kwh
    return decision, replace(
        memory, grams_per_hour=rate, at_s=now_s, cap_replicas=max(allowed, policy.floor_replicas)
    )


def _settled(wish: _Wish, case: _Case) -> tuple[DecisionMemory, Reason]:
    """Apply least dwell and longest pause to a wish; return the new state and the reason."""
    policy, memory, now_s = case.policy, case.memory, case.now_s
    throttle = wish.throttle
    reason = wish.bad if throttle else wish.good
    changed = throttle != memory.throttled
    if now_s < memory.open_until_s and throttle and policy.max_pause_s:
        throttle, reason = False, Reason.MAX_PAUSE
    elif changed and not wish.at_once and now_s - memory.since_s < policy.min_dwell_s:
        throttle, reason = memory.throttled, Reason.DWELL
    if (
        throttle
        and memory.throttled
        and policy.max_pause_s
        and now_s - memory.since_s >= policy.max_pause_s
    ):
        open_s = max(policy.min_dwell_s, _LEAST_OPEN_S)
        memory = replace(memory, open_until_s=now_s + open_s)
        throttle, reason = False, Reason.MAX_PAUSE
    if throttle != memory.throttled:
        memory = replace(memory, throttled=throttle, since_s=now_s)
    return memory, reason


def _with_spending(memory: DecisionMemory, now_s: float) -> DecisionMemory:
    """Add the grams since the last decision to the budget; a new day starts at 0."""
    today = int(now_s // DAY_S)
    since_s = max(memory.at_s, today * DAY_S)
    grams = memory.grams_per_hour * max(0.0, now_s - since_s) / HOUR_S
    before = memory.spent_g if memory.day == today else 0.0
    return replace(memory, day=today, spent_g=before + grams)


def _intensity(case: _Case) -> _Wish:
    policy, now = case.policy, _now(case.signals)
    threshold = policy.emission_threshold
    limit = threshold * (1 - policy.hysteresis) if case.memory.throttled else threshold
    # Emit as much per hour as the whole demand would emit at the threshold.
    level = case.desired * min(1.0, threshold / now) if policy.scale_down and now else 0.0
    detail = f"{now:.0f} g/kWh, threshold {threshold:g}"
    return _Wish(now > limit, level, Reason.CLEAN, Reason.DIRTY, detail)


def _percentile(case: _Case) -> _Wish:
    policy, now = case.policy, _now(case.signals)
    rank = rank_in_next_day(case.signals.forecast, now, case.now_s)
    if rank is None:
        raise _Missing(case.signals.problem or "the forecast covers less than 12 hours")
    part = policy.percentile / 100
    limit = part * (1 - policy.hysteresis) if case.memory.throttled else part
    level = 0.0
    if policy.scale_down:
        level = case.desired * min(1.0, (1 - rank) / (1 - part)) if part < 1 else case.desired
    detail = f"{now:.0f} g/kWh, above {100 * rank:.0f} % of the next 24 h"
    return _Wish(rank > limit, level, Reason.CLEAN, Reason.DIRTY, detail)


def _power_cap(case: _Case) -> _Wish:
    policy, watts_each = case.policy, _watts(case.signals)
    cap = math.floor(min(policy.watts / watts_each + 1e-9, policy.max_replicas))
    if cap > case.memory.cap_replicas and not policy.watts_per_replica:
        # Measured watts fluctuate, so the cap rises only if there is a margin.
        cap_with_margin = math.floor(min(policy.watts * (1 - policy.hysteresis) / watts_each, cap))
        cap = max(case.memory.cap_replicas, cap_with_margin, min(cap, 1))
    detail = f"{watts_each:.1f} W per replica, cap {policy.watts:g} W"
    return _Wish(cap < case.desired, cap, Reason.WITHIN_CAP, Reason.POWER_CAP, detail, at_once=True)


def _carbon_budget(case: _Case) -> _Wish:
    policy, now = case.policy, _now(case.signals)
    each_g_per_h = _watts(case.signals) / WATTS_PER_KILOWATT * now
    left_g = max(0.0, policy.grams_per_day - case.memory.spent_g)
    ahead = each_g_per_h * _BUDGET_AHEAD_H
    level = min(left_g / ahead, case.desired) if ahead else case.desired
    detail = f"{case.memory.spent_g:.0f} of {policy.grams_per_day:g} g today"
    return _Wish(
        math.floor(level) < case.desired,
        level,
        Reason.WITHIN_BUDGET,
        Reason.BUDGET_SPENT,
        detail,
        at_once=True,
    )


def _deadline(case: _Case) -> _Wish:
    policy, now_s = case.policy, case.now_s
    if now_s >= policy.deadline_s:
        return _run(case, Reason.DEADLINE_PASSED, "the work runs at once")
    needed_s = drain_hours(policy, case.demand) * HOUR_S
    left_s = policy.deadline_s - policy.margin_s - now_s
    detail = (
        f"{needed_s / HOUR_S:.1f} h of work, {max(0.0, left_s) / HOUR_S:.1f} h until the deadline"
    )
    if needed_s >= left_s:
        return _run(case, Reason.MUST_RUN, detail)
    now = _now(case.signals)
    limit = cheapest_g_per_kwh(case.signals.forecast, now_s, now_s + left_s, needed_s / left_s)
    if limit is None:
        raise _Missing(case.signals.problem or "no forecast")
    detail += f", {now:.0f} g/kWh, runs at {limit:.0f} or less"
    return _Wish(now > limit, 0.0, Reason.CLEANEST_HOURS, Reason.WAITING, detail)


def _run(case: _Case, reason: Reason, detail: str) -> _Wish:
    return _Wish(False, case.desired, reason, reason, detail, at_once=True)  # noqa: FBT003 - the field throttle


def drain_hours(policy: Policy, demand: float) -> float:
    """Return the hours in which the demand is worked off without a policy; at most 0.3 % too long.

    As the work proceeds, the demand falls, and its replicas with it. With ``n`` replicas, work of
    one ``target`` takes ``target / (rate * n)``, so the sum is the harmonic number of ``n``.
    """
    rate, target = policy.units_per_replica_hour, policy.target
    most = policy.max_replicas
    full = max(0.0, demand - most * target) / (rate * most)
    count = min(most, math.ceil(demand / target))
    if not count:
        return 0.0
    harmonic = min(math.log(count) + _EULER + 1 / (2 * count), 1 + math.log(count))
    return full + target / rate * harmonic


def _now(signals: Signals) -> float:
    if signals.g_per_kwh is None:
        raise _Missing(signals.problem or "no carbon intensity yet")
    return signals.g_per_kwh


def _watts(signals: Signals) -> float:
    if signals.watts_per_replica <= 0:
        raise _Missing(
            signals.power_problem
            or "watts per replica are not known; set wattsPerReplica or scaler.queries.power"
        )
    return signals.watts_per_replica


_WISHES: Final[Mapping[str, Callable[[_Case], _Wish]]] = {
    "intensity": _intensity,
    "percentile": _percentile,
    "power-cap": _power_cap,
    "carbon-budget": _carbon_budget,
    "deadline": _deadline,
}
