"""Platform meters of several modules: together, and nothing of one that misses a tick is lost."""

from hypothesis import given
from hypothesis import strategies as st

from wattribute.core.records import Interval, Origin, Zone
from wattribute.core.units import Microjoules, Nanoseconds
from wattribute.node.attribution.platform_windows import PlatformWindows

S = 1_000_000_000


def told(
    start_s: float, end_s: float, energy_uj: int, module: str = "0", source: str = "acpi"
) -> Interval:
    start, end = Nanoseconds(round(start_s * S)), Nanoseconds(round(end_s * S))
    zone = Zone("platform", module, source)
    return Interval(zone, start, end, Microjoules(energy_uj), Origin.INTEGRATED)


def seen(window: Interval | None) -> tuple[float, float, int] | None:
    return window and (window.start_ns / S, window.end_ns / S, window.energy_uj)


def test_modules_that_tell_at_one_instant_count_together() -> None:
    windows = PlatformWindows()
    whole = windows.add([told(0, 5, 100, "1"), told(0, 5, 40, "0")])
    assert whole is not None
    assert seen(whole) == (0, 5, 140)
    assert whole.zone == Zone("platform", "0", "acpi")


def test_a_module_that_misses_a_tick_is_waited_for_and_loses_nothing() -> None:
    windows = PlatformWindows()
    windows.add([told(0, 5, 100, "0"), told(0, 5, 40, "1")])
    assert windows.add([told(5, 10, 110, "0")]) is None
    assert seen(windows.add([told(10, 15, 120, "0"), told(5, 15, 90, "1")])) == (5, 15, 320)
    assert seen(windows.add([told(15, 20, 1, "0"), told(15, 20, 2, "1")])) == (15, 20, 3)


def test_windows_that_overlap_are_told_as_far_as_all_have_told() -> None:
    windows = PlatformWindows()
    windows.add([told(0, 5, 10, "0"), told(0, 5, 10, "1")])
    assert seen(windows.add([told(5, 15, 100, "0"), told(5, 10, 7, "1")])) == (5, 10, 57)
    assert seen(windows.add([told(10, 15, 8, "1")])) == (10, 15, 58)


def test_time_in_which_a_module_has_a_gap_counts_for_nothing() -> None:
    windows = PlatformWindows()
    windows.add([told(0, 5, 10, "0"), told(0, 5, 10, "1")])
    assert windows.add([told(5, 10, 100, "0")]) is None
    assert seen(windows.add([told(10, 20, 60, "0"), told(15, 20, 4, "1")])) == (15, 20, 58)


def test_a_module_that_is_silent_for_five_minutes_is_not_waited_for() -> None:
    windows = PlatformWindows()
    windows.add([told(0, 5, 10, "0"), told(0, 5, 10, "1")])
    for end in range(10, 310, 5):
        assert windows.add([told(end - 5, end, 10, "0")]) is None
    assert seen(windows.add([told(305, 310, 10, "0")])) == (5, 310, 610)
    assert seen(windows.add([told(310, 315, 10, "0")])) == (310, 315, 10)


def test_the_best_source_that_is_heard_is_taken_alone() -> None:
    windows = PlatformWindows()
    both = [told(0, 5, 70, source="rapl-sysfs"), told(0, 5, 99, source="redfish")]
    assert seen(windows.add(both)) == (0, 5, 99)
    assert windows.add([told(5, 10, 70, source="rapl-sysfs")]) is None
    late = windows.add([told(400, 405, 71, source="rapl-sysfs")])
    assert late is not None
    assert late.zone.source == "rapl-sysfs"


@given(st.lists(st.tuples(st.sets(st.sampled_from("012")), st.integers(0, 999)), max_size=20))
def test_whatever_is_missed_windows_and_what_waits_are_what_was_told(
    ticks: list[tuple[set[str], int]],
) -> None:
    windows = PlatformWindows()
    windows.add([told(0, 1, 0, module) for module in "012"])
    since = dict.fromkeys("012", 1)
    given_uj = whole_uj = 0
    for tick, (missing, energy_uj) in enumerate([*ticks, (set(), 5)], 2):
        answers = []
        for module in sorted(set("012") - missing):
            answers.append(told(since[module], tick, energy_uj, module))
            since[module], given_uj = tick, given_uj + energy_uj
        whole = windows.add(answers)
        whole_uj += whole.energy_uj if whole else 0
    assert whole_uj == given_uj
