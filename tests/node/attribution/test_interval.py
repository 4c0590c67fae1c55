"""Two readings make an interval, or a reason why not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wattribute.core.records import Counter, Gauge, Interval, Origin, Power, Reading, Zone
from wattribute.core.units import Microjoules, Microwatts, Nanoseconds
from wattribute.node.attribution.interval import Rejected, estimated_interval, interval_between

SECOND = 1_000_000_000
WATT = 1_000_000
MAX = 2000 * WATT
ZONE = Zone("package", "0", "rapl-sysfs", "0")


def at(at_ns: int, value: Counter | Gauge, zone: Zone = ZONE) -> Reading:
    return Reading(zone, Nanoseconds(at_ns), value)


def joules(energy_uj: int) -> Counter:
    return Counter(Microjoules(energy_uj), Microjoules(10**11))


def watts(power_w: int, *, averaged: bool = False) -> Gauge:
    return Gauge(Microwatts(power_w * WATT), averaged)


def power(idle: int, dynamic: int, low: int, high: int) -> Power:
    powers = (Microwatts(watt * WATT) for watt in (idle, dynamic, low, high))
    return Power(*powers, basis="class")


def estimated(power: Power, end_ns: int = SECOND) -> Interval | Rejected:
    return estimated_interval(ZONE, Nanoseconds(0), Nanoseconds(end_ns), power, power_max_uw=MAX)


def between(before: Reading, after: Reading) -> Interval | Rejected:
    return interval_between(before, after, power_max_uw=MAX)


def test_two_counter_readings_are_measured() -> None:
    interval = between(at(SECOND, joules(5)), at(3 * SECOND, joules(105)))

    assert interval == Interval(
        ZONE,
        Nanoseconds(SECOND),
        Nanoseconds(3 * SECOND),
        Microjoules(100),
        Origin.MEASURED,
    )


def test_a_counter_that_began_anew_is_a_reset() -> None:
    assert between(at(0, joules(5 * 10**10)), at(SECOND, joules(5))) == Rejected("reset")


def test_a_counter_that_rises_too_fast_is_impossible() -> None:
    assert between(at(0, joules(5)), at(SECOND, joules(10**10))) == Rejected("impossible")


def test_momentary_power_is_a_trapezoid() -> None:
    interval = between(at(0, watts(10)), at(2 * SECOND, watts(30)))

    assert isinstance(interval, Interval)
    assert (interval.energy_uj, interval.origin) == (40 * WATT, Origin.INTEGRATED)


def test_averaged_power_is_a_rectangle_of_the_later_value() -> None:
    interval = between(at(0, watts(10, averaged=True)), at(2 * SECOND, watts(30, averaged=True)))

    assert isinstance(interval, Interval)
    assert (interval.energy_uj, interval.origin) == (60 * WATT, Origin.INTEGRATED)


def test_an_estimate_brings_its_floor_and_its_band() -> None:
    assert estimated(power(20, 10, 25, 50), 2 * SECOND) == Interval(
        ZONE,
        Nanoseconds(0),
        Nanoseconds(2 * SECOND),
        Microjoules(60 * WATT),
        Origin.ESTIMATED,
        floor_uj=Microjoules(40 * WATT),
        low_uj=Microjoules(50 * WATT),
        high_uj=Microjoules(100 * WATT),
    )


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (watts(1), watts(2001)),
        (watts(2001), watts(1)),
        (watts(-1), watts(1)),
        (watts(1, averaged=True), watts(-1, averaged=True)),
    ],
)
def test_impossible_power_is_rejected(before: Gauge, after: Gauge) -> None:
    assert between(at(0, before), at(SECOND, after)) == Rejected("impossible")


@pytest.mark.parametrize("impossible", [power(1900, 200, 1900, 2200), power(-5, 10, 0, 9)])
def test_an_impossible_estimate_is_rejected(impossible: Power) -> None:
    assert estimated(impossible) == Rejected("impossible")


def test_an_estimate_of_no_time_is_no_interval() -> None:
    assert estimated(power(1, 1, 1, 3), 0) == Rejected("impossible")


@pytest.mark.parametrize("value", [joules(5), watts(5)])
@pytest.mark.parametrize("end_ns", [SECOND, 0])
def test_without_time_there_is_no_interval(value: Counter | Gauge, end_ns: int) -> None:
    assert between(at(SECOND, value), at(end_ns, value)) == Rejected("impossible")


@pytest.mark.parametrize(
    ("before", "after"), [(joules(5), watts(5)), (watts(5), joules(5))], ids=["gauge", "counter"]
)
def test_a_meter_that_speaks_of_something_else_starts_anew(
    before: Counter | Gauge, after: Counter | Gauge
) -> None:
    assert between(at(0, before), at(SECOND, after)) == Rejected("reset")


def test_two_zones_make_no_interval() -> None:
    other = Zone("package", "1", "rapl-sysfs", "1")

    with pytest.raises(ValueError, match="two zones"):
        between(at(0, joules(5)), at(SECOND, joules(6), other))


powers = st.integers(-WATT, 3000 * WATT).map(Microwatts)
values = st.one_of(
    st.builds(Gauge, powers, st.booleans()),
    st.builds(Counter, powers.map(Microjoules), st.just(Microjoules(10**11))),
)


@given(values, values, st.integers(-SECOND, 120 * SECOND))
def test_whatever_is_read_an_interval_is_possible(
    before: Counter | Gauge, after: Counter | Gauge, elapsed_ns: int
) -> None:
    interval = between(at(0, before), at(elapsed_ns, after))

    if isinstance(interval, Interval):
        assert 0 <= interval.energy_uj <= MAX * elapsed_ns // SECOND + 1
        assert interval.start_ns < interval.end_ns
        assert interval.floor_uj is None or 0 <= interval.floor_uj <= interval.energy_uj
