"""A small statement, made by hand: for tests of whatever shows one."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

from wattribute.accounting.chargeback.accounts import AccountKind
from wattribute.accounting.chargeback.grams import Provenance
from wattribute.accounting.chargeback.money import Currency
from wattribute.accounting.chargeback.statement import Statement, StatementRow

_KWH_UJ = 3_600_000_000_000


def made_row(owner: str, cost: str, kind: AccountKind = "owner", **changes: Any) -> StatementRow:  # noqa: ANN401 - any field
    """A row of as many kWh above the floor as it costs, and a band of a tenth."""
    amount = Decimal(cost)
    energy_uj = int(amount * _KWH_UJ)
    row = StatementRow(
        id=f"abc123-{owner}",
        owner=owner,
        kind=kind,
        dynamic_uj=energy_uj,
        idle_uj=energy_uj // 4,
        spare_uj=0,
        low_uj=energy_uj,
        high_uj=energy_uj * 3 // 2,
        cost=amount,
        cost_idle=amount / 5,
        cost_spare=amount / 10,
        cost_shared=Decimal(0),
        cost_low=amount * 9 / 10,
        cost_high=amount * 11 / 10,
        carbon_ug=energy_uj // 10,
        carbon_low_ug=energy_uj // 11,
        carbon_high_ug=energy_uj // 9,
        embodied_ug=None,
        share=0.0,
        confidence="estimated",
        measured=0.5,
        efficiency=0.25,
        energy_before_uj=None,
        cost_before=None,
    )
    return replace(row, **changes)


def made_statement(
    *rows: StatementRow,
    rest: tuple[StatementRow, ...] = (),
    **changes: Any,  # noqa: ANN401 - any field
) -> Statement:
    """A statement of these rows; its total is their sum."""
    numbered = [replace(row, id=f"abc123-{number}") for number, row in enumerate((*rows, *rest), 1)]
    statement = Statement(
        id="abc123",
        month="2026-10",
        timezone="UTC",
        by="team",
        method="energy-idle-reserved",
        method_text="by energy, the floor by what was reserved",
        floor_policy="reserved",
        currency=Currency("USD"),
        total=sum((row.cost for row in numbered), Decimal(0)),
        rows=tuple(numbered[: len(rows)]),
        rest=tuple(numbered[len(rows) :]),
        notes=(),
        sources=(("focus.parquet", "0" * 64),),
        carbon=(Provenance("aws/us-east-1", "a table", "2023", "location", 1.15),),
        ledger="ledger",
        engine="duckdb",
        node_hours=744,
    )
    return replace(statement, **changes)
