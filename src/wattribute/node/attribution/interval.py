"""Two readings of one zone make an interval; one makes nothing."""

from dataclasses import dataclass
from typing import Literal

from wattribute.core.records import Counter, Gauge, Interval, Origin, Power, Reading, Zone
from wattribute.core.units import Microjoules, Nanoseconds, energy_at
from wattribute.node.attribution.counter import energy_between


@dataclass(frozen=True, slots=True)
class Rejected:
    """Why two readings make no interval; the caller counts."""

    reason: Literal["reset", "impossible"]
    """``reset``: the counter began anew, or the meter now speaks of something else.
    ``impossible``: more power than the machine can draw, negative power, or no time passed."""


def interval_between(before: Reading, after: Reading, *, power_max_uw: int) -> Interval | Rejected:
    """Return the energy between two readings of one zone, or why it cannot be known.

    * Counter: their difference (measured).
    * Gauge: power over the time (integrated). One that is averaged is a mean up to now,
      so the later value holds for all of it (a rectangle); one of the instant is taken as
      a straight line between the two (a trapezoid).

    Args:
        before: the earlier reading.
        after: the later one, of the same zone.
        power_max_uw: no zone of this kind can draw more (settings).

    Raises:
        ValueError: the readings are of different zones.
    """
    if before.zone != after.zone:
        raise ValueError(f"readings of two zones make no interval: {before.zone}, {after.zone}")
    elapsed_ns = after.at_ns - before.at_ns
    if elapsed_ns <= 0:
        return Rejected("impossible")
    match before.value, after.value:
        case Counter() as first, Counter() as second:
            return _measured(before, after, first, second, power_max_uw)
        case Gauge() as first, Gauge() as second:
            return _integrated(before, after, first, second, power_max_uw)
        case _:
            return Rejected("reset")


def _measured(
    before: Reading, after: Reading, first: Counter, second: Counter, power_max_uw: int
) -> Interval | Rejected:
    energy_uj = energy_between(
        first, second, elapsed_ns=after.at_ns - before.at_ns, power_max_uw=power_max_uw
    )
    if energy_uj is None:
        same_counter = first.wraps_at_uj == second.wraps_at_uj
        rose = second.energy_uj >= first.energy_uj
        return Rejected("impossible" if rose and same_counter else "reset")
    return Interval(after.zone, before.at_ns, after.at_ns, energy_uj, Origin.MEASURED)


def _integrated(
    before: Reading, after: Reading, first: Gauge, second: Gauge, power_max_uw: int
) -> Interval | Rejected:
    if not (0 <= first.power_uw <= power_max_uw and 0 <= second.power_uw <= power_max_uw):
        return Rejected("impossible")
    elapsed_ns = after.at_ns - before.at_ns
    if second.averaged:
        energy_uj = energy_at(second.power_uw, elapsed_ns)
    else:
        energy_uj = Microjoules(energy_at(first.power_uw + second.power_uw, elapsed_ns) // 2)
    return Interval(after.zone, before.at_ns, after.at_ns, energy_uj, Origin.INTEGRATED)


def estimated_interval(
    zone: Zone, start_ns: Nanoseconds, end_ns: Nanoseconds, power: Power, *, power_max_uw: int
) -> Interval | Rejected:
    """Return the energy of a model's mean power over a time, with its floor and its band.

    Args:
        zone: what the model estimates.
        start_ns: when the time began.
        end_ns: when it ended.
        power: the model's word for the load in that time.
        power_max_uw: no zone of this kind can draw more (settings).
    """
    elapsed_ns = end_ns - start_ns
    mean_uw = power.idle_uw + power.dynamic_uw
    if elapsed_ns <= 0 or min(power.idle_uw, power.dynamic_uw) < 0 or mean_uw > power_max_uw:
        return Rejected("impossible")
    return Interval(
        zone,
        start_ns,
        end_ns,
        energy_at(mean_uw, elapsed_ns),
        Origin.ESTIMATED,
        floor_uj=energy_at(power.idle_uw, elapsed_ns),
        low_uj=energy_at(power.low_uw, elapsed_ns),
        high_uj=energy_at(power.high_uw, elapsed_ns),
    )
