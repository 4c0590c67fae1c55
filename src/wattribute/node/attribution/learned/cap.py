"""Whether firmware holds the zone's power at a cap: the sum then says nothing of its parts."""

from typing import Final

import numpy as np

_AT_LIMIT: Final = 0.015
"""How near to the limit power is held by it. Above, for the seconds that turbo is allowed, it is
not."""
_BIN: Final = 0.0025
"""Width of the histogram's bins in ln W."""
_BINS: Final = 4096
_LEAST_W: Final = 0.1
"""Where the histogram begins; it ends at 2.8 kW."""
_WINDOW: Final = 6
"""A cap is so many bins wide: 1.5 %, the meter's noise."""
_LOOK_EVERY_S: Final = 60.0
_MEMORY_S: Final = 1800.0
_FIRST_S: Final = 300.0
_PART: Final = 0.06
_ABOVE: Final = 0.1
_BELOW: Final = 3.0
_NONE: Final = (_BINS, -1)


class PowerCap:
    """Knows the cap from powercap, or finds it where readings pile up.

    A load that varies thins out towards its highest power. Only a cap has an edge on both sides: a
    window that holds 6 % of the last half hour, with less than a tenth of that above it and less
    than a third of that in the window below. On made machines it found the capped ticks as well as
    an oracle does, and in no other world more than 0.1 % of ticks.
    """

    def __init__(self) -> None:
        """Start with no reading."""
        self._seconds = np.zeros(_BINS)
        self._age_s, self._next_s = 0.0, _LOOK_EVERY_S
        self._bins = _NONE

    def holds(self, power_w: float, elapsed_s: float, limit_w: float | None) -> bool:
        """Return whether power is at its cap.

        Args:
            power_w: mean power of the zone in the tick.
            elapsed_s: its length.
            limit_w: the power limit that powercap tells; None: not known.
        """
        if limit_w is not None:
            return abs(power_w / limit_w - 1) < _AT_LIMIT
        self._age_s += elapsed_s
        place = int(np.log(max(power_w, _LEAST_W) / _LEAST_W) / _BIN)
        place = min(place, _BINS - 1)
        self._seconds[place] += elapsed_s
        if self._age_s >= self._next_s:
            self._next_s = self._age_s + _LOOK_EVERY_S
            self._bins = self._pile()
            self._seconds *= np.exp(-_LOOK_EVERY_S / _MEMORY_S)
        return self._bins[0] <= place <= self._bins[1]

    def _pile(self) -> tuple[int, int]:
        """Return the first and the last bin of the cap; none if there is no cap."""
        total = max(float(self._seconds.sum()), 1e-9)
        run = np.concatenate([[0.0], np.cumsum(self._seconds)]) / total
        inside, above = run[_WINDOW:] - run[:-_WINDOW], 1 - run[_WINDOW:]
        below = np.concatenate([np.zeros(_WINDOW), inside[:-_WINDOW]])
        is_cap = (inside > _PART) & (above < _ABOVE * inside) & (inside > _BELOW * below)
        if self._age_s <= _FIRST_S or not is_cap.any():
            return _NONE
        first = int(np.argmax(np.where(is_cap, inside, 0.0)))
        return first - 1, first + _WINDOW + 2
