"""An invoice per owner, to print: PDF, typeset by typst without network, files or scripts.

The template is ours and whole; what is told of a statement goes in as one JSON text, and is
set as text, so that an owner's name is never read as markup.
"""

import json
import re
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Final

import typst

from wattribute.accounting.chargeback.statement import Statement, StatementRow
from wattribute.accounting.report.columns import kwh
from wattribute.accounting.report.figures import kg
from wattribute.accounting.report.terminal import band_text, change, confidence, money, shared_text
from wattribute.core.errors import DataInvalid

_TEMPLATE: Final = Path(__file__).with_name("templates") / "invoice.typ"
_ODD: Final = re.compile(r"[^A-Za-z0-9._-]+")
_LONGEST: Final = 60


def as_pdf(statement: Statement, row: StatementRow, *, whole: bool = True) -> bytes:
    """One owner's invoice; the same statement gives the same bytes.

    Args:
        statement: What it is of.
        row: Whose.
        whole: Show what all others pay together; else nothing of them is told.

    Raises:
        DataInvalid: the typesetter refused it, which is our bug; its message is in the text.
    """
    data = json.dumps(told(statement, row, whole=whole))
    year, month = map(int, statement.month.split("-"))
    with tempfile.TemporaryDirectory(prefix="wattribute-typst-") as empty:
        try:
            return typst.compile(
                _TEMPLATE,
                root=_TEMPLATE.parent,
                font_paths=[],
                ignore_system_fonts=True,
                format="pdf",
                sys_inputs={"told": data},
                package_path=empty,
                package_cache_path=empty,
                timestamp=int(datetime(year, month, 1, tzinfo=UTC).timestamp()),
            )
        except (RuntimeError, typst.TypstError) as exc:
            raise DataInvalid(f"{row.id}: its PDF cannot be set: {exc}") from exc


def write_all(statement: Statement, folder: Path) -> list[Path]:
    """Write an invoice for each allocated row; files are named by row and owner.

    Raises:
        DataInvalid: one cannot be written.
    """
    paths = []
    for row in statement.rows:
        body = as_pdf(statement, row)
        path = folder / file_name(row)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            path.write_bytes(body)
        except OSError as exc:
            raise DataInvalid(f"{path}: cannot write: {exc.strerror}") from exc
        paths.append(path)
    return paths


def file_name(row: StatementRow) -> str:
    """``3f9a2c-1-marketing-ai-bot.pdf``: whatever the owner is called, it stays in its folder."""
    name = _ODD.sub("_", row.owner).strip("._")[:_LONGEST]
    return f"{row.id}-{name}.pdf" if name else f"{row.id}.pdf"


def told(statement: Statement, row: StatementRow, *, whole: bool) -> dict[str, object]:
    """What the template is given: texts only."""
    return {
        "title": f"Energy and cost {statement.month}",
        "subtitle": f"by {statement.by}"
        + ("" if statement.timezone == "UTC" else f", {statement.timezone}"),
        "statement": statement.id,
        "row": row.id,
        "month": statement.month,
        "method": statement.method,
        "owner": row.owner,
        "cost": money(row.cost),
        "currency": statement.currency.code,
        "parts": list(_parts(row)),
        "facts": list(_facts(row)),
        "sums": list(_sums(statement, row)) if whole else [],
        "small": list(_small(statement)),
    }


def _parts(row: StatementRow) -> Iterator[list[str]]:
    """The cost in parts that add up to it. What came from pools is in the others, too."""
    own = row.cost - row.cost_idle
    yield ["for energy above the machines' floor, or for use", money(own)]
    yield ["for the floor or unused capacity that it needed", money(row.cost_idle - row.cost_spare)]
    yield ["for what it reserved and did not use", money(row.cost_spare)]


def _facts(row: StatementRow) -> Iterator[list[str]]:
    yield ["energy above the floor", f"{kwh(row.dynamic_uj):,.2f} kWh"]
    yield ["its part of the floor", f"{kwh(row.idle_uj):,.2f} kWh"]
    if row.low_uj != row.high_uj:
        yield ["both together could be", f"{kwh(row.low_uj):,.2f} to {kwh(row.high_uj):,.2f} kWh"]
        if reasons := band_text([row]):
            yield ["why", reasons]
        yield ["the sum to pay would then be", f"{money(row.cost_low)} to {money(row.cost_high)}"]
    yield ["how the energy is known", confidence(row)]
    if row.efficiency is not None:
        yield ["used of what it reserved", f"{row.efficiency:.0%}"]
    if row.carbon_ug is not None:
        yield ["carbon, operational", f"{kg(row.carbon_ug)} kgCO2e"]
    if row.embodied_ug:
        yield ["carbon, of making the machines", f"{kg(row.embodied_ug)} kgCO2e"]
    if row.cost_shared != Decimal(0):
        yield ["of the sum, from shared pools", money(row.cost_shared)]
    if compared := change(row):
        yield ["compared with the month before", compared]


def _sums(statement: Statement, row: StatementRow) -> Iterator[list[str]]:
    yield ["all owners' invoices", money(statement.allocated)]
    yield ["allocated to nobody: idle, system, lines of no node", money(statement.unallocated)]
    yield ["the provider's invoice", f"{money(statement.total)} {statement.currency.code}"]
    yield ["this one's share of it", f"{row.share:.2%}"]


def _small(statement: Statement) -> Iterator[str]:
    yield (
        f"Method {statement.method}: {statement.method_text}; who pays the floor: "
        f"{statement.floor_policy}. `wattribute explain` takes the sum apart, back to lines of "
        "the provider's invoice and to the counters of energy."
    )
    if shared := shared_text(statement):
        yield f"{shared[0].upper()}{shared[1:]}."
    for name, digest in statement.sources:
        yield f"Bill {name}, SHA-256 {digest}."
    for origin in statement.carbon:
        stale = "; stale" if origin.stale else ""
        yield (
            f"Carbon in {origin.zone or 'the default place'}: {origin.source} {origin.year}, "
            f"{origin.basis}-based, PUE {origin.pue:g}{stale}."
        )
