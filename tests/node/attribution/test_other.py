"""The rest of the platform, over the platform meter's own window."""

from hypothesis import given
from hypothesis import strategies as st

from wattribute.core.records import Interval, Origin, Zone
from wattribute.core.units import Microjoules, Nanoseconds
from wattribute.node.attribution.other import Remainder

SECOND = 1_000_000_000
PLATFORM = Zone("platform", "psys", "acpi")
PACKAGE = Zone("package", "0", "rapl-sysfs", "0")
DRAM = Zone("dram", "0", "rapl-sysfs", "0")
CORE = Zone("core", "0", "rapl-sysfs", "0")


def interval(
    zone: Zone, start: int, end: int, energy_uj: int, origin: Origin = Origin.MEASURED, *band: int
) -> Interval:
    low, high = band or (None, None)
    return Interval(
        zone,
        Nanoseconds(start * SECOND),
        Nanoseconds(end * SECOND),
        Microjoules(energy_uj),
        origin,
        low_uj=None if low is None else Microjoules(low),
        high_uj=None if high is None else Microjoules(high),
    )


def energy(found: Interval | None) -> int | None:
    return None if found is None else found.energy_uj


def test_each_tick_the_rest_is_what_the_parts_leave() -> None:
    found = Remainder().add(
        interval(PLATFORM, 0, 1, 100, Origin.INTEGRATED),
        [interval(PACKAGE, 0, 1, 60), interval(DRAM, 0, 1, 15), interval(CORE, 0, 1, 50)],
    )

    rest = Zone("other", "psys", "acpi")
    assert found == interval(rest, 0, 1, 25, Origin.INTEGRATED)


def test_parts_wait_for_a_slow_meter() -> None:
    rest = Remainder()

    found = [rest.add(None, [interval(PACKAGE, at, at + 1, 10)]) for at in range(9)]
    last = rest.add(interval(PLATFORM, 0, 10, 150), [interval(PACKAGE, 9, 10, 10)])

    assert found == [None] * 9
    assert energy(last) == 50


def test_time_that_another_platform_meter_has_told_of_is_not_told_again() -> None:
    rest = Remainder()
    rest.add(interval(PLATFORM, 0, 1, 100), [interval(PACKAGE, 0, 1, 60)])
    other = Zone("platform", "psys", "rapl-sysfs")
    rest.add(interval(other, 1, 2, 100), [interval(PACKAGE, 1, 2, 60)])

    # The first meter missed a tick, in which the other one stood in for it.
    assert rest.add(interval(PLATFORM, 1, 3, 200), [interval(PACKAGE, 2, 3, 60)]) is None
    assert energy(rest.add(interval(PLATFORM, 3, 4, 90), [interval(PACKAGE, 3, 4, 60)])) == 30


def test_a_deficit_is_carried_forward() -> None:
    rest = Remainder()

    first = rest.add(interval(PLATFORM, 0, 1, 100), [interval(PACKAGE, 0, 1, 130)])
    owed = rest.deficit_uj
    second = rest.add(interval(PLATFORM, 1, 2, 100), [interval(PACKAGE, 1, 2, 60)])

    assert (energy(first), owed) == (0, 30)
    assert (energy(second), rest.deficit_uj) == (10, 0)


def test_parts_from_before_the_platform_was_watched_count_for_nothing() -> None:
    rest = Remainder()
    rest.add(None, [interval(PACKAGE, 0, 1, 99)])

    assert energy(rest.add(interval(PLATFORM, 1, 2, 50), [interval(PACKAGE, 1, 2, 20)])) == 30


def test_parts_in_a_gap_between_two_windows_count_for_nothing() -> None:
    rest = Remainder()
    rest.add(interval(PLATFORM, 0, 1, 50), [interval(PACKAGE, 0, 1, 20)])
    rest.add(None, [interval(PACKAGE, 1, 2, 99)])

    assert energy(rest.add(interval(PLATFORM, 2, 3, 50), [interval(PACKAGE, 2, 3, 20)])) == 30


def test_parts_after_the_window_wait_for_the_next() -> None:
    rest = Remainder()
    parts = [interval(PACKAGE, 0, 1, 20), interval(PACKAGE, 1, 2, 25), interval(DRAM, 0, 2, 11)]

    assert energy(rest.add(interval(PLATFORM, 0, 1, 50), parts)) == 50 - 20 - 5
    assert energy(rest.add(interval(PLATFORM, 1, 2, 50), [])) == 50 - 25 - 6


def test_a_part_that_comes_late_still_counts() -> None:
    rest = Remainder()
    first = rest.add(interval(PLATFORM, 0, 1, 50), [])
    second = rest.add(interval(PLATFORM, 1, 2, 50), [interval(PACKAGE, 0, 2, 60)])
    third = rest.add(interval(PLATFORM, 2, 3, 50), [interval(PACKAGE, 2, 3, 20)])

    assert [energy(first), energy(second), energy(third)] == [50, 0, 20]


def test_what_is_left_of_an_estimate_is_an_estimate_with_a_band() -> None:
    found = Remainder().add(
        interval(PLATFORM, 0, 1, 100),
        [interval(PACKAGE, 0, 1, 60, Origin.ESTIMATED, 50, 110), interval(DRAM, 0, 1, 10)],
    )

    assert found is not None
    assert found.origin is Origin.ESTIMATED
    assert (found.energy_uj, found.low_uj, found.high_uj) == (30, 0, 40)


def test_an_estimated_platform_gives_its_own_band() -> None:
    platform = interval(PLATFORM, 0, 1, 100, Origin.ESTIMATED, 80, 150)

    found = Remainder().add(platform, [interval(PACKAGE, 0, 1, 60)])

    assert found is not None
    assert (found.origin, found.low_uj, found.high_uj) == (Origin.ESTIMATED, 20, 90)


def test_a_meter_that_is_silent_for_hours_costs_bounded_memory_and_no_energy() -> None:
    rest = Remainder()
    for at in range(10_000):
        rest.add(None, [interval(PACKAGE, at, at + 1, 10)])

    assert len(rest._pending) <= 2048 + 1
    assert energy(rest.add(interval(PLATFORM, 0, 10_000, 100_007), [])) == 7


ticks = st.lists(
    st.tuples(
        st.integers(1, 3),  # seconds
        st.booleans(),  # the platform meter moved
        st.booleans(),  # the package could be read
        st.integers(0, 200),
        st.integers(0, 100),
    ),
    min_size=1,
)


@given(ticks)
def test_rest_and_parts_are_the_platform_in_the_long_run(
    given_ticks: list[tuple[int, bool, bool, int, int]],
) -> None:
    rest = Remainder()
    now = moved_at = read_at = emitted = wrapped = inside = 0
    for seconds, moves, readable, platform_uj, package_uj in [*given_ticks, (1, True, True, 9, 9)]:
        before, now = now, now + seconds
        parts = [interval(DRAM, before, now, 7)]
        inside += 7
        if readable:
            parts.append(interval(PACKAGE, read_at, now, package_uj))
            inside, read_at = inside + package_uj, now
        platform = None
        if moves:
            platform = interval(PLATFORM, moved_at, now, platform_uj)
            wrapped, moved_at = wrapped + platform_uj, now
        found = rest.add(platform, parts)
        assert (found is None) == (platform is None)
        if found is not None:
            assert found.energy_uj >= 0
            emitted += found.energy_uj

    assert emitted + inside == wrapped + rest.deficit_uj
