"""Reads bills in files (CSV, Parquet), with DuckDB, whatever engine splits them."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Final

import duckdb
import pyarrow as pa

from wattribute.accounting.chargeback.bills.columns import BillColumns, columns_of
from wattribute.accounting.chargeback.bills.tags import namespace_in
from wattribute.accounting.chargeback.charges import Charges, Month
from wattribute.accounting.chargeback.money import Currency, digits_for
from wattribute.core.errors import DataInvalid
from wattribute.core.units import HOUR_S


class NoLineOfMonth(DataInvalid):
    """A bill can be read, and none of its lines is of the month."""


_SHOWN: Final = 3
"""Examples in a message."""
_BLOCK: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class _Bill:
    path: Path
    columns: BillColumns
    view: str


def read_files(paths: Sequence[Path], month: Month, currency: str = "") -> Charges:
    """The charges of a month from bills.

    A line belongs to the month of its billing period; in a bill that does not say, or in another
    time zone than UTC, to the month in which its charge period begins.

    Args:
        paths: CSV or Parquet files, FOCUS or CUR 2.0.
        month: Which.
        currency: Take only lines in this one (ISO 4217); "": there must be only one.

    Raises:
        DataInvalid: a file cannot be read, is given twice, mixes currencies, or has no line of
            the month.
    """
    sources = _hashed(paths)
    with duckdb.connect() as con:
        con.execute("SET TimeZone = 'UTC'")
        folders = sorted({str(path.absolute().parent) for path in paths})
        con.execute("SET allowed_directories = ?", [folders])
        con.execute("SET enable_external_access = false")
        con.execute("SET lock_configuration = true")
        bills = [_opened(con, path, number) for number, path in enumerate(paths)]
        con.execute("CREATE TABLE lines AS " + " UNION ALL ".join(map(_select, bills)))
        return _read(con, paths, month, currency, sources)


def _hashed(paths: Sequence[Path]) -> tuple[tuple[str, str], ...]:
    """Each file's SHA-256; the same bill twice would double the invoice."""
    by_digest: dict[str, Path] = {}
    for path in paths:
        digest = hashlib.sha256()
        try:
            with path.open("rb") as file:
                while block := file.read(_BLOCK):
                    digest.update(block)
        except OSError as exc:
            raise DataInvalid(f"{path}: cannot read the bill: {exc.strerror}") from exc
        first_path = by_digest.setdefault(digest.hexdigest(), path)
        if first_path is not path:
            raise DataInvalid(f"{path} is the same bill as {first_path}; give it once")
    return tuple((str(path), digest) for digest, path in by_digest.items())


def _opened(con: duckdb.DuckDBPyConnection, path: Path, number: int) -> _Bill:
    name = str(path.absolute()).replace("'", "''")
    reader = (
        f"read_csv('{name}', all_varchar = true, header = true)"
        if path.name.removesuffix(".gz").endswith((".csv", ".tsv"))
        else f"read_parquet('{name}')"
    )
    view = f"bill_{number}"
    try:
        con.execute(f"CREATE VIEW {view} AS SELECT * FROM {reader}")  # noqa: S608 - quoted above
        described = con.execute(f"DESCRIBE {view}").fetchall()
    except duckdb.Error as exc:
        raise DataInvalid(
            f"{path}: no whole CSV or Parquet file: {str(exc).splitlines()[0]}; "
            "fetch the bill again"
        ) from exc
    columns = {str(row[0]): str(row[1]) for row in described}
    if len(columns) == 1 and any(mark in next(iter(columns)) for mark in ",;|\t"):
        raise DataInvalid(
            f"{path}: its lines differ in their number of columns, so some are cut off or are no "
            "CSV; fetch the bill again"
        )
    return _Bill(path, columns_of(str(path), columns), view)


def _select(bill: _Bill) -> str:
    expressions = bill.columns
    label = bill.path.name.replace("'", "''")
    return (
        f"SELECT CAST({expressions.cost} AS VARCHAR) AS cost_text, "  # noqa: S608 - names from our table
        f"TRY_CAST({expressions.cost} AS DECIMAL(38,15)) AS amount, "
        f"CAST({expressions.currency} AS VARCHAR) AS currency, "
        f"TRY_CAST({expressions.start} AS TIMESTAMPTZ) AS start_at, "
        f"TRY_CAST({expressions.end} AS TIMESTAMPTZ) AS end_at, "
        f"TRY_CAST(nullif({expressions.period}, '') AS TIMESTAMPTZ) AS period_at, "
        f"{expressions.resource} AS resource, {expressions.service} AS service, "
        f"{expressions.category} AS category, {expressions.description} AS description, "
        f"{expressions.tags} AS tags, '{label}' AS file, number "
        f"FROM (SELECT *, row_number() OVER () AS number FROM {bill.view}) "
        f"WHERE {expressions.where}"
    )


def _read(
    con: duckdb.DuckDBPyConnection,
    paths: Sequence[Path],
    month: Month,
    currency: str,
    sources: tuple[tuple[str, str], ...],
) -> Charges:
    names = ", ".join(map(str, paths))
    try:
        _refuse_unreadable(con, names)
        code = _currency(con, names, currency)
        _keep_month(con, names, month, code)
        found = con.execute(
            "SELECT coalesce(sum(abs(amount)), 0), sum(amount) FROM kept"
        ).fetchall()[0]
        absolute, total = (Decimal(str(value)) for value in found)
        unit = Currency(code, digits_for(absolute))
        table = con.sql(
            f"SELECT CAST(CAST(amount AS DECIMAL(38,{unit.digits})) * {unit.per_unit} AS BIGINT) "  # noqa: S608 - numbers
            f"AS cost, epoch(start_at)::BIGINT // {HOUR_S} AS first, "
            f'(epoch(end_at)::BIGINT + {HOUR_S - 1}) // {HOUR_S} AS "end", '
            "resource, tags, service, category, description, "
            "file || ' line ' || number AS source FROM kept ORDER BY file, number"
        ).to_arrow_table()
        notes = (*_notes(con, unit), *_left_out(con, unit, month))
    except duckdb.Error as exc:
        raise DataInvalid(f"{names}: {str(exc).splitlines()[0]}") from exc
    return Charges(_with_namespace(table), unit, total, notes, sources)


