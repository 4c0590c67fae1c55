"""What a kilowatt-hour of electricity emits, here and then: sources behind one protocol.

``open_grid(settings)`` gives a ``Grid``; its ``latest``, ``hourly`` and ``forecast`` answer from
the sources that the settings name, in order, and every value says its basis, source and year.
"""

from wattribute.accounting.carbon.choose import open_grid
from wattribute.accounting.carbon.grid import Grid
from wattribute.accounting.carbon.intensity import Basis, Intensity, IntensitySource
from wattribute.accounting.carbon.place import Place, find_place, place_of_provider_id

__all__ = [
    "Basis",
    "Grid",
    "Intensity",
    "IntensitySource",
    "Place",
    "find_place",
    "open_grid",
    "place_of_provider_id",
]
