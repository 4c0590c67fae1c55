"""``with wattribute.measure() as m:`` and ``@wattribute.measure()``."""

import functools
import threading
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType
from typing import Any, ParamSpec, Self, TypeVar

from wattribute.measuring.opening import open_window
from wattribute.measuring.result import ComponentEnergy, Measurement
from wattribute.measuring.tree import Tree
from wattribute.measuring.window import Window  # noqa: TC001
from wattribute.records import Origin
from wattribute.settings import Settings

P = ParamSpec("P")
R = TypeVar("R")

_LONGEST_TICK_S = 1.0


class Measure(AbstractContextManager["Measure"]):
    """The energy of this process and its children while a block of code runs.

    Other threads of the process count too. As a decorator it measures each call; the
    wrapped function's ``measurement`` is that of the last one.
    """

    def __init__(self, settings: Settings | None = None, *, g_per_kwh: float | None = None) -> None:
        """Take settings, and the electricity's carbon intensity in gCO2e per kWh."""
        self._settings = settings or Settings()
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
        tree = Tree(Path(self._settings.activity.procfs), with_self=True)
        self._window, self._notes = open_window(self._settings, tree)
        self._ticker = threading.Thread(target=self._tick, name="wattribute", daemon=True)
        self._ticker.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Read all meters again; exceptions of the block pass through."""
        window, ticker = self._window, self._ticker
        if window is None or ticker is None:
            return
        self._stop.set()
        ticker.join()
        window.tick()
        window.close()
        self._window = self._ticker = None
        self._result = Measurement(
            command=(),
            exit_code=0,
            elapsed_ns=window.elapsed_ns,
            cpu_ns=window.cpu_ns,
            by_component=window.by_component,
            g_per_kwh=self._g_per_kwh,
            complete=True,
            notes=self._notes,
        )

    def __call__(self, function: Callable[P, R]) -> Callable[P, R]:
        """Measure each call of a function."""

        @functools.wraps(function)
        def measured(*args: P.args, **kwargs: P.kwargs) -> R:
            with Measure(self._settings, g_per_kwh=self._g_per_kwh) as call:
                result = function(*args, **kwargs)
            wrapper: Any = measured
            wrapper.measurement = call.measurement
            return result

        return measured

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
            window.tick()
