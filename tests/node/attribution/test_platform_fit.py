"""The line platform = intercept + slope x components."""

import random

import pytest

from wattribute.core.records import Interval, Origin, PlatformFit, Zone
from wattribute.core.units import Microjoules, Nanoseconds
from wattribute.node.attribution.platform_fit import AffineFit

SECOND = 1_000_000_000


def window(at: int, watts: float, seconds: int = 10, source: str = "redfish") -> Interval:
    return Interval(
        Zone("platform", "1", source),
        Nanoseconds(at * seconds * SECOND),
        Nanoseconds((at + 1) * seconds * SECOND),
        Microjoules(round(watts * seconds * 1e6)),
        Origin.INTEGRATED,
    )


def fitted(points: list[tuple[float, float]], seconds: int = 10) -> PlatformFit | None:
    fit = AffineFit()
    for at, (parts_w, platform_w) in enumerate(points):
        fit.add(window(at, platform_w, seconds), round(parts_w * seconds * 1e6))
    return fit.result()


def truth(count: int, noise: float = 0.0) -> list[tuple[float, float]]:
    draw = random.Random(1)
    loads = [draw.uniform(50, 300) for _ in range(count)]
    return [(load, 80 + 1.15 * load + draw.gauss(0, noise)) for load in loads]


def test_the_line_is_found_exactly_where_there_is_no_noise() -> None:
    fit = fitted(truth(30))

    assert fit is not None
    assert (fit.source, fit.windows) == ("redfish", 30)
    assert fit.slope == pytest.approx(1.15, abs=1e-6)
    assert fit.intercept_uw == pytest.approx(80e6, abs=10)
    assert fit.residual_uw < 10


def test_a_fifth_of_nonsense_does_not_move_it() -> None:
    points = truth(200, noise=3)
    points[::5] = [(load, 500.0) for load, _ in points[::5]]
    fit = fitted(points)

    assert fit is not None
    assert fit.slope == pytest.approx(1.15, rel=0.05)
    assert fit.intercept_uw == pytest.approx(80e6, rel=0.08)
    assert 2e6 < fit.residual_uw < 7e6


def test_too_few_windows_or_a_load_that_never_changes_say_nothing() -> None:
    assert fitted(truth(19)) is None
    assert fitted([(100 + at % 3, 200.0) for at in range(60)]) is None


def test_short_windows_are_joined() -> None:
    fit = fitted([point for point in truth(30) for _ in range(10)], seconds=1)

    assert fit is not None
    assert (fit.windows, round(fit.slope, 6)) == (30, 1.15)


def test_only_recent_windows_count_and_another_meter_begins_anew() -> None:
    fit = AffineFit()
    points = [(load, 5.0 + load * 9) for load, _ in truth(300)] + truth(256)
    for at, (parts_w, platform_w) in enumerate(points):
        fit.add(window(at, platform_w), round(parts_w * 1e7))
    found = fit.result()
    assert found is not None
    assert (found.windows, round(found.slope, 4)) == (256, 1.15)

    fit.add(window(999, 100, source="acpi"), 10)
    assert fit.result() is None
