"""Compute the gCO2e that delayed work avoids or adds, compared to running it at once.

Delayed work is remembered with the intensity at the moment of the delay. When it is released, the
difference to the present intensity counts: avoided if the grid is cleaner now, added if it is
dirtier. A queue contains the same work from one reading to the next, so only its growth counts as
newly delayed.
"""

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Held:
    """The work that waits, and the grams that released work avoided and added so far."""

    units: float = 0.0
    g_per_kwh: float = 0.0
    """Mean intensity at the moments of the delays."""
    avoided_g: float = 0.0
    added_g: float = 0.0


def after(before: Held, units: float, g_per_kwh: float, kwh_per_unit: float) -> Held:
    """Return the state after ``units`` of work wait now.

    Args:
        before: The state before.
        units: Demand less the returned value.
        g_per_kwh: Present intensity.
        kwh_per_unit: Energy of one unit of work; 0: not known, so that no grams count.
    """
    if units >= before.units:
        total = before.units * before.g_per_kwh + (units - before.units) * g_per_kwh
        return replace(before, units=units, g_per_kwh=total / units if units else 0.0)
    grams = (before.units - units) * kwh_per_unit * (before.g_per_kwh - g_per_kwh)
    return replace(
        before,
        units=units,
        avoided_g=before.avoided_g + max(0.0, grams),
        added_g=before.added_g + max(0.0, -grams),
    )
