"""Learn the floor of a zone: its power when nothing runs.

The floor is a property of the machine and not of its load, so it must not change at
100 % load (design section 2). Package power is concave in load: a line through busy
ticks puts idle several times too high, so only ticks under 20 % busy are used. The
lowest tick ever is no floor either, because it is noise.
"""

from dataclasses import dataclass
from typing import Final, Literal, Self

import numpy as np
from numpy.typing import NDArray

from wattribute.core.units import Microwatts
from wattribute.node.attribution.sample import TickSample

_QUIET: Final = 0.20
"""Only ticks that are less busy than this are used for the line."""
_IDLE: Final = 0.05
"""Some ticks must be less busy than this, so that the line is not extrapolated too far."""
_LEAST_QUIET: Final = 20
_LEAST_IDLE: Final = 5
_PERCENTILE: Final = 1
"""The floor is at most this percentile of the power of all ticks."""
_PPM: Final = 1_000_000

_ALL_KEPT: Final = 512
_QUIET_KEPT: Final = 128
"""Most quiet ticks, and most idle ticks; 256 points make 33,000 slopes, which takes 0.6 ms."""
_REFIT_SHARE: Final = 16
"""The line is fitted again when 1/16 of the points are new, or 1/16 of the window has passed."""

FloorBasisName = Literal["given", "learned", "prior", "none"]


@dataclass(frozen=True, slots=True)
class Floor:
    """A zone's idle power, and how it was found."""

    power_uw: Microwatts
    basis: FloorBasisName


class FloorLearner:
    """Learns one zone's floor from its ticks, in bounded memory and time.

    A new floor applies from the next tick on; energy that was already shared is not changed.
    """

    def __init__(self, window_ns: int, given_uw: int | None) -> None:
        """Learn from the last ``window_ns``, unless the settings give the floor."""
        self._window_ns = window_ns
        self._given_uw = given_uw
        self._newest_ns = 0
        self._all = TickSample(1, _ALL_KEPT)
        self._quiet = TickSample(2, _QUIET_KEPT)
        self._idle = TickSample(2, _QUIET_KEPT)
        self._fitted_at_ns = 0
        self._fitted_kept = self._limited_kept = 0
        self._line_uw: float | None = None
        self._limit_uw: float | None = None
        self._dumped: tuple[int, dict[str, object]] | None = None

    def observe(self, at_ns: int, busy: float, power_uw: int) -> None:
        """Learn from one tick.

        Args:
            at_ns: end of the tick on the monotonic clock, not before that of the last tick.
            busy: share of the zone's CPUs x time that was busy, 0 to 1.
            power_uw: the zone's mean power in the tick; a negative power is ignored.
        """
        if self._given_uw is not None or power_uw < 0:
            return
        self._newest_ns = at_ns
        oldest_ns = at_ns - self._window_ns
        self._all.offer(at_ns, oldest_ns, power_uw)
        if busy < _QUIET:
            stratum = self._idle if busy < _IDLE else self._quiet
            stratum.offer(at_ns, oldest_ns, max(round(busy * _PPM), 0), power_uw)

    def floor(self, prior_uw: int | None) -> Floor:
        """Return the floor as it is known now.

        Args:
            prior_uw: the estimator's idle power for this CPU; None: there is no estimate.
        """
        if self._given_uw is not None:
            return Floor(Microwatts(self._given_uw), "given")
        self._refresh()
        limit_uw = self._limit_uw
        if limit_uw is None:
            return Floor(Microwatts(prior_uw or 0), "none" if prior_uw is None else "prior")
        if self._line_uw is not None:
            return Floor(Microwatts(round(min(max(self._line_uw, 0), limit_uw))), "learned")
        if prior_uw is not None:
            return Floor(Microwatts(round(min(prior_uw, limit_uw))), "prior")
        return Floor(Microwatts(0), "none")

    def _refresh(self) -> None:
        """Fit the line again if there are enough new ticks."""
        oldest_ns = self._newest_ns - self._window_ns
        aged = self._newest_ns - self._fitted_at_ns >= self._window_ns // _REFIT_SHARE
        if aged or self._all.kept - self._limited_kept > len(self._all) // _REFIT_SHARE:
            (power_uw,) = self._all.window(oldest_ns)
            self._limit_uw = float(np.percentile(power_uw, _PERCENTILE)) if len(power_uw) else None
            self._limited_kept = self._all.kept
        kept_ticks = self._quiet.kept + self._idle.kept
        if (
            aged
            or kept_ticks - self._fitted_kept > (len(self._quiet) + len(self._idle)) // _REFIT_SHARE
        ):
            idle, quiet = self._idle.window(oldest_ns), self._quiet.window(oldest_ns)
            points = np.concatenate((idle, quiet), axis=1)
            enough = idle.shape[1] >= _LEAST_IDLE and points.shape[1] >= _LEAST_QUIET
            self._line_uw = _at_zero(*points) if enough else None
            self._fitted_kept = kept_ticks
        if aged:
            self._fitted_at_ns = self._newest_ns

    def dump(self) -> dict[str, object]:
        """Return what was learned, as plain JSON types, for ``load``.

        The result is the same object until a tick is kept (few of a week's ticks are),
        so that it need not be encoded again each time.
        """
        kept_ticks = self._all.kept + self._quiet.kept + self._idle.kept
        if self._dumped is None or self._dumped[0] != kept_ticks:
            samples = {"all": self._all, "quiet": self._quiet, "idle": self._idle}
            state: dict[str, object] = {
                name: sample.dump(self._newest_ns) for name, sample in samples.items()
            }
            self._dumped = (kept_ticks, state)
        return self._dumped[1]

    @classmethod
    def load(cls, state: object, window_ns: int, given_uw: int | None, *, newest_ns: int) -> Self:
        """Restore the result of ``dump``.

        Args:
            state: the dump; its source may be untrusted, so it is checked.
            window_ns: as for the constructor.
            given_uw: as for the constructor.
            newest_ns: time of the dump on the present monotonic clock (negative if that was
                before this boot).

        Raises:
            ValueError: the state is not a dump.
        """
        if not isinstance(state, dict):
            raise ValueError("the floor's state must be an object")  # noqa: TRY004 - one error type for all faults
        learner = cls(window_ns, given_uw)
        learner._newest_ns = newest_ns
        learner._all = TickSample.load(state.get("all"), 1, _ALL_KEPT, newest_ns)
        learner._quiet = TickSample.load(state.get("quiet"), 2, _QUIET_KEPT, newest_ns)
        learner._idle = TickSample.load(state.get("idle"), 2, _QUIET_KEPT, newest_ns)
        return learner


def _at_zero(busy_ppm: NDArray[np.int64], power_uw: NDArray[np.int64]) -> float:
    """Return the value at 0 of the Theil-Sen line through the points, with slope >= 0.

    The value is at most the 1st percentile of these points. The 1st percentile of all ticks
    would not do: it rises in a busy week, and the floor would rise with it where power is so
    concave that the line is too high.
    """
    first, second = np.triu_indices(len(busy_ppm), 1)
    run = busy_ppm[second] - busy_ppm[first]
    apart = run != 0
    slopes = (power_uw[second] - power_uw[first])[apart] / run[apart]
    slope = max(float(np.median(slopes)), 0.0) if len(slopes) else 0.0
    line_uw = float(np.median(power_uw - slope * busy_ppm))
    return min(line_uw, float(np.percentile(power_uw, _PERCENTILE)))
