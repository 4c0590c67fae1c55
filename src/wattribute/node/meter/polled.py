"""Meters that answer slowly: asked by a thread of their own, so that no tick ever waits for one."""

import logging
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Protocol

from wattribute.core.errors import MeterDenied, MeterError, MeterFailed
from wattribute.core.records import Gauge, Reading, Zone
from wattribute.core.units import NANOSECONDS_PER_SECOND, Nanoseconds, nanoseconds

_LOG = logging.getLogger(__name__)

STALE_POLLS: Final = 3
STALE_MORE_S: Final = 60.0
"""A value is not repeated for longer than so many polls and so long a time more without a new
answer: a BMC may take half a minute for each of its answers."""
STEADY_S: Final = 60.0
"""BMCs renew their value every 10 to 60 s. One that is the same for so long is power that did not
change; before that it may be the same value, shown twice."""
_LONGEST_PAUSE_S: Final = 300.0
DENIED_PAUSE_S: Final = 900.0
"""BMCs lock an account after a few wrong passwords, for minutes."""
_CLOSE_S: Final = 5.0


class PowerSource(Protocol):
    """What is asked for power, in the thread of one PolledMeter."""

    def poll(self) -> Mapping[Zone, Gauge]:
        """The power of every zone now; all of them, or an error.

        Raises:
            MeterError: there was no answer that can be used.
        """
        ...

    def interrupt(self) -> None:
        """End the poll that is under way; called by another thread."""
        ...

    def close(self) -> None:
        """Give back what is held, in a few seconds at most; the last call."""
        ...


@dataclass(frozen=True, slots=True)
class _Answer:
    number: int
    powers: Mapping[Zone, Gauge]


class PolledMeter:
    """Platform power from a slow source.

    A reading has the instant of the tick in which its value was first seen, so
    that the time between two of them is the meter's own window: a tick in which
    nothing new was heard gives the reading before, with the instant of then.
    """

    covers: Final = frozenset({"platform", "machine"})
    """Known before the first answer, so that nothing else is chosen for it."""

    def __init__(self, name: str, source: PowerSource, every_s: float) -> None:
        """Begin to ask; ``every_s``: seconds from one answer to the next question."""
        self.name = name
        self._source = source
        self._every_s = every_s
        self._stale_ns = nanoseconds(STALE_POLLS * every_s + STALE_MORE_S)
        self._answer: _Answer | None = None
        self._problem = ""
        self._number = 0
        self._powers: Mapping[Zone, Gauge] = {}
        self._moved_ns = Nanoseconds(0)
        self._renewed_ns = Nanoseconds(0)
        self._stop = threading.Event()
        self._asked = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    @property
    def zones(self) -> tuple[Zone, ...]:
        """The zones of the newest answer; none before the first."""
        return tuple(self._answer.powers) if self._answer else ()

    @property
    def problems(self) -> tuple[str, ...]:
        """Why the last question had no answer."""
        if self._problem:
            return (self._problem,)
        return () if self._answer else (f"{self.name}: no answer yet",)

    @property
    def running(self) -> bool:
        """True while the thread that asks lives."""
        return self._thread.is_alive()

    def settle(self, patience_s: float) -> None:
        """Wait for the first question to end, well or badly, but no longer than ``patience_s``."""
        self._asked.wait(patience_s)

    def read(self, now_ns: Nanoseconds) -> tuple[Reading, ...]:
        """The newest readings; never waits. Empty before the first answer.

        Raises:
            MeterFailed: there was no new answer for too long, or never one.
        """
        answer = self._answer
        if answer is None:
            if self._problem:
                raise MeterFailed(self._problem)
            return ()
        if answer.number != self._number:
            self._number, self._renewed_ns = answer.number, now_ns
            steady = now_ns - self._moved_ns < nanoseconds(STEADY_S)
            if not (steady and answer.powers == self._powers):
                self._powers, self._moved_ns = answer.powers, now_ns
        elif (silent_ns := now_ns - self._renewed_ns) > self._stale_ns:
            why = self._problem or "the last question has no answer yet"
            raise MeterFailed(
                f"{self.name}: no new reading for {silent_ns // NANOSECONDS_PER_SECOND} s: {why}"
            )
        return tuple(Reading(zone, self._moved_ns, power) for zone, power in self._powers.items())

    def close(self) -> None:
        """Stop asking; waits a few seconds for a session to be ended."""
        self._stop.set()
        self._source.interrupt()
        self._thread.join(_CLOSE_S)

    def _run(self) -> None:
        failures = 0
        while not self._stop.is_set():
            pause_s = self._every_s
            try:
                powers = self._source.poll()
            except MeterError as error:
                failures += 1
                pause_s = min(self._every_s * 2 ** min(failures - 1, 16), _LONGEST_PAUSE_S)
                if isinstance(error, MeterDenied):
                    pause_s = max(pause_s, DENIED_PAUSE_S)
                self._fail(str(error))
            except Exception as error:  # noqa: BLE001 - our bug must not silence the meter for ever
                failures += 1
                pause_s = _LONGEST_PAUSE_S
                self._fail(f"{self.name}: {type(error).__name__} in our own code: {error}")
            else:
                failures = 0
                number = self._answer.number + 1 if self._answer else 1
                self._answer = _Answer(number, powers)
                self._problem = ""
            self._asked.set()
            self._stop.wait(pause_s)
        self._source.close()

    def _fail(self, problem: str) -> None:
        if problem != self._problem and not self._stop.is_set():
            _LOG.warning("%s", problem)
        self._problem = problem
