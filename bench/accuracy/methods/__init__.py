"""Ways of sharing a node's energy among workloads, side by side on the same ticks.

Those of other tools are written anew from their papers and documentation: their rules are
compared, not their programs.
"""

from typing import Final

from bench.accuracy.methods.kepler import Kepler011, Kepler09
from bench.accuracy.methods.method import Method
from bench.accuracy.methods.own import ByCycles, ByLearned, ByLearnedWithCounters, ByTime
from bench.accuracy.methods.scaphandre import Scaphandre
from bench.accuracy.methods.smartwatts import SmartWatts

METHODS: Final[tuple[type[Method], ...]] = (
    ByTime,
    Kepler011,
    Kepler09,
    Scaphandre,
    SmartWatts,
    ByCycles,
    ByLearned,
    ByLearnedWithCounters,
)
