"""What a data centre draws for one kilowatt-hour of its machines: power usage effectiveness."""

from collections.abc import Mapping
from dataclasses import dataclass

from wattribute.accounting.carbon.place import Place, find_place
from wattribute.accounting.carbon.tables import figures, of_year


@dataclass(frozen=True, slots=True)
class Pue:
    """A factor (at least 1), and whose word it is."""

    value: float
    source: str
    """``settings``, the table's source, or ``unknown``: then the value is 1, too little."""
    year: int
    """Year of the figure; 0: not of a year."""


class Facility:
    """PUE by place: the settings, else the region's figure, else 1 and ``unknown``."""

    def __init__(self, given: Mapping[str, float]) -> None:
        """``given``: PUE by place, or by ``*``."""
        self._given = given

    def pue(self, place: str, year: int) -> Pue:
        """The factor for a year.

        Raises:
            IntensityAbsent: no such place.
        """
        where = find_place(place)
        for name in (where.name, where.region, where.zone, where.country, "*"):
            if name in self._given:
                return Pue(self._given[name], "settings", 0)
        return _of_table(where, year)


def _of_table(place: Place, year: int) -> Pue:
    if values := figures().get(("pue", place.region)):
        figure = of_year(values, year)
        return Pue(figure.value, figure.source, figure.year)
    return Pue(1.0, "unknown", 0)
