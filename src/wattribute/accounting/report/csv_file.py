"""A statement's rows as CSV."""

from typing import Final

from wattribute.accounting.chargeback.statement import Statement
from wattribute.accounting.report.columns import COLUMNS, records
from wattribute.accounting.report.formats import ReportFormat
from wattribute.accounting.report.tables import csv_of


def as_csv(statement: Statement) -> bytes:
    """Return the rows, as ``tables.csv_of`` writes them."""
    rows = (record.values() for record in records(statement))
    return csv_of([column.name for column in COLUMNS], rows)


FORMAT: Final = ReportFormat(".csv", as_csv)
