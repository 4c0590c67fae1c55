"""A month's bill, split, as FOCUS: the same parts as the statement's, line by line.

The charge that was split is not in the file beside its parts, where it would count twice; lines of
no node of the ledger go through as they are.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Final

from wattribute.accounting.chargeback.build import Step, opened
from wattribute.accounting.chargeback.focus_shares import Shares
from wattribute.accounting.chargeback.methods import method_of
from wattribute.accounting.chargeback.request import StatementRequest
from wattribute.accounting.focus.convert import Converter
from wattribute.accounting.focus.read import open_bill
from wattribute.accounting.focus.split import ChargeShare, Row, split_row
from wattribute.accounting.focus.write import write_focus, write_metadata
from wattribute.accounting.settings import AccountingSettings
from wattribute.core.errors import ConfigInvalid, DataInvalid

_WRITABLE: Final = (".parquet", ".csv")


@dataclass(slots=True)
class Exported:
    """What was written."""

    rows: int = 0
    charges_split: int = 0
    total: Decimal = Decimal(0)
    """EffectiveCost of all rows together: the bill's of the month, to the last digit."""


def export_focus(
    request: StatementRequest,
    settings: AccountingSettings,
    out: Path,
    version: str,
    step: Step = lambda _: None,
) -> Exported:
    """Write a month's bill with its charges split, and beside it what the columns hold.

    Args:
        request: The question; its bills are FOCUS files.
        settings: The whole tree.
        out: ``.parquet`` or ``.csv``; the description is ``out`` + ``.metadata.json``.
        version: Of the standard, to write.
        step: Told what is being done.

    Raises:
        ConfigInvalid: the question cannot be answered as asked.
        DataInvalid: a bill or the ledger is wrong, or ``out`` cannot be written.
        LedgerFailed: the ledger cannot be read.
    """
    paths = _bills(request, out)
    names = list(dict.fromkeys(name for path in paths for name in open_bill(path).names))
    converter = Converter(names, version)
    method = method_of(request.method)
    exported = Exported()
    with opened(request, settings, [method], step) as month:
        step(f"the split by {method.id}")
        shares = Shares(month, method, settings)
        lines = month.charges.table["source"].to_pylist()
        step(f"writing {out.name}")
        rows = _rows(paths, lines, shares, converter, exported)
        exported.rows = write_focus(out, converter.columns, rows, version)
    write_metadata(out.with_name(f"{out.name}.metadata.json"), converter.columns, version)
    return exported


def _bills(request: StatementRequest, out: Path) -> list[Path]:
    """The files in the order in which their lines are numbered: by name."""
    if request.totals or request.price_list or not request.bills:
        raise ConfigInvalid(
            "focus export needs bills in FOCUS (--bill focus.parquet): it writes their lines with "
            "all that they say, and a total or a price list has none"
        )
    if out.suffix not in _WRITABLE:
        raise ConfigInvalid(f"--out {out}: must end with {' or '.join(_WRITABLE)}")
    names = [path.name for path in request.bills]
    for path in request.bills:
        if names.count(path.name) > 1:
            raise ConfigInvalid(f"{path}: two bills have this name; rename one")
        if path.resolve() == out.resolve():
            raise ConfigInvalid(f"--out {out}: is one of the bills")
        if "EffectiveCost" not in open_bill(path).names:
            raise ConfigInvalid(f"{path}: is no FOCUS bill; export needs one")
    return sorted(request.bills, key=lambda path: path.name)


def _rows(
    paths: Sequence[Path],
    lines: Sequence[str],
    shares: Shares,
    converter: Converter,
    exported: Exported,
) -> Iterator[Row]:
    """The month's lines in their order, each whole or in its parts.

    Raises:
        DataInvalid: a file has changed since its charges were read.
    """
    at = 0
    for name, row in _lines(paths):
        if at == len(lines) or name != lines[at]:
            continue  # of another month or currency
        charge = converter.row(row)
        exported.total += Decimal(row["EffectiveCost"] or 0)
        parts = shares.of_line(at)
        at += 1
        if parts and not row.get("AllocatedMethodId"):  # a part already: it stays one
            exported.charges_split += 1
            yield from _split(charge, name, parts, shares.method_id, converter)
        else:
            yield charge
    if at < len(lines):
        raise DataInvalid(f"{lines[at]}: is not in its file any more; it has changed meanwhile")


def _split(
    charge: Row, name: str, parts: Sequence[ChargeShare], method_id: str, converter: Converter
) -> Iterator[Row]:
    """The parts of a line."""
    charge |= {"x_SplitOriginId": name, "x_SplitOriginCost": charge["EffectiveCost"]}
    for part in split_row(charge, parts, method_id):
        yield converter.part(part)


def _lines(paths: Sequence[Path]) -> Iterator[tuple[str, Row]]:
    """Every line of the files, under the name that the reader of bills gives it."""
    for path in paths:
        for batch in open_bill(path).batches:
            columns = {name: values.to_pylist() for name, values in batch.columns.items()}
            for at in range(batch.rows):
                row: Row = {name: values[at] for name, values in columns.items()}
                yield f"{path.name} line {batch.first + at}", row