def _refuse_unreadable(con: duckdb.DuckDBPyConnection, names: str) -> None:
    bad = con.execute(
        "SELECT file, number, cost_text, CAST(start_at AS VARCHAR), CAST(end_at AS VARCHAR), "
        "end_at < start_at FROM lines WHERE amount IS NULL "
        "OR start_at IS NULL OR end_at IS NULL OR end_at < start_at ORDER BY file, number LIMIT 1"
    ).fetchall()
    if not bad:
        return
    file, number, cost, start, end, backwards = bad[0]
    if start is None or end is None:
        problem = "its charge period is missing or no time"
    elif backwards:
        problem = f"its charge period ends ({end}) before it begins ({start})"
    else:
        problem = f"EffectiveCost is {cost!r}, which is no amount" if cost else "it has no cost"
    raise DataInvalid(f"{names}: {file}, data line {number}: {problem}")


def _currency(con: duckdb.DuckDBPyConnection, names: str, code_wanted: str) -> str:
    found = con.execute(
        "SELECT coalesce(currency, ''), count(*) FROM lines GROUP BY 1 ORDER BY 2 DESC, 1"
    ).fetchall()
    codes = [str(code) for code, _ in found]
    if code_wanted:
        if code_wanted not in codes:
            raise DataInvalid(f"{names}: no line is in {code_wanted}; there are {', '.join(codes)}")
        return code_wanted
    if len(codes) > 1:
        listed = ", ".join(f"{code or 'none'} ({count} lines)" for code, count in found)
        raise DataInvalid(
            f"{names}: mixed currencies: {listed}; choose one with --currency, "
            "rates are not guessed"
        )
    if not codes:
        raise DataInvalid(f"{names}: the bill has no lines")
    return codes[0]


def _keep_month(con: duckdb.DuckDBPyConnection, names: str, month: Month, currency: str) -> None:
    span = month.span
    instant = "coalesce(period_at, start_at)" if month.zone == "UTC" else "start_at"
    con.execute(
        f"CREATE TABLE kept AS SELECT * FROM lines WHERE coalesce(currency, '') = ? "  # noqa: S608
        f"AND epoch({instant}) >= {span.first * HOUR_S} AND epoch({instant}) < {span.end * HOUR_S}",
        [currency],
    )
    if con.execute("SELECT count(*) FROM kept").fetchall()[0][0]:
        return
    months = con.execute(
        f"SELECT DISTINCT strftime({instant}, '%Y-%m') FROM lines ORDER BY 1 LIMIT 12"  # noqa: S608
    ).fetchall()
    listed = ", ".join(str(row[0]) for row in months)
    raise NoLineOfMonth(f"{names}: no line of {month.text}; the bill is of {listed}")


def _left_out(con: duckdb.DuckDBPyConnection, unit: Currency, month: Month) -> tuple[str, ...]:
    """Lines of other months: the invoice of a statement is less than the files then."""
    count, amount = con.execute(
        "SELECT count(*) - (SELECT count(*) FROM kept), "
        "coalesce(sum(amount), 0) - (SELECT coalesce(sum(amount), 0) FROM kept) "
        "FROM lines WHERE coalesce(currency, '') = ?",
        [unit.code],
    ).fetchall()[0]
    if not count:
        return ()
    amount_text = f"{Decimal(str(amount)):.{unit.places}f} {unit.code}"
    return (
        f"{count} lines of the bill ({amount_text}) are not of {month.text} {month.zone}; left out",
    )


def _notes(con: duckdb.DuckDBPyConnection, unit: Currency) -> tuple[str, ...]:
    """Lines that occur twice word for word, and refunds."""
    notes = []
    twice = con.execute(
        "SELECT coalesce(sum(n - 1), 0), coalesce(sum((n - 1) * amount), 0) FROM (SELECT amount, "
        "count(*) AS n FROM kept WHERE resource <> '' AND amount <> 0 GROUP BY amount, start_at, "
        "end_at, resource, service, category, description, tags HAVING count(*) > 1)"
    ).fetchall()[0]
    if twice[0]:
        amount = f"{Decimal(str(twice[1])):.{unit.places}f} {unit.code}"
        notes.append(
            f"{int(twice[0])} lines of the bill repeat another one word for word ({amount}); they "
            "are counted, as an invoice does. If a part of the bill was exported twice, remove it"
        )
    refunds = con.execute(
        "SELECT count(*), coalesce(sum(amount), 0) FROM kept WHERE amount < 0"
    ).fetchall()[0]
    if refunds[0]:
        amount = f"{Decimal(str(refunds[1])):.{unit.places}f} {unit.code}"
        notes.append(
            f"{refunds[0]} lines are negative (refunds, credits, corrections), {amount} together; "
            "they go to the accounts that pay the charges of the same resource and hours"
        )
    return tuple(notes)


def _with_namespace(table: pa.Table) -> pa.Table:
    tags = table["tags"].combine_chunks().dictionary_encode()
    named = pa.array([namespace_in(text) for text in tags.dictionary.to_pylist()], pa.string())
    namespace = named.take(tags.indices) if len(named) else pa.array([], pa.string())
    return table.drop_columns(["tags"]).append_column("namespace", namespace)
