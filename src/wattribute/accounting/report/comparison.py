"""The same month by several methods, side by side."""

from collections.abc import Sequence
from decimal import Decimal

from wattribute.accounting.chargeback.statement import Statement


def costs_by_row(made: Sequence[Statement]) -> dict[tuple[str, str], list[Decimal]]:
    """By (kind, owner) in order of their largest cost: the cost under each method."""
    found: dict[tuple[str, str], list[Decimal]] = {}
    for at, statement in enumerate(made):
        for row in statement.everything:
            of_row = found.setdefault((row.kind, row.owner), [Decimal(0)] * len(made))
            of_row[at] = row.cost
    return dict(sorted(found.items(), key=lambda item: (-max(item[1]), item[0])))


def as_object(made: Sequence[Statement]) -> dict[str, object]:
    """For JSON; amounts are texts."""
    return {
        "month": made[0].month,
        "by": made[0].by,
        "currency": made[0].currency.code,
        "total": str(made[0].total),
        "methods": [
            {
                "id": statement.method,
                "text": statement.method_text,
                "statement": statement.id,
                "allocated": str(statement.allocated),
                "unallocated": str(statement.unallocated),
            }
            for statement in made
        ],
        "rows": [
            {
                "kind": kind,
                "owner": owner,
                "cost": {
                    statement.method: str(cost) for statement, cost in zip(made, costs, strict=True)
                },
            }
            for (kind, owner), costs in costs_by_row(made).items()
        ],
    }
