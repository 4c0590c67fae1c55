"""Who used the energy on a Linux node or in a Kubernetes cluster, and what it cost."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wattribute.measuring import Measure
    from wattribute.settings import Settings

__version__ = "0.1.0"


def measure(settings: "Settings | None" = None, *, g_per_kwh: float | None = None) -> "Measure":
    """Measure the energy of a block of code, or of each call of a function.

    >>> with wattribute.measure() as m:  # doctest: +SKIP
    ...     work()
    >>> m.joules, m.by_component  # doctest: +SKIP

    Args:
        settings: as for the agent; default: all meters that this machine has.
        g_per_kwh: carbon intensity of the electricity, in gCO2e per kWh.
    """
    from wattribute.measuring import Measure  # noqa: PLC0415 - numpy costs 65 ms

    return Measure(settings, g_per_kwh=g_per_kwh)
