"""What a statement is asked for, and the ledger's files that it needs."""

import hashlib
import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import msgspec
import pyarrow as pa
from pyarrow import fs, parquet

from wattribute.chargeback.charges import HOUR_S, Month
from wattribute.errors import ConfigInvalid, DataInvalid, LedgerFailed
from wattribute.ledger.store import Store
from wattribute.settings import Settings

_PRICE_LIST: Final = (".yaml", ".yml")
_ID_LENGTH: Final = 6


@dataclass(frozen=True, slots=True)
class Request:
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

    def but(self, **changes: Any) -> "Request":  # noqa: ANN401 - as the fields are
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
                "what was paid? --bill FILE (FOCUS, CUR 2.0 or a price list), or "
                "--total 'EC2=50000 USD'"
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

    def id(self, settings: Settings, sources: tuple[tuple[str, str], ...]) -> str:
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


@contextmanager
def ledger_files(request: Request, month: Month) -> Iterator[tuple[list[str], str]]:
    """The ledger's files of a month, readable under their names, and the folder they are in.

    Those of an object store are copied into a temporary folder first, but for Spark, whose
    executors read it themselves.

    Raises:
        DataInvalid: a file is damaged.
        LedgerFailed: the store cannot be read.
    """
    store = Store.at(request.ledger)
    span = month.span
    files = store.files(span.first * HOUR_S, span.end * HOUR_S)
    for path in files:
        store.check_file(path)
    if store.local:
        yield files, store.root
    elif request.engine == "spark":
        scheme = request.ledger.partition("://")[0]
        yield [f"{scheme}://{path}" for path in files], request.ledger
    else:
        with tempfile.TemporaryDirectory(prefix="wattribute-ledger-") as folder:
            names = []
            for number, path in enumerate(files):
                name = f"{folder}/{number}.parquet"
                try:
                    fs.copy_files(path, name, store.filesystem, fs.LocalFileSystem())
                except OSError as exc:
                    raise LedgerFailed(f"{path}: cannot fetch: {exc}") from exc
                names.append(name)
            yield names, folder


def names_of_maps(files: list[str], column: str) -> list[str]:
    """Names of labels or annotations that the first entries have, for a message."""
    found: set[str] = set()
    for path in files[:1]:
        try:
            table = parquet.ParquetFile(path).read_row_group(0, columns=[column])
        except (OSError, pa.ArrowException) as exc:
            raise DataInvalid(f"{path}: cannot read its {column}: {exc}") from exc
        for entry in table[column].to_pylist():
            found.update(name for name, _ in entry)
    return sorted(found)
