"""Who used the energy on a Linux node or in a Kubernetes cluster, and what it cost."""

from importlib import import_module
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from wattribute.node.measuring import Measure
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
    # Found by name: the package's root is below all its rooms, and importing costs 100 ms.
    measuring = import_module("wattribute.node.measuring")
    return cast("Measure", measuring.Measure(settings, g_per_kwh=g_per_kwh))
