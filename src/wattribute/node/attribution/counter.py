"""Compute the energy between two readings of one counter."""

from wattribute.core.counters import step
from wattribute.core.records import Counter
from wattribute.core.units import Microjoules, energy_at


def energy_between(
    before: Counter, after: Counter, *, elapsed_ns: int, power_max_uw: int
) -> Microjoules | None:
    """Return the energy used between two readings, or None when it cannot be known.

    A smaller second value means either one wrap or a reset (driver reload,
    suspend). Only the energy over a wrap can be recovered. It is taken as a wrap
    if the wrapped difference is physically possible, and else as a reset.

    A counter shows every value from 0 to ``wraps_at_uj`` inclusive, so its
    period is taken as ``wraps_at_uj + 1``. RAPL's registers count 2**32 steps
    of their own unit, of which powercap shows the largest, so the true period
    is ``wraps_at_uj`` plus one step (usually 15 or 61 uJ, and powercap does not
    say which): the energy over a wrap is less than one step in 262 kJ too low,
    and never too high.

    Args:
        before: the earlier reading.
        after: the later reading of the same counter.
        elapsed_ns: time between the readings, > 0; a second wrap inside it cannot be
            detected (package RAPL wraps every 262 kJ: 10 minutes at 400 W).
        power_max_uw: upper bound of the power of any zone of this machine.

    Returns:
        Microjoules; None after a reset, for a rise that is physically
        impossible, when the counter's range changed or when no time has passed.

    Sources: Linux Documentation/power/powercap/powercap.rst (energy_uj,
    max_energy_range_uj); drivers/powercap/intel_rapl_common.c,
    get_max_energy_counter (ENERGY_STATUS_MASK in microjoules); Intel SDM vol. 3B
    section 15.10 (32 bits).
    """
    if elapsed_ns <= 0 or before.wraps_at_uj != after.wraps_at_uj:
        return None
    rise_uj, anew = step(before.energy_uj, after.energy_uj, wraps_at=before.wraps_at_uj)
    possible = not anew and 0 <= rise_uj <= energy_at(power_max_uw, elapsed_ns)
    return Microjoules(rise_uj) if possible else None
