"""The same month by several methods, side by side."""

from collections.abc import Sequence
from decimal import Decimal

from wattribute.accounting.chargeback.statement import Statement


def costs_by_row(statements: Sequence[Statement]) -> dict[tuple[str, str], list[Decimal]]:
    """By (kind, owner) in order of their largest cost: the cost under each method."""
    by_row: dict[tuple[str, str], list[Decimal]] = {}
    for at, statement in enumerate(statements):
        for row in statement.everything:
            of_row = by_row.setdefault((row.kind, row.owner), [Decimal(0)] * len(statements))
            of_row[at] = row.cost
    return dict(sorted(by_row.items(), key=lambda item: (-max(item[1]), item[0])))


def as_object(statements: Sequence[Statement]) -> dict[str, object]:
    """For JSON; amounts are texts."""
    return {
        "month": statements[0].month,
        "by": statements[0].by,
        "currency": statements[0].currency.code,
        "total": str(statements[0].total),
        "methods": [
            {
                "id": statement.method,
                "text": statement.method_text,
                "statement": statement.id,
                "allocated": str(statement.allocated),
                "unallocated": str(statement.unallocated),
            }
            for statement in statements
        ],
        "rows": [
            {
                "kind": kind,
                "owner": owner,
                "cost": {
                    statement.method: str(cost)
                    for statement, cost in zip(statements, costs, strict=True)
                },
            }
            for (kind, owner), costs in costs_by_row(statements).items()
        ],
    }
