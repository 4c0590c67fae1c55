"""What a statement is asked for, and the ledger's files that it needs."""

import hashlib
import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import msgspec
import pyarrow as pa
from pyarrow import fs, parquet

from wattribute.accounting.chargeback.charges import Month
from wattribute.accounting.ledger.store import Store
from wattribute.accounting.settings import AccountingSettings
from wattribute.core.errors import ConfigInvalid, DataInvalid, LedgerFailed
from wattribute.core.units import HOUR_S

_PRICE_LIST: Final = (".yaml", ".yml")
_ID_LENGTH: Final = 6
_CHUNK: Final = 2_000_000
"""Entries that are summed at a time: 0.5 GB of memory."""


@dataclass(frozen=True, slots=True)
class StatementRequest:
    """One question; the same question over the same files has the same answer."""

    ledger: str
    month: Month
    by: str
    bills: tuple[Path, ...] = ()
    """CSV and Parquet files, or one price list (YAML)."""
    totals: tuple[str, ...] = ()
    """``EC2=50000 USD``."""
    method: str = "energy-idle-reserved"
    currency: str = ""
    tariff: str = ""
    engine: str = "duckdb"
    master: str = ""
    memory: str = ""

    def but(self, **changes: Any) -> "StatementRequest":  # noqa: ANN401 - as the fields are
        """The same question with some of it changed."""
        return replace(self, **changes)

    def check(self) -> None:
        """Refuse what cannot be answered, before anything is read.

        Raises:
            ConfigInvalid: no bill, or kinds of bills that do not go together.
        """
        lists = [path for path in self.bills if path.suffix in _PRICE_LIST]
        kinds = bool(self.totals) + bool(lists) + (len(self.bills) > len(lists))
        if kinds == 0:
            raise ConfigInvalid(
                "No bill given. Pass --bill FILE (FOCUS, CUR 2.0 or a price list), or "
                "--total 'EC2=50000 USD'."
            )
        if kinds > 1 or len(lists) > 1:
            raise ConfigInvalid(
                "--bill with bills, --bill with one price list, --total: one of the three, "
                "or the same nodes would be paid for twice"
            )

    @property
    def price_list(self) -> Path | None:
        """The price list among the bills."""
        return next((path for path in self.bills if path.suffix in _PRICE_LIST), None)

    @property
    def tariff_place(self) -> str:
        """The price of a kWh, or the absolute path of the list that has it."""
        is_file = self.tariff.endswith(_PRICE_LIST)
        return str(Path(self.tariff).absolute()) if is_file else self.tariff

    @property
    def ledger_place(self) -> str:
        """The ledger's absolute path or its URL: the same from any folder."""
        return self.ledger if "://" in self.ledger else str(Path(self.ledger).absolute())

    def id(self, settings: AccountingSettings, sources: tuple[tuple[str, str], ...]) -> str:
        """Six hexadecimal digits that name the answer: of the question, the rules and the bills."""
        asked = [
            *(
                self.ledger_place,
                self.month.text,
                self.month.zone,
                self.by,
                self.method,
                self.currency,
            ),
            *(self.tariff_place, self.totals, [digest for _, digest in sources]),
            msgspec.to_builtins(settings.ownership),
            msgspec.to_builtins(settings.bills.shared),
        ]
        text = json.dumps(asked, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:_ID_LENGTH]


@dataclass(frozen=True, slots=True)
class LedgerFiles:
    """The ledger's files of a month, under names that the engine can read."""

    folder: str
    chunks: tuple[tuple[str, ...], ...]
    """Whole days together, about ``_CHUNK`` entries in each: no hour is in two of them."""

    @property
    def all(self) -> list[str]:
        """Every file of the ledger that the month needs."""
        return [path for chunk in self.chunks for path in chunk]


@contextmanager
def ledger_files(request: StatementRequest, month: Month) -> Iterator[LedgerFiles]:
    """The ledger's files of a month.

    Those of an object store are copied into a temporary folder first, but for Spark, whose
    executors read it themselves.

    Raises:
        DataInvalid: a file is damaged.
        LedgerFailed: the store cannot be read.
    """
    store = Store.at(request.ledger)
    span = month.span
    days: dict[str, list[tuple[str, int]]] = {}
    for path in store.files(span.first * HOUR_S, span.end * HOUR_S):
        day = path.rsplit("/", 2)[-2]
        days.setdefault(day, []).append((path, store.check_file(path).num_rows))
    chunks = _chunks(days)
    if store.local:
        yield LedgerFiles(store.root, chunks)
    elif request.engine == "spark":
        scheme = request.ledger.partition("://")[0]
        addressed = (tuple(f"{scheme}://{path}" for path in chunk) for chunk in chunks)
        yield LedgerFiles(request.ledger, tuple(addressed))
    else:
        with tempfile.TemporaryDirectory(prefix="wattribute-ledger-") as folder:
            fetched = (
                tuple(_fetched(store, path, f"{folder}/{at}-{number}.parquet")
                      for number, path in enumerate(chunk))
                for at, chunk in enumerate(chunks)
            )  # fmt: skip
            yield LedgerFiles(folder, tuple(fetched))


def _chunks(days: Mapping[str, Sequence[tuple[str, int]]]) -> tuple[tuple[str, ...], ...]:
    chunks: list[tuple[str, ...]] = []
    paths: list[str] = []
    entries = 0
    for day in sorted(days):
        paths += [path for path, _ in days[day]]
        entries += sum(rows for _, rows in days[day])
        if entries >= _CHUNK:
            chunks.append(tuple(paths))
            paths, entries = [], 0
    if paths:
        chunks.append(tuple(paths))
    return tuple(chunks)


def _fetched(store: Store, path: str, name: str) -> str:
    try:
        fs.copy_files(path, name, store.filesystem, fs.LocalFileSystem())
    except OSError as exc:
        raise LedgerFailed(f"{path}: cannot fetch: {exc}") from exc
    return name


def names_of_maps(files: list[str], column: str) -> list[str]:
    """Names of labels or annotations that the first entries have, for a message."""
    keys: set[str] = set()
    for path in files[:1]:
        try:
            table = parquet.ParquetFile(path).read_row_group(0, columns=[column])
        except (OSError, pa.ArrowException) as exc:
            raise DataInvalid(f"{path}: cannot read its {column}: {exc}") from exc
        for entry in table[column].to_pylist():
            keys.update(name for name, _ in entry)
    return sorted(keys)
