"""``pytest --energy`` measures the call of each test, decides, and reports in the summary."""

import functools
import inspect
from collections.abc import Callable, Generator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest

from wattribute.automation.gate.baseline import find, read_baseline, update
from wattribute.automation.gate.decision import (
    Comparison,
    Rules,
    Sides,
    Verdict,
    against_limit,
    compare,
    incomparable,
)
from wattribute.automation.gate.explanation import explain
from wattribute.automation.gate.key import comparability_key
from wattribute.automation.gate.metrics import METRICS, figures_of
from wattribute.automation.gate.series import RunSeries
from wattribute.core.errors import WattributeError
from wattribute.node.measuring import Measure, Measurement
from wattribute.node.settings import NodeSettings

_KEYWORDS: Final = {"max_joules", "max_regression", "metric", "runs"}
_FIELD: Final = "wattribute_energy"
"""Attribute of a report. It survives the transfer from a worker of pytest-xdist."""


class EnergyMarker(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The arguments of a test's ``energy`` marker."""

    max_joules: float | None = None
    max_regression: float | None = None
    metric: str = "energy_j"
    runs: int | None = None


class _TestResult(msgspec.Struct):
    """The result of one test, as the summary shows it."""

    test: str
    joules: float
    watts: float
    origin: str
    runs: int
    verdict: str
    """The verdict; "" where the marker sets no limit."""
    reason: str
    series: RunSeries


class EnergyPlugin:
    """The pytest plugin that measures tests; ``--energy`` registers it."""

    def __init__(self, config: pytest.Config, settings: NodeSettings) -> None:
        """Read the baseline.

        Raises:
            pytest.UsageError: The baseline cannot be used.
        """
        self._config = config
        self._settings = settings
        self._strict = bool(config.getoption("--energy-strict"))
        self._update = bool(config.getoption("--energy-update"))
        self._file = config.rootpath / str(config.getoption("--energy-baseline"))
        self._gated = 1
        self._results: list[_TestResult] = []
        self._fresh: dict[str, _TestResult] = {}
        try:
            self._baseline = read_baseline(self._file) if self._file.exists() else ()
        except WattributeError as exc:
            raise pytest.UsageError(f"--energy: {exc}") from exc

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Count the gated tests before anything runs, because they share the false-alarm rate."""
        markers = [marker_of(item) for item in items]
        self._gated = max(1, sum(marker.max_regression is not None for marker in markers))

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, object, object]:
        """Measure the call of the test as often as its marker asks for, then decide."""
        marker = marker_of(item)
        measured: list[Measurement] = []
        function = getattr(item, "obj", None)
        if type(item) is not pytest.Function or inspect.iscoroutinefunction(function):
            # A test with its own runner (unittest, doctest, asyncio) is called once.
            with Measure(self._settings) as window:
                result = yield
            measured.append(window.measurement)
        else:
            item.obj = self._repeated(item.obj, marker, measured)
            try:
                result = yield
            finally:
                item.obj = function
        if measured:
            self._decide(item, marker, measured)
        return result

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Attach the result to the report."""
        report = yield
        if call.when == "call" and (result := self._fresh.pop(item.nodeid, None)):
            setattr(report, _FIELD, msgspec.to_builtins(result))
        return report

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Collect the results, from pytest-xdist workers too."""
        if (result := getattr(report, _FIELD, None)) is not None:
            self._results.append(msgspec.convert(result, _TestResult))

    def pytest_sessionfinish(self) -> None:
        """Write the baseline if ``--energy-update`` is given, and only in the main process."""
        if not self._update or hasattr(self._config, "workerinput"):
            return
        gated = [result.series for result in self._results if result.runs > 1]
        if gated:
            update(self._file, gated)

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Show the joules of the tests that used most, then every verdict that is not a pass."""
        if not self._results:
            return
        top = int(self._config.getoption("--energy-top")) or len(self._results)
        write = terminalreporter.write_line
        terminalreporter.write_sep("=", "energy")
        write(f"{'joules':>10}  {'watts':>8}  {'runs':>4}  {'origin':<10}  test")
        for result in sorted(self._results, key=lambda result: -result.joules)[:top]:
            verdict = f"  [{result.verdict}]" if result.verdict else ""
            write(
                f"{result.joules:>10.4g}  {result.watts:>8.3g}  {result.runs:>4}  "
                f"{result.origin:<10}  {result.test}{verdict}"
            )
        total = sum(result.joules * result.runs for result in self._results)
        write(
            f"{total:>10.4g}  in total, {len(self._results)} tests "
            "(the joules of a test are the mean of one call)"
        )
        for result in self._results:
            if result.verdict:
                write(
                    f"{result.test}: {result.verdict}: {result.reason}",
                    yellow=result.verdict in (Verdict.NOISY, Verdict.INCOMPARABLE),
                    red=result.verdict == Verdict.REGRESSION,
                )
        if self._update:
            number = sum(result.runs > 1 for result in self._results)
            write(f"{self._file}: baseline of {number} tests with max_regression")

    def _repeated(
        self, function: Callable[..., object], marker: EnergyMarker, measured: list[Measurement]
    ) -> Callable[..., object]:
        """Return a function that calls the test's function repeatedly, and measures each call."""
        runs = marker.runs or 1
        if marker.max_regression is not None:
            runs = marker.runs or int(self._config.getoption("--energy-runs"))
        if inspect.iscoroutinefunction(function):
            raise pytest.UsageError(
                "--energy: a coroutine can only be measured in its own event loop"
            )

        @functools.wraps(function)
        def repeated(**arguments: Any) -> object:  # noqa: ANN401 - the test's fixtures
            if runs > 1:
                function(**arguments)
            result = None
            for _ in range(runs):
                with Measure(self._settings) as window:
                    result = function(**arguments)
                measured.append(window.measurement)
            return result

        return repeated

    def _decide(self, item: pytest.Item, marker: EnergyMarker, measured: list[Measurement]) -> None:
        series = self._series(item, measured)
        comparisons = [] if self._update else list(self._compared(series, marker))
        verdicts = [comparison.verdict for comparison in comparisons]
        verdict = next((candidate for candidate in Verdict if candidate in verdicts), None)
        reason = "; ".join(
            comparison.reason for comparison in comparisons if comparison.verdict is verdict
        )
        joules = sum(call.joules for call in measured) / len(measured)
        seconds = sum(run["elapsed_s"] for run in series.runs) / len(measured)
        item.user_properties.append(("energy_joules", round(joules, 6)))  # JUnit has them
        self._fresh[item.nodeid] = _TestResult(
            item.nodeid,
            joules,
            joules / max(seconds, 1e-9),
            series.origin,
            len(measured),
            verdict or "",
            reason,
            series,
        )
        failing = {Verdict.REGRESSION}
        if self._strict:
            failing |= {Verdict.NOISY, Verdict.INCOMPARABLE}
        if verdict in failing:
            pytest.fail(f"energy: {verdict}: {reason}", pytrace=False)

    def _compared(self, series: RunSeries, marker: EnergyMarker) -> Generator[Comparison]:
        metric, rules = marker.metric, Rules()
        if marker.max_joules is not None:
            sides = _sides(series, series, "energy_j")
            yield against_limit(sides, marker.max_joules, rules, 1)
        if marker.max_regression is None:
            return
        rules = replace(rules, max_regression=marker.max_regression)
        old, reason = find(self._baseline, series, made_by="--energy-update")
        sides = _sides(old or series, series, metric)
        if old is None or not sides.base:
            yield incomparable(sides, rules, reason or f"the baseline has no {metric}")
        else:
            comparison = compare(sides, rules, self._gated)
            moved = explain(old, series, rules, pairs=False)
            yield (
                comparison
                if moved is None
                else replace(comparison, reason=f"{comparison.reason}; {moved.text}")
            )

    def _series(self, item: pytest.Item, measured: list[Measurement]) -> RunSeries:
        file, line, _ = item.location
        return RunSeries(
            name=item.nodeid,
            at=datetime.now(UTC).isoformat(timespec="seconds"),
            origin=str(measured[0].origin),
            key=comparability_key(self._settings, measured),
            runs=tuple(figures_of(call, None) for call in measured),
            others_busy=sorted(call.others_busy for call in measured)[len(measured) // 2],
            location=f"{Path(file).as_posix()}:{(line or 0) + 1}",
        )


def _sides(base: RunSeries, new: RunSeries, metric: str) -> Sides:
    return Sides(
        name=new.name,
        metric=metric,
        origin=new.origin,
        base=base.values(metric),
        new=new.values(metric),
        pairs=False,
        others_busy=max(base.others_busy, new.others_busy),
        location=new.location,
    )


def marker_of(item: pytest.Item) -> EnergyMarker:
    """Return the arguments of the test's marker.

    Raises:
        pytest.UsageError: An argument is unknown, or has the wrong type.
    """
    mark = item.get_closest_marker("energy")
    if mark is None:
        return EnergyMarker()
    problem = f"takes {', '.join(sorted(_KEYWORDS))} by name" if mark.args else ""
    marker = EnergyMarker()
    try:
        marker = msgspec.convert(mark.kwargs, EnergyMarker)
    except msgspec.ValidationError as exc:
        problem = problem or str(exc)
    if marker.metric not in METRICS:
        problem = f"metric {marker.metric!r} is not one of {', '.join(METRICS)}"
    elif min(marker.max_joules or 1, (marker.max_regression or 0) + 1, marker.runs or 1) <= 0:
        problem = "max_joules, max_regression and runs must be greater than 0"
    if problem:
        raise pytest.UsageError(f"{item.nodeid}: @pytest.mark.energy: {problem}")
    return marker
