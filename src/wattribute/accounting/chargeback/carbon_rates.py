"""A statement's rates from carbon's sources: intensity by hour x PUE, and the embodied share."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from typing import Final

import pyarrow as pa

from wattribute.accounting.carbon import Basis, Grid, Intensity, find_place, open_grid
from wattribute.accounting.carbon.location import Locations
from wattribute.accounting.carbon.pue import Pue
from wattribute.accounting.carbon.sci import embodied_of_instance, embodied_of_server
from wattribute.accounting.chargeback.engines import Span
from wattribute.accounting.chargeback.grams import CarbonFacts, Provenance, Rates
from wattribute.accounting.settings import AccountingSettings
from wattribute.core.errors import ConfigInvalid, IntensityAbsent
from wattribute.core.units import MICROGRAMS_PER_GRAM

_NOWHERE: Final = -1
_NO_PLACE: Final = (
    "carbon: some nodes do not say where they are, and their energy has no grams; set "
    "carbon.location (DE, aws/eu-central-1)"
)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class GridRates:
    """Rates from the sources that the settings name."""

    def __init__(self, settings: AccountingSettings, basis: Basis | None = None) -> None:
        """Open the sources; nothing is asked yet.

        Args:
            settings: The whole tree.
            basis: None takes the one of the settings.

        Raises:
            ConfigInvalid: no source has this basis, or one lacks what it needs.
        """
        self._grid: Grid = open_grid(settings, basis)
        self._room = settings.carbon
        self._locations = Locations(settings.carbon.locations, settings.carbon.location)
        self.problems: list[str] = []
        """Nodes and hours of which nothing is known, and why, for the reader of a statement."""

    def rates(self, nodes: Sequence[CarbonFacts], span: Span) -> Rates:
        """Rates for these nodes in the hours of ``span``.

        Raises:
            ConfigInvalid: a place that the settings name is none.
        """
        for place in filter(None, (self._room.location, *self._room.locations.values())):
            try:
                find_place(place)
            except IntensityAbsent as exc:
                raise ConfigInvalid(f"carbon.location, carbon.locations: {exc}") from exc
        places = [self._place_of(node) for node in nodes]
        zones: dict[str, int] = {}
        provenance: list[Provenance] = []
        columns: dict[str, list[int]] = {"zone": [], "hour": [], "ug_per_kwh": []}
        if "" in places:
            self.problems.append(_NO_PLACE)
        for place in dict.fromkeys(filter(None, places)):
            values = self._hours(place, span)
            if len(values) < span.hours:
                missing = span.hours - len(values)
                self.problems.append(
                    f"carbon: {missing} of {span.hours} hours in {place} have no intensity from "
                    f"{', '.join(self._room.sources)}, and so no grams"
                )
            if not values:
                continue
            pue = self._grid.facility.pue(place, values[0].start.year)
            zones[place] = len(provenance)
            provenance.append(_provenance(place, values, pue))
            for value in values:
                columns["zone"].append(zones[place])
                columns["hour"].append((value.start - _EPOCH) // timedelta(hours=1))
                columns["ug_per_kwh"].append(
                    round(value.g_per_kwh * pue.value * MICROGRAMS_PER_GRAM)
                )
        return Rates(
            zone_of=tuple(zones.get(place, _NOWHERE) for place in places),
            table=pa.table({name: pa.array(of, pa.int64()) for name, of in columns.items()}),
            provenance=tuple(provenance),
            embodied_ug_per_hour=tuple(self._embodied(node) for node in nodes),
        )

    def _place_of(self, node: CarbonFacts) -> str:
        """The place of a node; "" where nobody says one that is known."""
        place = self._locations.of(node.cluster, node.node, node.provider_id, node.region)
        if not place:
            return ""
        try:
            find_place(place)
        except IntensityAbsent:
            return self._room.location  # a provider's own name for a region that we do not know
        return place

    def _hours(self, place: str, span: Span) -> list[Intensity]:
        start, end = (_EPOCH + timedelta(hours=hour) for hour in (span.first, span.end))
        # Money must not wait for grams: what no source knows, or answers for, has none.
        return self._grid.hourly(place, start, end, whole=False)

    def _embodied(self, node: CarbonFacts) -> int:
        """Micrograms of one hour of a node; 0: not known."""
        room = self._room
        given = (
            name
            for pattern, name in room.instance_types.items()
            if fnmatchcase(node.node, pattern) or fnmatchcase(node.cluster, pattern)
        )
        instance = next(given, node.instance_type)
        try:
            found = embodied_of_instance(instance, room.server_years)
        except IntensityAbsent:
            found = embodied_of_server(room.server_kg, room.server_years)
        return round(found.g_per_hour * MICROGRAMS_PER_GRAM)


def _provenance(place: str, values: Sequence[Intensity], pue: Pue) -> Provenance:
    """In words, for the foot of a statement."""
    years = sorted({value.year for value in values})
    return Provenance(
        zone=place,
        source=", ".join(dict.fromkeys(value.source for value in values)),
        year=str(years[0]) if len(years) == 1 else f"{years[0]} to {years[-1]}",
        basis=values[0].basis.value,
        pue=pue.value,
        stale=any(value.stale for value in values),
    )
