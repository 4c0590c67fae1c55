"""What the page and the invoice show of a statement: texts, and lengths of bars.

Everything is ready to be put in, so that templates decide nothing about numbers.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from wattribute.accounting.chargeback.statement import Statement, StatementRow
from wattribute.accounting.report.columns import kwh
from wattribute.accounting.report.terminal import band_text, change, confidence, money
from wattribute.core.units import MICROGRAMS_PER_KILOGRAM

WHY: Final = {
    "unowned": "workloads that no rule gives to anybody",
    "idle": "the machines' floor that nobody had reserved",
    "system": "services of the machines outside containers",
    "kernel": "kernel threads",
    "unattributed": "energy with nobody active, or from before the first reading",
    "not-covered": "charges for hours that the ledger does not have",
    "not-joined": "lines of the bill for no node and no namespace",
    "too-small": "rows of less than half a cent and one joule each, together",
    "platform": "the machines' floor, paid by the platform's team",
    "shared": "a pool of shared costs that could be charged on to nobody",
}
"""Kinds of rows that are no owner's, in words."""


@dataclass(frozen=True, slots=True)
class Bar:
    """A row of the chart; lengths and places in percent of the widest."""

    name: str
    kind: str
    text: str
    energy: float
    """Paid for energy above the floor, or for what was used."""
    floor: float
    """Paid for the floor, or for unused capacity, less ``unused``."""
    unused: float
    """Paid for what was reserved and not used."""
    low: float
    high: float
    """The band's ends."""

    @property
    def has_band(self) -> bool:
        """Whether there is one that can be seen."""
        return self.high - self.low >= 0.2


@dataclass(frozen=True, slots=True)
class FigureRow:
    """A row of the table, as texts; "" where there is nothing to say."""

    id: str
    name: str
    kind: str
    why: str
    dynamic: str
    idle: str
    cost: str
    band: str
    band_of: str
    share: str
    unused: str
    efficiency: str
    carbon: str
    carbon_band: str
    embodied: str
    confidence: str
    origin: str
    """``confidence`` as a word that styles may go by."""
    change: str


@dataclass(frozen=True, slots=True)
class Sums:
    """Of several rows."""

    dynamic: str
    idle: str
    energy: str
    cost: str
    share: str
    unused: str
    carbon: str
    measured: str


def bars(rows: Sequence[StatementRow]) -> list[Bar]:
    """The chart's rows; a refund has no bar, but its text."""
    widest = max((float(max(row.cost, row.cost_high)) for row in rows), default=0.0)
    scale = 100 / widest if widest > 0 else 0.0
    return [_bar(row, scale) for row in rows]


def _bar(row: StatementRow, scale: float) -> Bar:
    cost = max(row.cost, Decimal(0))
    unused = min(max(row.cost_spare, Decimal(0)), cost)
    floor = min(max(row.cost_idle, unused), cost) - unused
    low, high = max(row.cost_low, Decimal(0)), max(row.cost_high, Decimal(0))
    lengths = [float(part) * scale for part in (cost - floor - unused, floor, unused, low, high)]
    return Bar(row.owner, row.kind, money(row.cost), *(round(length, 3) for length in lengths))


def line(row: StatementRow) -> FigureRow:
    """Return one row of the table as texts."""
    carbon_band = ""
    if row.carbon_low_ug != row.carbon_high_ug:
        carbon_band = f"{kg(row.carbon_low_ug)} to {kg(row.carbon_high_ug)}"
    return FigureRow(
        id=row.id,
        name=row.owner,
        kind=row.kind,
        why=WHY.get(row.kind, ""),
        dynamic=f"{kwh(row.dynamic_uj):,.2f}",
        idle=f"{kwh(row.idle_uj):,.2f}",
        cost=money(row.cost),
        band=""
        if row.cost_low == row.cost_high
        else f"{money(row.cost_low)} to {money(row.cost_high)}",
        band_of=band_text([row]),
        share=f"{row.share:.1%}",
        unused=money(row.cost_spare) if row.cost_spare else "",
        efficiency="" if row.efficiency is None else f"{row.efficiency:.0%}",
        carbon=kg(row.carbon_ug),
        carbon_band=carbon_band,
        embodied=kg(row.embodied_ug) if row.embodied_ug else "",
        confidence=confidence(row),
        origin=row.confidence,
        change=change(row),
    )


def sums(rows: Sequence[StatementRow], statement: Statement) -> Sums:
    """Of these rows."""
    cost = sum((row.cost for row in rows), Decimal(0))
    spare = sum((row.cost_spare for row in rows), Decimal(0))
    energy_uj = sum(row.energy_uj for row in rows)
    grams = [row.carbon_ug for row in rows if row.carbon_ug is not None]
    measured = sum(row.measured * row.energy_uj for row in rows)
    return Sums(
        dynamic=f"{kwh(sum(row.dynamic_uj for row in rows)):,.2f}",
        idle=f"{kwh(sum(row.idle_uj for row in rows)):,.2f}",
        energy=f"{kwh(energy_uj):,.1f}",
        cost=money(cost),
        share=f"{cost / statement.total:.1%}" if statement.total else "",
        unused=money(spare) if spare else "",
        carbon=kg(sum(grams)) if grams else "",
        measured=f"{measured / energy_uj:.0%}" if energy_uj > 0 else "",
    )


def kg(carbon_ug: int | None) -> str:
    """Micrograms as kilograms; "" where it is not known."""
    return "" if carbon_ug is None else f"{carbon_ug / MICROGRAMS_PER_KILOGRAM:,.2f}"
