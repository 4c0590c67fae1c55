import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from threading import Event
from typing import Any

import pytest

from wattribute.accounting.carbon import Basis, Intensity
from wattribute.core.errors import IntensityFailed
from wattribute_testing.waiting import wait_until

HOUR = timedelta(hours=1)


def value(grams: float = 300.0, length: timedelta = HOUR, **more: Any) -> Intensity:
    start = datetime.now(UTC) - HOUR / 2
    made = Intensity(
        "DE", grams, Basis.LOCATION, start, start + length, "electricity-maps", start.year
    )
    return replace(made, **more)


class Grid:
    """Answers what the test sets; an exception is raised."""

    def __init__(self) -> None:
        self.now: Any = value()
        self.ahead: Any = [value()]
        self.go = Event()
        self.go.set()

    def latest(self, place: str) -> Intensity:
        assert place == "DE"
        self.go.wait(30)
        return self._given(self.now)

    def forecast(self, place: str, hours: int) -> list[Intensity]:
        assert (place, hours) == ("DE", 48)
        return list(self._given(self.ahead))

    @staticmethod
    def _given(what: Any) -> Any:
        if isinstance(what, BaseException):
            raise what
        return what


def test_a_value_is_read_once_asked_for_and_again(watching: Any) -> None:
    grid = Grid()
    watch = watching(grid)
    assert watch.signals("DE", wait_s=5).g_per_kwh == 300
    grid.now = value(200.0)
    wait_until(lambda: watch.signals("DE").g_per_kwh == 200)
    assert watch.values() == {"DE": 200}


def test_a_source_that_dies_is_told_and_one_that_comes_back_counts(watching: Any) -> None:
    grid = Grid()
    watch = watching(grid)
    watch.signals("DE", wait_s=5)
    for failure in (IntensityFailed("em: status 500"), ZeroDivisionError()):
        grid.now = failure
        wait_until(lambda: watch.signals("DE").g_per_kwh is None)
        assert watch.signals("DE").problem
        grid.now = value()
        wait_until(lambda: watch.signals("DE").g_per_kwh == 300)


def test_nobody_waits_for_a_source_that_stalls_and_its_old_word_ends(watching: Any) -> None:
    grid = Grid()
    clock = [time.time()]
    watch = watching(grid, now=lambda: clock[0], stale_s=60.0)
    assert watch.signals("DE", wait_s=5).g_per_kwh == 300
    grid.go.clear()
    clock[0] += 30
    start_s = time.monotonic()
    assert watch.signals("DE", wait_s=5).g_per_kwh == 300
    clock[0] += 60
    found = watch.signals("DE", wait_s=5)
    assert time.monotonic() - start_s < 1
    assert found.g_per_kwh is None
    assert "has not answered for a long time" in found.problem
    grid.go.set()


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: value(stale=True), ""),
        (lambda: value(stale=True, length=timedelta(days=365)), "yearly mean"),
        (
            lambda: value(stale=True, start=value().start - 9 * HOUR, end=value().end - 9 * HOUR),
            "has no value since",
        ),
        (lambda: value(length=timedelta(days=365), source="table"), ""),
    ],
)
def test_which_stale_values_count(watching: Any, make: Callable[[], Intensity], words: str) -> None:
    grid = Grid()
    grid.now = make()
    found = watching(grid).signals("DE", wait_s=5)
    assert words in found.problem
    assert (found.g_per_kwh is None) is bool(words)


def test_a_forecast_that_fails_leaves_the_value_of_now(watching: Any) -> None:
    grid = Grid()
    grid.ahead = IntensityFailed("em: no forecast")
    found = watching(grid).signals("DE", forecast=True, wait_s=5)
    assert (found.g_per_kwh, list(found.forecast)) == (300, [])
    assert found.problem == "em: no forecast"
