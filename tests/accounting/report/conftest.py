"""A statement that reports write."""

from decimal import Decimal

import pytest

from wattribute.accounting.chargeback.accounts import AccountKind
from wattribute.accounting.chargeback.grams import Provenance
from wattribute.accounting.chargeback.statement import Statement, StatementRow
from wattribute_testing.statements import made_row, made_statement

KWH = 3_600_000_000_000


def _row(owner: str, cost: str, kind: AccountKind = "owner", **changes: object) -> StatementRow:
    figures: dict[str, object] = {
        "dynamic_uj": 3 * KWH,
        "idle_uj": KWH,
        "spare_uj": KWH // 2,
        "low_uj": 3 * KWH,
        "high_uj": 5 * KWH,
        "cost_idle": Decimal("1.00"),
        "cost_spare": Decimal("0.50"),
        "cost_low": Decimal("8.00"),
        "cost_high": Decimal("12.00"),
        "carbon_ug": 1_500_000_000,
        "carbon_low_ug": 1_000_000_000,
        "carbon_high_ug": 2_000_000_000,
        "embodied_ug": 0,
        "share": 0.5,
        "measured": 0.84,
        "efficiency": 0.58,
        "energy_before_uj": 2 * KWH,
    }
    return made_row(owner, cost, kind, **(figures | changes))


@pytest.fixture
def statement() -> Statement:
    return made_statement(
        _row("shop", "10.00", cost_before=Decimal("8.00")),
        _row("=cmd()|\x1b[2J", "5.00"),
        rest=(_row("(idle)", "5.00", "idle", efficiency=None, energy_before_uj=None),),
        by="label:app",
        method_text="by energy",
        notes=("a note",),
        sources=(("focus.csv", "00"),),
        carbon=(Provenance("aws/us-east-1", "table", "2023", "location", 1.15, stale=True),),
    )
