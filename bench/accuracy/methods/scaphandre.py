"""Scaphandre's rule, written anew from its documentation.

A process has the share of the host's whole power that its jiffies have of all active jiffies
(https://hubblo-org.github.io/scaphandre-documentation, "Per process power consumption"), so idle
power is spread over whoever runs.
"""

from typing import ClassVar

from bench.accuracy.methods.method import Split, Tick, in_proportion


class Scaphandre:
    """The whole power by CPU time, idle included."""

    name: ClassVar = "Scaphandre rule"
    needs_counters: ClassVar = False

    def __init__(self, counters: bool) -> None:  # noqa: FBT001 - of the protocol
        """Take nothing: there is nothing to learn."""

    def split(self, tick: Tick) -> Split:
        """Share everything by CPU time."""
        return Split(in_proportion(tick.power_watts, tick.use), 0.0)
