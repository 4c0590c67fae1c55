"""gCO2e against run-now, of work that was held back. Pure.

What is held back is remembered at the intensity of that moment; when it is let go, the difference
to the intensity of then counts: avoided if it is cleaner, added if it is dirtier. A queue's length
holds the same work from one reading to the next, so only what is new in it counts as held anew.
"""

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Held:
    """The work that waits, and what letting work go has brought so far."""

    units: float = 0.0
    g_per_kwh: float = 0.0
    """Mean of the moments at which it was held back."""
    avoided_g: float = 0.0
    added_g: float = 0.0


def after(held: Held, units: float, g_per_kwh: float, kwh_per_unit: float) -> Held:
    """The same with ``units`` waiting now.

    Args:
        held: Before.
        units: Demand minus what is let through.
        g_per_kwh: Now.
        kwh_per_unit: Energy of one unit of work; 0 where it is not known: nothing counts.
    """
    if units >= held.units:
        total = held.units * held.g_per_kwh + (units - held.units) * g_per_kwh
        return replace(held, units=units, g_per_kwh=total / units if units else 0.0)
    grams = (held.units - units) * kwh_per_unit * (held.g_per_kwh - g_per_kwh)
    return replace(
        held,
        units=units,
        avoided_g=held.avoided_g + max(0.0, grams),
        added_g=held.added_g + max(0.0, -grams),
    )
