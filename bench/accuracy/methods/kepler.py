"""Kepler's two rules, written anew from its documentation.

Up to 0.9 (``ratio`` model): dynamic power in proportion to CPU instructions where they are
counted, else to CPU time; dynamic is what lies above the least power seen. Since 0.10: the node's
CPU usage ratio says how much of the power is active, and the active part goes by CPU time
(https://sustainable-computing.io/kepler, "Power attribution").
"""

from typing import ClassVar

from bench.accuracy.methods.method import Split, Tick, in_proportion


class Kepler09:
    """Kepler 0.9's ratio. The floor is given, so that nothing else differs from the others."""

    name: ClassVar = "Kepler 0.9 ratio"
    needs_counters: ClassVar = False

    def __init__(self, counters: bool) -> None:  # noqa: FBT001 - of the protocol
        """Take nothing: there is nothing to learn."""

    def split(self, tick: Tick) -> Split:
        """Share by instructions, else by CPU time."""
        amounts = tick.use if tick.events is None else tick.events.instructions
        return Split(in_proportion(tick.dynamic_watts, amounts), tick.idle_watts)


class Kepler011:
    """Kepler 0.11's rule. It knows no floor: idle is the part of the time that CPUs were idle."""

    name: ClassVar = "Kepler 0.11 rule"
    needs_counters: ClassVar = False

    def __init__(self, counters: bool) -> None:  # noqa: FBT001 - of the protocol
        """Take nothing: there is nothing to learn."""

    def split(self, tick: Tick) -> Split:
        """Share power x usage ratio by CPU time; the rest is the node's idle power."""
        active = tick.power_watts * min(1.0, float(tick.use.sum()) / tick.threads)
        return Split(in_proportion(active, tick.use), tick.power_watts - active)
