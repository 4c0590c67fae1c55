"""Units.

Inside: whole microjoules, microwatts and nanoseconds, so that sums are exact.
At the edges (metrics, reports): joules, watts, seconds, kilowatt-hours. This
is the only module that knows the factors.
"""

from typing import Final, NewType

Microjoules = NewType("Microjoules", int)
Microwatts = NewType("Microwatts", int)
Nanoseconds = NewType("Nanoseconds", int)

MICROJOULES_PER_JOULE: Final = 1_000_000
MICROJOULES_PER_MILLIJOULE: Final = 1_000
MICROWATTS_PER_WATT: Final = 1_000_000
MICROWATTS_PER_MILLIWATT: Final = 1_000
MICROJOULES_PER_KWH: Final = 3_600_000_000_000
NANOSECONDS_PER_SECOND: Final = 1_000_000_000
NANOSECONDS_PER_MICROSECOND: Final = 1_000
SECONDS_PER_HOUR: Final = 3_600
SECONDS_PER_DAY: Final = 86_400


def energy_at(power_uw: int, elapsed_ns: int) -> Microjoules:
    """Energy of a constant power over a time, rounded to the nearest microjoule."""
    half = NANOSECONDS_PER_SECOND // 2
    return Microjoules((power_uw * elapsed_ns + half) // NANOSECONDS_PER_SECOND)


def power_of(energy_uj: int, elapsed_ns: int) -> Microwatts:
    """Mean power of an energy spent over a time (> 0), rounded down."""
    return Microwatts(energy_uj * NANOSECONDS_PER_SECOND // elapsed_ns)


def joules(energy_uj: int) -> float:
    """Microjoules as joules."""
    return energy_uj / MICROJOULES_PER_JOULE


def watts(power_uw: int) -> float:
    """Microwatts as watts."""
    return power_uw / MICROWATTS_PER_WATT


def seconds(time_ns: int) -> float:
    """Nanoseconds as seconds."""
    return time_ns / NANOSECONDS_PER_SECOND


def nanoseconds(time_s: float) -> Nanoseconds:
    """Seconds as whole nanoseconds."""
    return Nanoseconds(round(time_s * NANOSECONDS_PER_SECOND))


def microwatts(power_w: float) -> Microwatts:
    """Watts as whole microwatts."""
    return Microwatts(round(power_w * MICROWATTS_PER_WATT))
