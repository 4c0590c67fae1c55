"""Readings of meters that cover part of the machine, gathered until they can correct the model.

A tick says little; the mean of many ticks at about the same load says what this machine draws
there.
"""

from typing import Final

from wattribute.node.estimator.calibration import Measured

_BOUNDS: Final = (0.05, 0.2, 0.4, 0.6, 0.8, 1.01)
"""Upper ends of the ranges of load."""
_LEAST_TICKS: Final = 20
_KEEP: Final = 0.98
"""Of the mean's weight from tick to tick: it remembers about 50 ticks."""
_NEWS: Final = 0.03
"""A change of the mean by less than this is no news."""


class Observations:
    """Running means by scope and range of load."""

    def __init__(self) -> None:
        """Nothing was seen."""
        self._seen: dict[tuple[str, int], tuple[int, float, float]] = {}
        self._told: dict[tuple[str, int], float] = {}

    def add(self, scope: str, utilisation: float, watts: float) -> None:
        """Take one tick's mean power; what is not positive is ignored."""
        if watts <= 0:
            return
        place = scope, next(i for i, bound in enumerate(_BOUNDS) if utilisation < bound)
        ticks, at, mean = self._seen.get(place, (0, 0.0, 0.0))
        keep = min(_KEEP, ticks / (ticks + 1))
        self._seen[place] = (
            ticks + 1,
            at * keep + utilisation * (1 - keep),
            mean * keep + watts * (1 - keep),
        )

    def news(self) -> tuple[Measured, ...]:
        """All that is known, if it differs from what was told last; else nothing."""
        ripe = {place: seen for place, seen in self._seen.items() if seen[0] >= _LEAST_TICKS}
        if all(
            abs(mean - self._told.get(p, 0.0)) <= _NEWS * mean for p, (_, _, mean) in ripe.items()
        ):
            return ()
        self._told = {place: mean for place, (_, _, mean) in ripe.items()}
        return self.known()

    def known(self) -> tuple[Measured, ...]:
        """All that is known, for a model that is new."""
        return tuple(
            Measured(at, mean, scope)
            for (scope, _), (ticks, at, mean) in sorted(self._seen.items())
            if ticks >= _LEAST_TICKS
        )
