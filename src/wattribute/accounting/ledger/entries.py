"""Entries, gathered column by column, and made a table of the ledger's schema."""

from collections.abc import Mapping
from typing import Final

import pyarrow as pa

from wattribute.accounting.ledger.schema import COLUMNS, LABELS, LATER, SCHEMA

_SEALED: Final = ("seal_id", "corrects")


def _default(kind: pa.DataType) -> object:
    if kind == LABELS:
        return ()
    return 0 if kind == pa.int64() else ""


_DEFAULTS: Final = {
    column.name: _default(column.type) for column in COLUMNS if column.name not in _SEALED
}


class LedgerEntries:
    """Rows to seal; what an entry does not say is "" or 0."""

    def __init__(self) -> None:
        """Begin with none."""
        self._columns: dict[str, list[object]] = {name: [] for name in _DEFAULTS}

    def __len__(self) -> int:
        return len(self._columns["hour"])

    def add(self, values: Mapping[str, object]) -> None:
        """Take one entry.

        Args:
            values: by column; ``hour`` in microseconds since 1970, maps as mappings. Energy by
                other weights is as ``energy_uj`` unless it is given.

        Raises:
            KeyError: no such column.
        """
        for name, column in self._columns.items():
            value = values.get(name, values.get(LATER.get(name, ""), _DEFAULTS[name]))
            column.append(tuple(value.items()) if isinstance(value, Mapping) else value)
        if unknown := values.keys() - self._columns.keys():
            raise KeyError(unknown)

    def table(self, seal_id: str, corrects: str = "") -> pa.Table:
        """Return all entries as sealed by ``seal_id``."""
        rows = len(self)
        columns: dict[str, list[object]] = {
            **self._columns,
            "seal_id": [seal_id] * rows,
            "corrects": [corrects] * rows,
        }
        arrays = [pa.array(columns[field.name], field.type) for field in SCHEMA]
        return pa.Table.from_arrays(arrays, schema=SCHEMA)
