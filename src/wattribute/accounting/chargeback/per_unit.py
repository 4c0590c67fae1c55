"""Joules, money and grams per functional unit: what one request, 1,000 tokens or a job costs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

from wattribute.accounting.carbon import Basis
from wattribute.accounting.carbon.functional_unit import count_units
from wattribute.accounting.carbon.sci import Sci
from wattribute.accounting.chargeback.charges import Month
from wattribute.accounting.chargeback.statement import Statement, StatementRow
from wattribute.accounting.promql.client import Prometheus
from wattribute.accounting.settings import AccountingSettings, LedgerSettings
from wattribute.core.errors import ConfigInvalid, SourceFailed
from wattribute.core.units import HOUR_S, MICROGRAMS_PER_GRAM, joules

WHOLE = "(all owners)"


@dataclass(frozen=True, slots=True)
class PerUnit:
    """One owner's figures for one kind of unit."""

    owner: str
    unit: str
    units: float
    """How many there were in the month."""
    joules: float
    """Per unit, with the share of the floor."""
    cost: Decimal
    """Per unit, in the statement's currency, not rounded to cents."""
    sci_g: float | None
    """Per unit: software carbon intensity, operational and embodied; None: no intensity is known,
    or the basis is the market's, which an SCI excludes."""
    embodied_g: float | None
    """Of it the embodied share; None: not known, and then ``sci_g`` lacks it."""


def queries_of(settings: AccountingSettings, names: Sequence[str]) -> dict[str, str]:
    """PromQL of each unit.

    Raises:
        ConfigInvalid: ``carbon.units`` does not have it.
    """
    for name in names:
        if name not in settings.carbon.units:
            known = ", ".join(settings.carbon.units) or "none"
            raise ConfigInvalid(f"--unit {name}: not in carbon.units; there are: {known}")
    return {name: settings.carbon.units[name] for name in names}


def divide(
    statement: Statement, server: LedgerSettings, month: Month, queries: Mapping[str, str]
) -> list[PerUnit]:
    """Count units in Prometheus, and divide the statement by them.

    Args:
        statement: The month.
        server: Where Prometheus is.
        month: Which, for the queries.
        queries: What ``queries_of`` gave.

    Raises:
        ConfigInvalid: no address.
        SourceFailed: Prometheus does not answer, or not with counts; or owners of the units are
            not those of the statement.
    """
    found: list[PerUnit] = []
    start, end = (
        datetime.fromtimestamp(hour * HOUR_S, UTC) for hour in (month.span.first, month.span.end)
    )
    for name, query in queries.items():
        with Prometheus(server) as prometheus:
            counts = count_units(prometheus, name, query, start, end)
        rows = per_unit(statement, name, counts)
        if not rows:
            others = ", ".join(repr(owner) for owner in without_owner(statement, counts)[:3])
            said = f"is of {others}, no owners by {statement.by}" if others else "is nothing"
            raise SourceFailed(f"carbon.units: {name}: the answer for {statement.month} {said}")
        found += rows
    return found


def per_unit(statement: Statement, unit: str, counts: Mapping[str, float]) -> list[PerUnit]:
    """Divide each owner's row by its units.

    Args:
        statement: The month.
        unit: Name of the unit.
        counts: Units by owner; of "" : of all owners together.

    Returns:
        Owners that have units, in the statement's order. Those without are left out.
    """
    bases = {Basis(told.basis) for told in statement.carbon}
    basis = bases.pop() if len(bases) == 1 else None
    found = [
        _of([row], row.owner, unit, counts[row.owner], basis)
        for row in statement.rows
        if counts.get(row.owner, 0) > 0
    ]
    if counts.get("", 0) > 0:
        found.append(_of(list(statement.rows), WHOLE, unit, counts[""], basis))
    return found


def without_owner(statement: Statement, counts: Mapping[str, float]) -> list[str]:
    """Owners of units that the statement does not know: their query sums by another label."""
    known = {row.owner for row in statement.rows}
    return sorted(owner for owner in counts if owner and owner not in known)


def _of(
    rows: list[StatementRow], owner: str, unit: str, units: float, basis: Basis | None
) -> PerUnit:
    embodied = _grams([row.embodied_ug for row in rows])
    operational = _grams([row.carbon_ug for row in rows])
    sci = None
    if operational is not None and basis in {Basis.LOCATION, Basis.MARGINAL}:
        sci = Sci(operational, embodied or 0.0, units, basis or Basis.LOCATION).g_per_unit
    return PerUnit(
        owner,
        unit,
        units,
        joules(sum(row.energy_uj for row in rows)) / units,
        sum((row.cost for row in rows), Decimal(0)) / Decimal(repr(units)),
        sci,
        None if embodied is None else embodied / units,
    )


def _grams(micrograms: list[int | None]) -> float | None:
    known = [amount for amount in micrograms if amount is not None]
    return sum(known) / MICROGRAMS_PER_GRAM if known else None
