"""The columns that are taken from a bill, and the facts of a bill's format."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from wattribute.accounting.backends import BILL_FORMATS
from wattribute.core.errors import DataInvalid


@dataclass(frozen=True, slots=True)
class BillColumns:
    """An SQL expression over a file's columns for each column that we take."""

    cost: str
    """SQL that gives the effective (amortised) cost as text or number."""
    currency: str
    start: str
    end: str
    period: str
    """Start of the billing period; gives "" where the file does not say."""
    resource: str
    service: str
    category: str
    description: str
    tags: str
    where: str = "true"
    """Lines that are counted."""


@dataclass(frozen=True, slots=True)
class BillFormat:
    """The facts of a format, and how its columns are read."""

    name: str
    """As people know it, for messages."""
    marks: tuple[str, ...]
    """A file that has one of these columns is in this format."""
    needs: tuple[str, ...]
    """BillColumns without which a bill in this format cannot be read."""
    columns: Callable[[Mapping[str, str]], BillColumns]
    """From a file's columns (name -> DuckDB's type) to the expressions over them."""


def columns_of(name: str, columns: Mapping[str, str]) -> BillColumns:
    """Recognise a bill by its columns.

    Args:
        name: Of the file, for messages.
        columns: Name -> DuckDB's type.

    Raises:
        DataInvalid: The file is in no known format, or lacks a column.
    """
    formats = [BILL_FORMATS.load(key, BillFormat) for key in BILL_FORMATS.names]
    for bill in formats:
        if any(mark in columns for mark in bill.marks):
            if missing := [column for column in bill.needs if column not in columns]:
                raise DataInvalid(
                    f"{name}: a {bill.name} bill lacks the column {', '.join(missing)}"
                )
            return bill.columns(columns)
    alternatives = " nor ".join(
        f"{bill.name} (no column {bill.marks[0]})" for bill in reversed(formats)
    )
    first_columns = ", ".join(list(columns)[:8])
    raise DataInvalid(f"{name}: neither {alternatives}; its columns are {first_columns}, ...")


def text_in(column: str, columns: Mapping[str, str]) -> str:
    """Return a column as text; "" where it is missing or null."""
    if column not in columns:
        return "''"
    return f"coalesce(CAST({quoted(column)} AS VARCHAR), '')"


def tags_in(column: str, columns: Mapping[str, str]) -> str:
    """Return a column of tags as JSON text; files have text, a map, or a structure."""
    if columns.get(column, "").startswith(("MAP", "STRUCT")):
        return f"coalesce(CAST(to_json({quoted(column)}) AS VARCHAR), '')"
    return text_in(column, columns)


def quoted(column: str) -> str:
    """Return the name of a column as SQL has it."""
    return f'"{column}"'
