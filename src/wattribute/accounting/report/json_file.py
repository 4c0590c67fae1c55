"""A statement as JSON."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Final

import msgspec

from wattribute.accounting.chargeback.grams import Provenance
from wattribute.accounting.chargeback.per_unit import PerUnit
from wattribute.accounting.chargeback.statement import Statement
from wattribute.accounting.report.columns import Value, records
from wattribute.accounting.report.formats import ReportFormat


def as_json(statement: Statement, per_unit: Sequence[PerUnit] = ()) -> bytes:
    """Return the whole statement, and figures per functional unit if there are any.

    Amounts of money are texts, so that no reader rounds them.
    """
    body = {
        "statement": statement.id,
        "month": statement.month,
        "timezone": statement.timezone,
        "by": statement.by,
        "method": statement.method,
        "method_text": statement.method_text,
        "floor_policy": statement.floor_policy,
        "shared_by": statement.shared_by,
        "currency": statement.currency.code,
        "total": str(statement.total),
        "allocated": str(statement.allocated),
        "unallocated": str(statement.unallocated),
        "difference": str(statement.difference),
        "rows": [_texts(record) for record in records(statement)],
        "notes": statement.notes,
        "carbon": [_provenance(origin) for origin in statement.carbon],
        "bills": [{"file": name, "sha256": digest} for name, digest in statement.sources],
        "ledger": statement.ledger,
        "engine": statement.engine,
        "node_hours": statement.node_hours,
        **({"per_unit": [_per_unit(figures) for figures in per_unit]} if per_unit else {}),
    }
    return msgspec.json.format(msgspec.json.encode(body)) + b"\n"


def _per_unit(figures: PerUnit) -> dict[str, Value]:
    return {
        "owner": figures.owner,
        "unit": figures.unit,
        "units": figures.units,
        "joules": figures.joules,
        "cost": str(figures.cost),
        "sci_g": figures.sci_g,
        "embodied_g": figures.embodied_g,
    }


def _texts(record: Mapping[str, Value]) -> dict[str, Value]:
    return {
        name: str(value) if isinstance(value, Decimal) else value for name, value in record.items()
    }


def _provenance(origin: Provenance) -> dict[str, Value]:
    return {
        "zone": origin.zone,
        "source": origin.source,
        "year": origin.year,
        "basis": origin.basis,
        "pue": origin.pue,
        "stale": origin.stale,
    }


FORMAT: Final = ReportFormat(".json", as_json)
