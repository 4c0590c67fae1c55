"""The scenario worlds by name, and what is expected of the learner in each."""

from dataclasses import dataclass
from typing import Final

from bench.accuracy.worlds.plan import SMOOTH_LOADS, Plan

CONTROL_PERCENT: Final = 0.5
"""In a control CPU time is right, and the learner may not be further off than this."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """A plan, and the largest sum of errors of the learner that meets the target."""

    plan: Plan
    target_percent: float | None = None
    """Of the true dynamic energy, mean of the seeds; None: no target but the common ones."""


def _smooth(workloads: int, target: float | None = None) -> Scenario:
    return Scenario(Plan(workloads=workloads, rough=False, kinds=SMOOTH_LOADS), target)


def _rough(workloads: int, target: float | None = None) -> Scenario:
    return Scenario(Plan(workloads=workloads), target)


def _control(**effects: object) -> Scenario:
    return Scenario(Plan(equal=True, **effects), CONTROL_PERCENT)  # type: ignore[arg-type]


def _other(**effects: object) -> Scenario:
    return Scenario(Plan(**effects))  # type: ignore[arg-type]


def _pair(common: float) -> Scenario:
    """Two workloads of 10 and 4 W per core, on a machine without any curve."""
    return Scenario(
        Plan(
            workloads=2, threads=2, load=0.6, given_watts=(10.0, 4.0), rough=False,
            kinds=SMOOTH_LOADS, cost_drift=0, smt=0, turbo=0, size_spread=0.2, idle_watts=20,
            hours=1, common=common,
        )
    )  # fmt: skip


SCENARIOS: Final[dict[str, Scenario]] = {
    "soft 5": _smooth(5),
    "soft 20": _smooth(20, 5.0),
    "soft 60": _smooth(60, 8.0),
    "soft 150": _smooth(150, 14.0),
    "hard 5": _rough(5),
    "hard 20": _rough(20, 8.0),
    "hard 60": _rough(60, 12.0),
    "hard 150": _rough(150, 15.0),
    "sigma .2": _other(cost_spread=0.2, cost_drift=0.1),
    "sigma .1": _other(cost_spread=0.1, cost_drift=0.05),
    "equal": _control(),
    "equal 60": _control(workloads=60),
    "equal concave": _control(concave=0.5),
    "equal floor +3 W": _control(floor_error_watts=3),
    "equal floor -3 W": _control(floor_error_watts=-3),
    "equal turbo": _control(turbo=2),
    "equal SMT": _control(smt=2, load=0.5),
    "equal capped": _control(power_cap_quantile=0.7, load=0.6),
    "equal as one": _control(common=0.95, kinds=SMOOTH_LOADS),
    "equal 1 s": _control(tick_s=1, hours=1),
    "equal governor": _control(governor_s=900),
    "as one (.95)": _other(common=0.95, kinds=SMOOTH_LOADS),
    "constant": _other(kinds={"constant": 1.0}),
    "two": _rough(2),
    "one": _rough(1, CONTROL_PERCENT),
    "churn 10 min": _other(life_s=600),
    "short jobs": _other(short_jobs=3000),
    "60 = 12 x 5": _other(workloads=60, replicas=5),
    "phases 20 min": _other(phase_s=1200),
    "governor": _other(governor_s=900),
    "governor, clock known": _other(governor_s=900, clock_readable=True),
    "capped": _other(power_cap_quantile=0.7, load=0.6),
    "floor +3 W": _other(floor_error_watts=3),
    "floor -3 W": _other(floor_error_watts=-3),
    "BMC lag 10 s": _other(meter_delay_s=10, meter_window_s=10),
    "1 s": _other(tick_s=1, hours=1),
    "15 s": _other(tick_s=15),
    "5 % busy": _other(load=0.05),
    "100 % busy": _other(load=1.6),
    "PMU": _other(counters=True),
    "6 h": _other(hours=6),
    "pair 10 v 4": _pair(0.5),
    "pair 10 v 4, as one": _pair(0.99),
}
