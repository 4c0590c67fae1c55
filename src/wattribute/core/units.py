"""Units of energy, power and time, and the factors between them.

Inside, all numbers are whole microjoules, microwatts and nanoseconds, so that sums are exact.
Metrics and reports have joules, watts, seconds and kilowatt-hours. Only this module knows the
factors.
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
WATTS_PER_KILOWATT: Final = 1_000
KILOWATT_HOURS_PER_MEGAWATT_HOUR: Final = 1_000
NANOSECONDS_PER_SECOND: Final = 1_000_000_000
NANOSECONDS_PER_MILLISECOND: Final = 1_000_000
NANOSECONDS_PER_MICROSECOND: Final = 1_000
MICROSECONDS_PER_SECOND: Final = 1_000_000
MILLISECONDS_PER_SECOND: Final = 1_000
MILLISECONDS_PER_MINUTE: Final = 60_000
HOUR_S: Final = 3_600
DAY_S: Final = 86_400
HOUR_US: Final = HOUR_S * MICROSECONDS_PER_SECOND
MICROGRAMS_PER_GRAM: Final = 1_000_000
MICROGRAMS_PER_KILOGRAM: Final = 1_000_000_000
GRAMS_PER_KILOGRAM: Final = 1_000
MILLICORES_PER_CORE: Final = 1_000
KILOHERTZ_PER_MEGAHERTZ: Final = 1_000
MEGAHERTZ_PER_GIGAHERTZ: Final = 1_000
BYTES_PER_GIGABYTE: Final = 1_000_000_000


def energy_at(power_uw: int, elapsed_ns: int) -> Microjoules:
    """The energy of a constant power over a time, rounded to the nearest microjoule."""
    half = NANOSECONDS_PER_SECOND // 2
    return Microjoules((power_uw * elapsed_ns + half) // NANOSECONDS_PER_SECOND)


def power_of(energy_uj: int, elapsed_ns: int) -> Microwatts:
    """The mean power of an energy over a time, which is more than 0; rounded down."""
    return Microwatts(energy_uj * NANOSECONDS_PER_SECOND // elapsed_ns)


def joules(energy_uj: int) -> float:
    """Convert microjoules to joules."""
    return energy_uj / MICROJOULES_PER_JOULE


def watts(power_uw: int) -> float:
    """Convert microwatts to watts."""
    return power_uw / MICROWATTS_PER_WATT


def seconds(time_ns: int) -> float:
    """Convert nanoseconds to seconds."""
    return time_ns / NANOSECONDS_PER_SECOND


def nanoseconds(time_s: float) -> Nanoseconds:
    """Convert seconds to nanoseconds, rounded to a whole number."""
    return Nanoseconds(round(time_s * NANOSECONDS_PER_SECOND))


def microwatts(power_w: float) -> Microwatts:
    """Convert watts to microwatts, rounded to a whole number."""
    return Microwatts(round(power_w * MICROWATTS_PER_WATT))
