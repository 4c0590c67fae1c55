"""Sudden changes of the whole: a governor that is switched, turbo, a workload that changes."""

from enum import Enum
from typing import Final

import numpy as np

from wattribute.node.attribution.learned.filters import FilterBank, Forecast, Sight

_SD: Final = 8.0
_PART: Final = 0.04
_LEAST_PART: Final = 0.02
"""An error counts as large beyond so many standard deviations, and so much of the forecast; and
dynamic power below so much of all power is never judged."""
_ONE_WORKLOAD: Final = (0.75, 1.33)
"""Beyond these parts of the forecast more has changed than one workload does."""
_EARLY_S: Final = 900.0
_FIRST_TICKS: Final = 20


class Reaction(Enum):
    """What to do with a tick."""

    LEARN = "learn"
    SKIP = "skip"
    BEGIN_ANEW = "begin anew"


class Jumps:
    """Two large errors in a row, the same way, are a jump; one may be a bad reading."""

    def __init__(self) -> None:
        """Start with no jump."""
        self.count = 0
        self._strikes = 0

    def reset(self) -> None:
        """Forget the last error."""
        self._strikes = 0

    def judge(
        self,
        bank: FilterBank,
        forecast: Forecast,
        sight: Sight,
        *,
        member: int,
        noise: float,
        age_s: float,
    ) -> Reaction:
        """Deal with the error of a tick, before the filters learn from it.

        A jump that is larger than any workload is the curve's. Else the curve a little, and all who
        run, may have changed. In the first quarter of an hour the curve cannot be told from such a
        jump, so the learner must begin anew.

        Args:
            bank: the filters; their beliefs are opened where something has jumped.
            forecast: of this tick; it is made to agree with the opened beliefs.
            sight: the tick.
            member: the filter that is believed most.
            noise: variance of its noise, W squared.
            age_s: of the learner.
        """
        part = bank.part_of_forecast(forecast, sight, member)
        error = float(forecast.errors[member])
        deviation = float(np.sqrt(forecast.explained[member] + noise))
        large = abs(error) > _SD * deviation and abs(part - 1) > _PART
        large = large and sight.above_w > _LEAST_PART * sight.power_w
        way = int(np.sign(error)) if large else 0
        self._strikes = self._strikes + way if self._strikes * way > 0 else way
        if abs(self._strikes) == 1 and age_s > _FIRST_TICKS * sight.elapsed_s:
            return Reaction.SKIP
        if abs(self._strikes) < 2:
            return Reaction.LEARN
        self._strikes = 0
        self.count += 1
        if _ONE_WORKLOAD[0] < part < _ONE_WORKLOAD[1]:
            bank.open_up(forecast, sight)
        elif age_s < _EARLY_S:
            return Reaction.BEGIN_ANEW
        else:
            bank.scale_curve(forecast, sight)
        return Reaction.LEARN
