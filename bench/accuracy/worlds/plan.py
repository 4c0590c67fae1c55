"""The parameters of one simulated machine."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

SMOOTH_LOADS: Final[Mapping[str, float]] = MappingProxyType({"smooth": 1.0})
MIXED_LOADS: Final[Mapping[str, float]] = MappingProxyType(
    {"smooth": 0.5, "on-off": 0.2, "steady": 0.2, "cron": 0.1}
)
"""Shares of the kinds of load; ``worlds.loads`` says what each does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A machine with 64 threads and its workloads; each field is one effect."""

    workloads: int = 20
    hours: float = 2.0
    tick_s: float = 5.0
    threads: float = 64.0

    rough: bool = True
    """SMT pairs, own clocks, memory contention and leakage; False: one curve for everybody."""
    equal: bool = False
    """All workloads cost the same per CPU-second: a control, in which CPU time is right."""
    watts_per_core: float = 4.0
    """Median of the workloads, alone on the machine."""
    given_watts: tuple[float, ...] | None = None
    """W per core of each workload instead of drawn ones."""
    cost_spread: float = 0.35
    """Standard deviation of ln(W per core) between owners. Real mixes have about this."""
    cost_drift: float = 0.15
    """Standard deviation of ln(W per core) of one workload over time, in half an hour."""
    phase_s: float = 0.0
    """Mean time between jumps of W per core by 35 %; 0: none."""
    replicas: int = 1
    """Workloads of each owner."""

    load: float = 0.4
    """Mean use as a share of all threads; above 1 workloads wait for each other."""
    common: float = 0.5
    """Share of the variance of loads that all have in common (daily traffic)."""
    kinds: Mapping[str, float] = field(default_factory=lambda: MIXED_LOADS)
    load_spread: float = 0.6
    """Standard deviation of ln(use) of one workload over time."""
    size_spread: float = 1.0
    """Standard deviation of ln(mean use) between workloads."""
    life_s: float = 0.0
    """Mean life of a workload, after which another one takes its place; 0: none ends."""
    short_jobs: int = 0
    """So many jobs of about a minute use half of the load."""

    smt: float = 1.0
    """Strength of the loss that busy siblings share; 2: siblings count only from half load on."""
    turbo: float = 1.0
    """Strength of the clock's fall with load."""
    concave: float = 0.0
    """Exponent by which W per thread falls with load, instead of SMT and turbo; 0: off."""
    power_cap_quantile: float = 0.0
    """The firmware caps the power at this quantile of what it would be; 0: no cap."""
    governor_s: float = 0.0
    """Mean time between switches of the frequency governor; 0: none."""
    clock_exponent: float = 2.2
    """Power of a thread goes with its clock to this power (voltage falls with it)."""

    idle_watts: float = 40.0
    floor_error_watts: float = 0.0
    """What the agent's floor is off by."""
    idle_walk: float = 0.3
    """Scale of the slow wander of idle power (temperature, fans), W."""
    leakage: float = 0.03
    """W of idle power for each W above the mean of three minutes; rough machines only."""
    meter_noise: float = 0.004
    """Of each reading, as a share of it."""
    meter_noise_watts: float = 0.3
    meter_delay_s: float = 0.0
    meter_window_s: float = 0.0
    """A slow meter (BMC) shows the mean of this time, that much later."""
    clock_readable: bool = False
    counters: bool = False
