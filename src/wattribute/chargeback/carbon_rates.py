"""Rates of carbon for the nodes of a ledger, from ``wattribute.carbon``."""

from collections.abc import Sequence
from datetime import UTC, datetime
from fnmatch import fnmatchcase

import pyarrow as pa

from wattribute.carbon import Grid, open_grid, place_of_provider_id
from wattribute.carbon.intensity import Intensity
from wattribute.carbon.sci import embodied_of_instance, embodied_of_server
from wattribute.chargeback.charges import HOUR_S
from wattribute.chargeback.engines import Span
from wattribute.chargeback.grams import MICROGRAMS_PER_GRAM, NodeFacts, Provenance, Rates
from wattribute.errors import IntensityError
from wattribute.settings import Carbon, Settings


class GridRates:
    """Asks the sources that the settings name, once per place."""

    def __init__(self, settings: Settings) -> None:
        """Nothing is asked yet."""
        self._settings = settings
        self.problems: list[str] = []
        """Places of which nothing is known, and why."""

    def rates(self, nodes: Sequence[NodeFacts], span: Span) -> Rates:
        """See ``RateSource``. A place that no source knows has no grams, and a problem."""
        grid = open_grid(self._settings)
        names = [place_name(node, self._settings.carbon) for node in nodes]
        tables: list[pa.Table] = []
        known: dict[str, int] = {}
        told: list[Provenance] = []
        for name in sorted(set(names)):
            try:
                values = self._hourly(grid, name, span)
                pue = grid.facility.pue(name, values[0].start.year)
            except IntensityError as exc:
                self.problems.append(str(exc) if name else _NOWHERE)
                continue
            known[name] = len(told)
            tables.append(_table(len(told), values, pue.value, span))
            told.append(_provenance(name, values, pue.value))
        table = pa.concat_tables(tables) if tables else _SCHEMA.empty_table()
        return Rates(
            tuple(known.get(name, -1) for name in names),
            table,
            tuple(told),
            tuple(self._embodied_ug(node) for node in nodes),
        )

    @staticmethod
    def _hourly(grid: Grid, name: str, span: Span) -> list[Intensity]:
        start, end = (datetime.fromtimestamp(hour * HOUR_S, UTC) for hour in (span.first, span.end))
        return grid.hourly(name, start, end)

    def _embodied_ug(self, node: NodeFacts) -> int:
        carbon = self._settings.carbon
        try:
            made = (
                embodied_of_server(carbon.server_kg, carbon.server_years)
                if carbon.server_kg
                else embodied_of_instance(node.instance_type, carbon.server_years)
            )
        except IntensityError:
            return 0
        return round(made.g_per_hour * MICROGRAMS_PER_GRAM)


_SCHEMA = pa.schema([("zone", pa.int64()), ("hour", pa.int64()), ("ug_per_kwh", pa.int64())])
_NOWHERE = (
    "carbon: some nodes do not say where they are; set carbon.location (DE, aws/eu-central-1), "
    "or their energy has no grams"
)


def place_name(node: NodeFacts, carbon: Carbon) -> str:
    """Where a node is, in the words of the sources: settings, its provider id, its region."""
    for pattern, place in carbon.locations.items():
        if fnmatchcase(node.cluster, pattern) or fnmatchcase(node.node, pattern):
            return place
    return place_of_provider_id(node.provider_id) or node.region or carbon.location


def _table(zone: int, values: Sequence[Intensity], pue: float, span: Span) -> pa.Table:
    rates = [round(value.g_per_kwh * pue * MICROGRAMS_PER_GRAM) for value in values]
    hours = range(span.first, span.first + len(values))
    return pa.table([[zone] * len(values), list(hours), rates], schema=_SCHEMA)


def _provenance(name: str, values: Sequence[Intensity], pue: float) -> Provenance:
    years = sorted({value.year for value in values})
    return Provenance(
        zone=name,
        source=", ".join(sorted({value.source for value in values})),
        year=str(years[0]) if len(years) == 1 else f"{years[0]} to {years[-1]}",
        basis=values[0].basis.value,
        pue=pue,
        stale=any(value.stale for value in values),
    )
