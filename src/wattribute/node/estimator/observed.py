"""Collect readings of meters that cover part of the machine, until they can correct the model.

A single tick says little; the mean of many ticks at about the same load says what this machine
draws there.
"""

from typing import Final

from wattribute.node.estimator.calibration import Measured

_BOUNDS: Final = (0.05, 0.2, 0.4, 0.6, 0.8, 1.01)
"""Upper ends of the ranges of load."""
_LEAST_TICKS: Final = 20
_KEEP: Final = 0.98
"""Weight that the mean keeps from tick to tick, so that it covers about 50 ticks."""
_NEWS: Final = 0.03
"""A smaller relative change of the mean is not reported."""


class Observations:
    """Running means of power by scope and range of load."""

    def __init__(self) -> None:
        """Start without readings."""
        self._means: dict[tuple[str, int], tuple[int, float, float]] = {}
        self._reported: dict[tuple[str, int], float] = {}

    def add(self, scope: str, utilisation: float, watts: float) -> None:
        """Add one tick's mean power; a power that is not positive is ignored."""
        if watts <= 0:
            return
        place = scope, next(i for i, bound in enumerate(_BOUNDS) if utilisation < bound)
        ticks, at, mean = self._means.get(place, (0, 0.0, 0.0))
        keep = min(_KEEP, ticks / (ticks + 1))
        self._means[place] = (
            ticks + 1,
            at * keep + utilisation * (1 - keep),
            mean * keep + watts * (1 - keep),
        )

    def news(self) -> tuple[Measured, ...]:
        """Return all readings if they differ from the last reported ones; else none."""
        ripe = {place: mean for place, mean in self._means.items() if mean[0] >= _LEAST_TICKS}
        if all(
            abs(mean - self._reported.get(p, 0.0)) <= _NEWS * mean
            for p, (_, _, mean) in ripe.items()
        ):
            return ()
        self._reported = {place: mean for place, (_, _, mean) in ripe.items()}
        return self.readings()

    def readings(self) -> tuple[Measured, ...]:
        """Return all readings, for a new model."""
        return tuple(
            Measured(at, mean, scope)
            for (scope, _), (ticks, at, mean) in sorted(self._means.items())
            if ticks >= _LEAST_TICKS
        )
