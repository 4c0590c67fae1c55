"""Budgets: what an owner may use in a month, and how fast it burns."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from wattribute.accounting.chargeback.statement import StatementRow
from wattribute.accounting.settings import Budget
from wattribute.core.units import MICROGRAMS_PER_KILOGRAM, MICROJOULES_PER_KWH

State = Literal["within", "on course to exceed", "exceeded", "not known"]


@dataclass(frozen=True, slots=True)
class Burn:
    """A budget and what is used of it."""

    budget: Budget
    unit: str
    """Currency, ``kWh`` or ``kgCO2e``."""
    used: float | None
    """None: the owner is in no row, or no grams are known."""
    elapsed: float
    """Of the month, 0 to 1."""

    @property
    def share(self) -> float | None:
        """Used of the amount; over 1 it is exceeded."""
        return None if self.used is None else self.used / self.budget.amount

    @property
    def rate(self) -> float | None:
        """How fast it burns: at 1 it is used up exactly at the month's end."""
        return None if self.share is None or not self.elapsed else self.share / self.elapsed

    @property
    def expected(self) -> float | None:
        """At the month's end, if it goes on as until now."""
        return None if self.used is None or not self.elapsed else self.used / self.elapsed

    @property
    def state(self) -> State:
        """Describe in words how much of the budget is used."""
        if self.share is None or self.rate is None:
            return "not known"
        if self.share > 1:
            return "exceeded"
        return "on course to exceed" if self.rate > 1 else "within"


def burn(budget: Budget, rows: Sequence[StatementRow], currency: str, elapsed: float) -> Burn:
    """How far a budget is used.

    Args:
        budget: By the same key as the statement.
        rows: Of the statement.
        currency: Of the statement.
        elapsed: Part of the month that is over and in the ledger, 0 to 1.
    """
    row = next((row for row in rows if row.kind == "owner" and row.owner == budget.owner), None)
    unit = {"cost": currency, "kwh": "kWh", "kg": "kgCO2e"}[budget.of]
    return Burn(budget, unit, None if row is None else _used(budget, row), elapsed)


def _used(budget: Budget, row: StatementRow) -> float | None:
    if budget.of == "cost":
        return float(row.cost)
    if budget.of == "kwh":
        return row.energy_uj / MICROJOULES_PER_KWH
    return None if row.carbon_ug is None else row.carbon_ug / MICROGRAMS_PER_KILOGRAM
