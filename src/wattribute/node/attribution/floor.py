"""The floor of a zone: what it draws when nobody runs.

A property of the machine and not of its load, so it must stay put at 100 %
(design section 2). Package power is concave in load: a line through busy ticks puts
idle several times too high, so only ticks under 20 % busy count. The lowest
tick ever seen is no floor either: it sticks at noise.
"""

from dataclasses import dataclass
from typing import Final, Literal, Self

import numpy as np
from numpy.typing import NDArray

from wattribute.core.units import Microwatts
from wattribute.node.attribution.sample import Sample

_QUIET: Final = 0.20
"""Ticks less busy than this are used for the line ..."""
_IDLE: Final = 0.05
"""... and some must be less busy than this, or its end is too far from 0."""
_LEAST_QUIET: Final = 20
_LEAST_IDLE: Final = 5
_PERCENTILE: Final = 1
"""The floor is at most this percentile of the power of all ticks."""
_PPM: Final = 1_000_000

_ALL_KEPT: Final = 512
_QUIET_KEPT: Final = 128
"""Of the idle ones as many again; up to 256 points make 33,000 slopes: 0.6 ms."""
_REFIT_SHARE: Final = 16
"""Fit again when 1/16 of the points are new, or 1/16 of the window has passed."""

FloorBasisName = Literal["given", "learned", "prior", "none"]


@dataclass(frozen=True, slots=True)
class Floor:
    """A zone's idle power, and how it is known."""

    power_uw: Microwatts
    basis: FloorBasisName


class FloorLearner:
    """Learns one zone's floor from its ticks, in bounded memory and time.

    A change holds from the next tick on; what has been shared stays.
    """

    def __init__(self, window_ns: int, given_uw: int | None) -> None:
        """Learn from the last ``window_ns``, unless the floor is given (settings)."""
        self._window_ns = window_ns
        self._given_uw = given_uw
        self._newest_ns = 0
        self._all = Sample(1, _ALL_KEPT)
        self._quiet = Sample(2, _QUIET_KEPT)
        self._idle = Sample(2, _QUIET_KEPT)
        self._fitted_at_ns = 0
        self._fitted_kept = self._limited_kept = 0
        self._line_uw: float | None = None
        self._limit_uw: float | None = None
        self._dumped: tuple[int, dict[str, object]] | None = None

    def observe(self, at_ns: int, busy: float, power_uw: int) -> None:
        """Take one tick.

        Args:
            at_ns: its end, on the monotonic clock; not before the last one's.
            busy: share of the zone's CPUs x time that was busy, 0 to 1.
            power_uw: the zone's mean power in it; negative ones are ignored.
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
            prior_uw: what the estimator says of this CPU; None: nothing.
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
        """Fit again when there is enough that is new."""
        oldest_ns = self._newest_ns - self._window_ns
        aged = self._newest_ns - self._fitted_at_ns >= self._window_ns // _REFIT_SHARE
        if aged or self._all.kept - self._limited_kept > len(self._all) // _REFIT_SHARE:
            (power_uw,) = self._all.window(oldest_ns)
            self._limit_uw = float(np.percentile(power_uw, _PERCENTILE)) if len(power_uw) else None
            self._limited_kept = self._all.kept
        kept = self._quiet.kept + self._idle.kept
        if aged or kept - self._fitted_kept > (len(self._quiet) + len(self._idle)) // _REFIT_SHARE:
            idle, quiet = self._idle.window(oldest_ns), self._quiet.window(oldest_ns)
            points = np.concatenate((idle, quiet), axis=1)
            enough = idle.shape[1] >= _LEAST_IDLE and points.shape[1] >= _LEAST_QUIET
            self._line_uw = _at_zero(*points) if enough else None
            self._fitted_kept = kept
        if aged:
            self._fitted_at_ns = self._newest_ns

    def dump(self) -> dict[str, object]:
        """Return what was learned, as plain JSON types, for ``load``.

        The same object until a tick is kept (of a week's ticks few are), so
        that it need not be encoded anew each time.
        """
        kept = self._all.kept + self._quiet.kept + self._idle.kept
        if self._dumped is None or self._dumped[0] != kept:
            samples = {"all": self._all, "quiet": self._quiet, "idle": self._idle}
            state: dict[str, object] = {
                name: sample.dump(self._newest_ns) for name, sample in samples.items()
            }
            self._dumped = (kept, state)
        return self._dumped[1]

    @classmethod
    def load(cls, state: object, window_ns: int, given_uw: int | None, *, newest_ns: int) -> Self:
        """Restore what ``dump`` gave.

        Args:
            state: the dump; from anywhere, so it is checked.
            window_ns: as for the constructor.
            given_uw: as for the constructor.
            newest_ns: when the dump was made, on the monotonic clock of now (negative when that
                was before this boot).

        Raises:
            ValueError: it is not a dump.
        """
        if not isinstance(state, dict):
            raise ValueError("the floor's state must be an object")  # noqa: TRY004 - one error for all that is wrong
        learner = cls(window_ns, given_uw)
        learner._newest_ns = newest_ns
        learner._all = Sample.load(state.get("all"), 1, _ALL_KEPT, newest_ns)
        learner._quiet = Sample.load(state.get("quiet"), 2, _QUIET_KEPT, newest_ns)
        learner._idle = Sample.load(state.get("idle"), 2, _QUIET_KEPT, newest_ns)
        return learner


def _at_zero(busy_ppm: NDArray[np.int64], power_uw: NDArray[np.int64]) -> float:
    """Return the Theil-Sen line through the points, slope >= 0, read at 0.

    At most the 1st percentile of these points too: that of all ticks rises in
    a busy week, and the floor would rise with it where power is so concave that the line
    is too high.
    """
    one, other = np.triu_indices(len(busy_ppm), 1)
    run = busy_ppm[other] - busy_ppm[one]
    apart = run != 0
    slopes = (power_uw[other] - power_uw[one])[apart] / run[apart]
    slope = max(float(np.median(slopes)), 0.0) if len(slopes) else 0.0
    line_uw = float(np.median(power_uw - slope * busy_ppm))
    return min(line_uw, float(np.percentile(power_uw, _PERCENTILE)))
