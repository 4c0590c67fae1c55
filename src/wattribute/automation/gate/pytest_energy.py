"""What ``pytest --energy`` does: measure each test's call, decide, and say it in the summary."""

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
from wattribute.automation.gate.key import comparability_key
from wattribute.automation.gate.metrics import METRICS, figures_of
from wattribute.automation.gate.series import Series
from wattribute.core.errors import WattributeError
from wattribute.node.measuring import Measure, Measurement
from wattribute.node.settings import NodeSettings

_KEYWORDS: Final = {"max_joules", "max_regression", "metric", "runs"}
_FIELD: Final = "wattribute_energy"
"""Attribute of a report: survives the way from a worker of pytest-xdist."""


class Wanted(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A test's marker."""

    max_joules: float | None = None
    max_regression: float | None = None
    metric: str = "energy_j"
    runs: int | None = None


class _Said(msgspec.Struct):
    """What is told of one test."""

    test: str
    joules: float
    watts: float
    origin: str
    runs: int
    verdict: str
    """"" where nothing was asked."""
    reason: str
    series: Series


class EnergyPlugin:
    """Measures tests; registered with ``--energy``."""

    def __init__(self, config: pytest.Config, settings: NodeSettings) -> None:
        """Read the baseline.

        Raises:
            pytest.UsageError: it cannot be used.
        """
        self._config = config
        self._settings = settings
        self._strict = bool(config.getoption("--energy-strict"))
        self._update = bool(config.getoption("--energy-update"))
        self._file = config.rootpath / str(config.getoption("--energy-baseline"))
        self._gated = 1
        self._said: list[_Said] = []
        self._fresh: dict[str, _Said] = {}
        try:
            self._baseline = read_baseline(self._file) if self._file.exists() else ()
        except WattributeError as exc:
            raise pytest.UsageError(f"--energy: {exc}") from exc

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Look at all markers before anything runs; the alarms are shared among the gated tests."""
        wanted = [_wanted(item) for item in items]
        self._gated = max(1, sum(one.max_regression is not None for one in wanted))

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, object, object]:
        """Measure the test's call, as often as its marker wants; then decide."""
        wanted = _wanted(item)
        measured: list[Measurement] = []
        function = getattr(item, "obj", None)
        if type(item) is not pytest.Function or inspect.iscoroutinefunction(function):
            # What brings a runner of its own (unittest, doctest, asyncio) is called once.
            with Measure(self._settings) as window:
                result = yield
            measured.append(window.measurement)
        else:
            item.obj = self._repeated(item.obj, wanted, measured)
            try:
                result = yield
            finally:
                item.obj = function
        if measured:
            self._decide(item, wanted, measured)
        return result

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Put what was said on the report."""
        report = yield
        if call.when == "call" and (said := self._fresh.pop(item.nodeid, None)):
            setattr(report, _FIELD, msgspec.to_builtins(said))
        return report

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Collect, of the workers too."""
        if (said := getattr(report, _FIELD, None)) is not None:
            self._said.append(msgspec.convert(said, _Said))

    def pytest_sessionfinish(self) -> None:
        """Write the baseline, where that was asked for; once, not in each worker."""
        if not self._update or hasattr(self._config, "workerinput"):
            return
        gated = [one.series for one in self._said if one.runs > 1]
        if gated:
            update(self._file, gated)

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Joules of the tests that used most, then every verdict that is no pass."""
        if not self._said:
            return
        top = int(self._config.getoption("--energy-top")) or len(self._said)
        write = terminalreporter.write_line
        terminalreporter.write_sep("=", "energy")
        write(f"{'joules':>10}  {'watts':>8}  {'runs':>4}  {'origin':<10}  test")
        for one in sorted(self._said, key=lambda said: -said.joules)[:top]:
            verdict = f"  [{one.verdict}]" if one.verdict else ""
            write(
                f"{one.joules:>10.4g}  {one.watts:>8.3g}  {one.runs:>4}  {one.origin:<10}  "
                f"{one.test}{verdict}"
            )
        total = sum(one.joules * one.runs for one in self._said)
        write(f"{total:>10.4g}  in all, {len(self._said)} tests (joules are of one call, the mean)")
        for one in self._said:
            if one.verdict:
                write(
                    f"{one.test}: {one.verdict}: {one.reason}",
                    yellow=one.verdict in (Verdict.NOISY, Verdict.INCOMPARABLE),
                    red=one.verdict == Verdict.REGRESSION,
                )
        if self._update:
            number = sum(one.runs > 1 for one in self._said)
            write(f"{self._file}: baseline of {number} tests with max_regression")

    def _repeated(
        self, function: Callable[..., object], wanted: Wanted, measured: list[Measurement]
    ) -> Callable[..., object]:
        """The function, measured at each call."""
        runs = wanted.runs or 1
        if wanted.max_regression is not None:
            runs = wanted.runs or int(self._config.getoption("--energy-runs"))
        if inspect.iscoroutinefunction(function):
            raise pytest.UsageError(
                "--energy: a coroutine can be measured in a loop of its own only"
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

    def _decide(self, item: pytest.Item, wanted: Wanted, measured: list[Measurement]) -> None:
        series = self._series(item, measured)
        comparisons = [] if self._update else list(self._compared(series, wanted))
        said = [one.verdict for one in comparisons]
        verdict = next((one for one in Verdict if one in said), None)
        reason = "; ".join(one.reason for one in comparisons if one.verdict is verdict)
        joules = sum(one.joules for one in measured) / len(measured)
        seconds = sum(run["elapsed_s"] for run in series.runs) / len(measured)
        item.user_properties.append(("energy_joules", round(joules, 6)))  # JUnit has them
        self._fresh[item.nodeid] = _Said(
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

    def _compared(self, series: Series, wanted: Wanted) -> Generator[Comparison]:
        metric, rules = wanted.metric, Rules()
        if wanted.max_joules is not None:
            sides = _sides(series, series, "energy_j")
            yield against_limit(sides, wanted.max_joules, rules, 1)
        if wanted.max_regression is None:
            return
        rules = replace(rules, max_regression=wanted.max_regression)
        old, reason = find(self._baseline, series, made_by="--energy-update")
        sides = _sides(old or series, series, metric)
        if old is None or not sides.base:
            yield incomparable(sides, rules, reason or f"the baseline holds no {metric}")
        else:
            yield compare(sides, rules, self._gated)

    def _series(self, item: pytest.Item, measured: list[Measurement]) -> Series:
        file, line, _ = item.location
        return Series(
            name=item.nodeid,
            at=datetime.now(UTC).isoformat(timespec="seconds"),
            origin=str(measured[0].origin),
            key=comparability_key(self._settings, measured),
            runs=tuple(figures_of(one, None) for one in measured),
            others_busy=sorted(one.others_busy for one in measured)[len(measured) // 2],
            location=f"{Path(file).as_posix()}:{(line or 0) + 1}",
        )


def _sides(base: Series, new: Series, metric: str) -> Sides:
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


def _wanted(item: pytest.Item) -> Wanted:
    """The marker's arguments.

    Raises:
        pytest.UsageError: one is not known, or not of its kind.
    """
    marker = item.get_closest_marker("energy")
    if marker is None:
        return Wanted()
    problem = f"takes {', '.join(sorted(_KEYWORDS))} by name" if marker.args else ""
    wanted = Wanted()
    try:
        wanted = msgspec.convert(marker.kwargs, Wanted)
    except msgspec.ValidationError as exc:
        problem = problem or str(exc)
    if wanted.metric not in METRICS:
        problem = f"metric {wanted.metric!r} is not one of {', '.join(METRICS)}"
    elif min(wanted.max_joules or 1, (wanted.max_regression or 0) + 1, wanted.runs or 1) <= 0:
        problem = "max_joules, max_regression and runs are more than 0"
    if problem:
        raise pytest.UsageError(f"{item.nodeid}: @pytest.mark.energy: {problem}")
    return wanted
