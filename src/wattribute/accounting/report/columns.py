"""A statement as a flat table: one column, one meaning, in every file format."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from wattribute.accounting.chargeback.statement import Statement, StatementRow
from wattribute.core.units import MICROGRAMS_PER_GRAM, MICROJOULES_PER_KWH

Value = str | float | Decimal | bool | None


@dataclass(frozen=True, slots=True)
class ReportColumn:
    """One column of the table."""

    name: str
    unit: str
    """"" for texts; ``money`` is in the statement's currency."""
    meaning: str
    value: Callable[[Statement, StatementRow], Value]


def kwh(energy_uj: int) -> float:
    """Microjoules as kilowatt-hours."""
    return energy_uj / MICROJOULES_PER_KWH


def _grams(carbon_ug: int | None) -> float | None:
    return None if carbon_ug is None else carbon_ug / MICROGRAMS_PER_GRAM


COLUMNS: Final = (
    ReportColumn("month", "", "Calendar month.", lambda s, _: s.month),
    ReportColumn("row", "", "Id for `wattribute explain`.", lambda _, r: r.id),
    ReportColumn("owner", "", "Who; in brackets what is no owner.", lambda _, r: r.owner),
    ReportColumn("kind", "", "owner, unowned, shared, idle, system, ...", lambda _, r: r.kind),
    ReportColumn("allocated", "", "Part of the allocated sum.", lambda s, r: r in s.rows),
    ReportColumn("energy_dynamic_kwh", "kWh", "Above the floor.", lambda _, r: kwh(r.dynamic_uj)),
    ReportColumn("energy_idle_kwh", "kWh", "Part of the floor.", lambda _, r: kwh(r.idle_uj)),
    ReportColumn(
        "energy_low_kwh", "kWh", "Lower end of both together.", lambda _, r: kwh(r.low_uj)
    ),
    ReportColumn("energy_high_kwh", "kWh", "Upper end.", lambda _, r: kwh(r.high_uj)),
    ReportColumn(
        "energy_band_of",
        "",
        "Why there is a band: estimate, weights (of CPU seconds), or both.",
        lambda _, r: r.band_of,
    ),
    ReportColumn(
        "energy_unused_kwh",
        "kWh",
        "Of the floor: for what was reserved and not used.",
        lambda _, r: kwh(r.spare_uj),
    ),
    ReportColumn("cost", "money", "What it pays.", lambda _, r: r.cost),
    ReportColumn(
        "cost_idle", "money", "Of it for floor or unused capacity.", lambda _, r: r.cost_idle
    ),
    ReportColumn(
        "cost_unused", "money", "Of it for reserved and not used.", lambda _, r: r.cost_spare
    ),
    ReportColumn("cost_shared", "money", "Of it from shared pools.", lambda _, r: r.cost_shared),
    ReportColumn("cost_low", "money", "At the low end of its energy.", lambda _, r: r.cost_low),
    ReportColumn("cost_high", "money", "At the high end.", lambda _, r: r.cost_high),
    ReportColumn("currency", "", "ISO 4217.", lambda s, _: s.currency.code),
    ReportColumn("share", "", "Of the total, 0 to 1.", lambda _, r: r.share),
    ReportColumn("carbon_g", "gCO2e", "Of its energy.", lambda _, r: _grams(r.carbon_ug)),
    ReportColumn("carbon_low_g", "gCO2e", "Lower end.", lambda _, r: _grams(r.carbon_low_ug)),
    ReportColumn("carbon_high_g", "gCO2e", "Upper end.", lambda _, r: _grams(r.carbon_high_ug)),
    ReportColumn(
        "carbon_embodied_g", "gCO2e", "Of making the machines.", lambda _, r: _grams(r.embodied_ug)
    ),
    ReportColumn("confidence", "", "Weakest origin that matters.", lambda _, r: r.confidence),
    ReportColumn("measured", "", "Share of its energy measured, 0 to 1.", lambda _, r: r.measured),
    ReportColumn("efficiency", "", "Used of what it reserved, 0 to 1.", lambda _, r: r.efficiency),
    ReportColumn(
        "energy_before_kwh",
        "kWh",
        "The month before.",
        lambda _, r: None if r.energy_before_uj is None else kwh(r.energy_before_uj),
    ),
    ReportColumn("cost_before", "money", "The month before.", lambda _, r: r.cost_before),
    ReportColumn("method", "", "Id of the method.", lambda s, _: s.method),
    ReportColumn("floor_policy", "", "Who pays the floor.", lambda s, _: s.floor_policy),
    ReportColumn(
        "shared_by",
        "",
        "By what energy was shared: time, cycles, misses, learned-1.",
        lambda s, _: " ".join(s.shared_by),
    ),
    ReportColumn("statement", "", "Id of the statement.", lambda s, _: s.id),
)


def records(statement: Statement) -> Iterator[dict[str, Value]]:
    """The rows, allocated first, by column name."""
    for row in statement.everything:
        yield {column.name: column.value(statement, row) for column in COLUMNS}
