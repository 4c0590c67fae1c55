"""A statement in words and columns, for a terminal: cells of text, without any drawing."""

from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Final

from wattribute.accounting.chargeback.explain import WattsPerCore
from wattribute.accounting.chargeback.per_unit import PerUnit
from wattribute.accounting.chargeback.statement import Statement, StatementRow
from wattribute.accounting.report.columns import kwh
from wattribute.core.units import HOUR_S, MICROGRAMS_PER_KILOGRAM, NANOSECONDS_PER_SECOND

TITLES: Final = (
    *("ROW", "OWNER", "KWH DYN", "KWH IDLE", "COST", "COST BAND", "SHARE", "UNUSED"),
    *("EFF", "KGCO2E", "CONFIDENCE", "VS MONTH BEFORE"),
)
"""The first two and the last two are texts, the others numbers."""
PER_UNIT_TITLES: Final = ("OWNER", "PER", "UNITS", "JOULES", "COST", "SCI gCO2e", "EMBODIED g")
LEFT: Final = frozenset({"ROW", "OWNER", "CONFIDENCE", "PER"})
SPARE: Final = ("COST BAND", "EFF", "UNUSED", "KWH IDLE", "CONFIDENCE", "VS MONTH BEFORE", "KGCO2E")
"""What a narrow terminal does without, in this order."""
SHARED_WORDS: Final = {
    "time": "CPU time",
    "cycles": "CPU cycles",
    "misses": "cache misses",
    "learned": "learned watts per core",
    "learned-1": "learned watts per core (learned-1)",
}
"""What the ledger's ``shared_by`` means, in words."""
_BAND_WORDS: Final = {
    "weights": "band of the weights: a workload's watts per core are learned, not counted",
    "estimate": "band of the estimate: the power of some nodes is a model's",
}
_SURE: Final = 0.995


def money(amount: Decimal) -> str:
    """Format an amount of money, as in ``1,234.56``."""
    return f"{amount:,}"


def lines(statement: Statement) -> Iterator[tuple[str, ...]]:
    """Cells of the table: owners, their sum, the rest, its sum, the total."""
    for row in statement.rows:
        yield _cells(row)
    yield _sum("allocated", statement.rows, statement)
    for row in statement.rest:
        yield _cells(row)
    yield _sum("unallocated", statement.rest, statement)
    yield _sum("TOTAL", statement.everything, statement)


def _cells(row: StatementRow) -> tuple[str, ...]:
    band = "" if row.cost_low == row.cost_high else f"{row.cost_low:,.0f} to {row.cost_high:,.0f}"
    return (
        row.id,
        row.owner,
        f"{kwh(row.dynamic_uj):,.2f}",
        f"{kwh(row.idle_uj):,.2f}",
        money(row.cost),
        band,
        f"{row.share:.1%}",
        money(row.cost_spare) if row.cost_spare else "",
        "" if row.efficiency is None else f"{row.efficiency:.0%}",
        _kg(row.carbon_ug),
        confidence(row),
        change(row),
    )


def _sum(name: str, rows: Sequence[StatementRow], statement: Statement) -> tuple[str, ...]:
    cost = sum((row.cost for row in rows), Decimal(0))
    grams = [row.carbon_ug for row in rows if row.carbon_ug is not None]
    spare = sum((row.cost_spare for row in rows), Decimal(0))
    return (
        "",
        name,
        f"{kwh(sum(row.dynamic_uj for row in rows)):,.2f}",
        f"{kwh(sum(row.idle_uj for row in rows)):,.2f}",
        money(cost),
        "",
        f"{cost / statement.total:.1%}" if statement.total else "",
        money(spare) if spare else "",
        "",
        _kg(sum(grams) if grams else None),
        "",
        "",
    )


def _kg(carbon_ug: int | None) -> str:
    return "" if carbon_ug is None else f"{carbon_ug / MICROGRAMS_PER_KILOGRAM:,.2f}"


def confidence(row: StatementRow) -> str:
    """``measured``, ``estimated``, or how much of a mixture was measured."""
    if row.confidence == "estimated" and row.measured >= 1 - _SURE:
        return f"{row.measured:.0%} measured"
    return row.confidence


def shared_text(statement: Statement) -> str:
    """By what energy was shared, for a reader of a statement; "" if the ledger does not say."""
    if not statement.shared_by:
        return ""
    names = ", ".join(SHARED_WORDS.get(name, name) for name in statement.shared_by)
    return f"energy is shared by {names}"


def band_text(rows: Sequence[StatementRow]) -> str:
    """What bands are of, over some rows; "" where there is none."""
    reasons = " and ".join(sorted({row.band_of for row in rows}))
    texts = [text for word, text in _BAND_WORDS.items() if word in reasons]
    return "; ".join(texts)


def watts_per_core(weight: WattsPerCore) -> str:
    """What a workload's CPU time cost, after its name."""
    return (
        f"ran {weight.cpu_ns / NANOSECONDS_PER_SECOND / HOUR_S:,.1f} CPU hours at "
        f"{weight.ratio:.2f} times the mean watts per core ({weight.low:.2f} to "
        f"{weight.high:.2f}), by {weight.shared_by}"
    )


def change(row: StatementRow) -> str:
    """The difference to the month before: of money if it is known, else of energy."""
    if row.cost_before:
        return f"{row.cost / row.cost_before - 1:+.1%}"
    if row.energy_before_uj:
        return f"{row.energy_uj / row.energy_before_uj - 1:+.1%} kWh"
    return ""


def per_unit_cells(one: PerUnit) -> tuple[str, ...]:
    """Cells of one owner's figures per functional unit: four significant digits."""
    return (
        one.owner,
        one.unit,
        f"{one.units:,.0f}",
        _digits(one.joules),
        _digits(one.cost),
        "" if one.sci_g is None else _digits(one.sci_g),
        "" if one.embodied_g is None else _digits(one.embodied_g),
    )


def _digits(number: float | Decimal) -> str:
    """Four significant digits, without powers of ten for what is large."""
    return f"{number:,.0f}" if abs(float(number)) >= 1000 else f"{number:.4g}"


def heading(statement: Statement) -> str:
    """What this is, in one line."""
    zone = "" if statement.timezone == "UTC" else f" ({statement.timezone})"
    return (
        f"Statement {statement.id}: {statement.month}{zone} by {statement.by}, "
        f"{statement.currency.code}, method {statement.method} ({statement.method_text})"
    )


def footer(statement: Statement) -> Iterator[str]:
    """The reconciliation, where grams come from, and notes."""
    exact = "exact" if not statement.difference else f"DIFFERENCE {statement.difference}"
    yield (
        f"allocated {money(statement.allocated)} + unallocated {money(statement.unallocated)} "
        f"= invoice {money(statement.total)} {statement.currency.code} ({exact})"
    )
    if shared := shared_text(statement):
        yield shared
    if reasons := band_text(statement.everything):
        yield f"COST BAND: {reasons}"
    for one in statement.carbon:
        stale = ", STALE" if one.stale else ""
        yield (
            f"CO2e in {one.zone or 'the default place'}: {one.source} {one.year}, "
            f"{one.basis}-based, PUE {one.pue:g}{stale}"
        )
    for note in statement.notes:
        yield f"note: {note}"
