"""One program as it was recorded, alone on a machine."""

from dataclasses import dataclass

from bench.accuracy.worlds.world import Array


@dataclass(frozen=True, slots=True)
class Events:
    """Hardware events per second; each (steps,)."""

    cycles: Array
    instructions: Array
    misses: Array


@dataclass(frozen=True, slots=True)
class Program:
    """What one program used and drew, in equal steps."""

    name: str
    step_s: float
    use: Array
    """(steps,) threads kept busy."""
    watts: Array
    """(steps,) power above the machine's idle power."""
    events: Events | None = None
    """None: nothing was counted."""
