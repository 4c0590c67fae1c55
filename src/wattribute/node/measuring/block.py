"""``with wattribute.measure() as m:`` and ``@wattribute.measure()``."""

import functools
import inspect
import math
import threading
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, ParamSpec, Self, TypeVar, cast

from wattribute.core.errors import ActivityFailed
from wattribute.core.records import Origin
from wattribute.node.measuring.opening import open_window
from wattribute.node.measuring.result import ComponentEnergy, Measurement
from wattribute.node.measuring.tree import ProcessTree
from wattribute.node.measuring.window import Window  # noqa: TC001
from wattribute.node.settings import NodeSettings

P = ParamSpec("P")
R = TypeVar("R")

_LONGEST_TICK_S = 1.0


class Measure(AbstractContextManager["Measure"]):
    """The energy of this process and its children while a block of code runs.

    Other threads of the process, and other tasks of an event loop, count too. As a
    decorator it measures each call, of a coroutine to its end; the wrapped function's
    ``measurement`` is that of the last one.
    """

    def __init__(
        self, settings: NodeSettings | None = None, *, g_per_kwh: float | None = None
    ) -> None:
        """Take settings, and the electricity's carbon intensity in gCO2e per kWh.

        Raises:
            TypeError: not settings: a function, where the brackets of the decorator are missing.
            ValueError: the intensity is negative or no number.
        """
        if settings is not None and not isinstance(settings, NodeSettings):
            hint = "; write @wattribute.measure(), with brackets" if callable(settings) else ""
            raise TypeError(f"measure() takes NodeSettings, not {type(settings).__name__}{hint}")
        if g_per_kwh is not None and not 0 <= g_per_kwh < math.inf:
            raise ValueError(f"g_per_kwh: {g_per_kwh} is not a number of grams, 0 or more")
        self._settings = settings or NodeSettings()
        self._g_per_kwh = g_per_kwh
        self._stop = threading.Event()
        self._window: Window | None = None
        self._ticker: threading.Thread | None = None
        self._notes: tuple[str, ...] = ()
        self._result: Measurement | None = None

    def __enter__(self) -> Self:
        """Read all meters now.

        Raises:
            MeterError: a meter that the settings name cannot be used.
            RuntimeError: the object is in use already.
        """
        if self._window is not None:
            raise RuntimeError("this measure() is in use: make a new one")
        self._stop.clear()
        tree = ProcessTree(Path(self._settings.activity.procfs), with_self=True)
        self._window, self._notes = open_window(self._settings, tree)
        tree.begin()  # what opening the meters cost (some 10 ms) is not the block's
        self._ticker = threading.Thread(target=self._tick, name="wattribute", daemon=True)
        self._ticker.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Read all meters again; exceptions of the block pass through.

        Raises:
            ActivityFailed: /proc/stat cannot be read any more.
        """
        window, ticker = self._window, self._ticker
        if window is None or ticker is None:
            return
        self._stop.set()
        ticker.join()
        self._window = self._ticker = None
        try:
            window.tick()
        finally:
            window.close()
        problems = window.problems()
        self._result = Measurement(
            command=(),
            exit_code=0,
            elapsed_ns=window.elapsed_ns,
            cpu_ns=window.cpu_ns,
            by_component=window.by_component,
            g_per_kwh=self._g_per_kwh,
            complete=not problems,
            notes=(*self._notes, *problems),
            power_peak_uw=window.power_peak_uw,
            others_busy=window.others_busy,
        )

    def __call__(self, function: Callable[P, R]) -> Callable[P, R]:
        """Measure each call of a function, or of a coroutine function.

        Raises:
            TypeError: a generator, whose work is done after the call: measure inside it.
        """
        if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
            raise TypeError(
                f"{function.__name__} is a generator: its call does no work yet; "
                "write `with wattribute.measure() as m:` in it, or around the loop that reads it"
            )

        @functools.wraps(function)
        def measured(*args: P.args, **kwargs: P.kwargs) -> R:
            call = self._again()
            try:
                with call:
                    return function(*args, **kwargs)
            finally:
                wrapper.measurement = call.measurement

        @functools.wraps(function)
        async def awaited(*args: P.args, **kwargs: P.kwargs) -> object:
            call = self._again()
            try:
                with call:
                    return await coroutine(*args, **kwargs)
            finally:
                wrapper.measurement = call.measurement

        coroutine: Any = function
        wrapper: Any = awaited if inspect.iscoroutinefunction(function) else measured
        return cast("Callable[P, R]", wrapper)

    def _again(self) -> "Measure":
        return Measure(self._settings, g_per_kwh=self._g_per_kwh)

    @property
    def measurement(self) -> Measurement:
        """Everything that is known.

        Raises:
            RuntimeError: the block has not ended.
        """
        if self._result is None:
            raise RuntimeError("nothing is measured yet: read it after the with block")
        return self._result

    @property
    def joules(self) -> float:
        """Energy of the block, in joules."""
        return self.measurement.joules

    @property
    def origin(self) -> Origin:
        """How that is known: measured, integrated or estimated."""
        return self.measurement.origin

    @property
    def by_component(self) -> Mapping[str, ComponentEnergy]:
        """The same by component (cpu, dram, gpu, other), in microjoules."""
        return self.measurement.by_component

    def __repr__(self) -> str:
        """For notebooks: what it was, or that it still runs."""
        if self._result is None:
            return "<measure: not ended>"
        result = self._result
        band = f" ({result.low_joules:.4g} to {result.high_joules:.4g})"
        estimated = band if result.low_joules != result.high_joules else ""
        return f"<measure: {result.joules:.4g} J {result.origin}{estimated}>"

    def _tick(self) -> None:
        """Share what was used so far, so that a change of load does not blur the shares."""
        window = self._window
        interval_s = min(self._settings.monitor.interval, _LONGEST_TICK_S)
        while window is not None and not self._stop.wait(interval_s):
            with suppress(ActivityFailed):  # the next tick covers it
                window.tick()
