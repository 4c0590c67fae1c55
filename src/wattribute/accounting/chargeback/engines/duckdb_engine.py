"""DuckDB: the embedded default. It spills to disk, so a month may be larger than memory."""

import itertools
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Final, Self

import duckdb
import narwhals as nw
import pyarrow as pa

from wattribute.accounting.chargeback.engines import EngineName, Frame, Span
from wattribute.accounting.ledger.schema import ADDED
from wattribute.core.errors import DataInvalid
from wattribute.core.units import HOUR_US

_TYPED_NULLS: Final = ", ".join(
    f"NULL::{'BIGINT' if source else 'VARCHAR'} AS {name}" for name, source in ADDED.items()
)
_NONE_OF_ADDED: Final = f"SELECT {_TYPED_NULLS} WHERE false"
"""No rows, with the columns that no file may have."""


class DuckDB:
    """One in-memory database, which may read the ledger and its own spill folder only."""

    name: Final[EngineName] = "duckdb"

    def __init__(self, folders: Sequence[str], memory: str = "") -> None:
        """Open a database.

        Args:
            folders: The folders that it may read.
            memory: Limit, as DuckDB writes it (``3GB``); "": 80 % of the machine's.
        """
        self._folders = list(folders)
        self._memory = memory
        self._numbers = itertools.count()

    def __enter__(self) -> Self:
        """Open it, then lock it: whatever a file's name or content says, it reads nothing else."""
        self._spill = tempfile.TemporaryDirectory(prefix="wattribute-")
        self._con = duckdb.connect()
        self._con.execute("SET temp_directory = ?", [self._spill.name])
        self._con.execute("SET preserve_insertion_order = false")
        self._con.execute("SET TimeZone = 'UTC'")
        if self._memory:
            self._con.execute("SET memory_limit = ?", [self._memory])
        self._con.execute("SET allowed_directories = ?", [[*self._folders, self._spill.name]])
        self._con.execute("SET enable_external_access = false")
        self._con.execute("SET lock_configuration = true")
        return self

    def __exit__(self, *_: object) -> None:
        """Close it, and remove what was spilt."""
        self._con.close()
        self._spill.cleanup()

    def scan(
        self,
        files: Sequence[str],
        span: Span,
        columns: Sequence[str],
        maps: Mapping[str, tuple[str, str]],
    ) -> Frame:
        """Entries of a span; see ``Engine.scan``."""
        chosen = [
            *(_completed(column) for column in columns if column != "hour"),
            "epoch_us(hour) // 3600000000 AS hour",
            *(
                f"coalesce({_name(column)}[{_text(key)}], '') AS {_name(new)}"
                for new, (column, key) in maps.items()
            ),
        ]
        listed = ", ".join(map(_text, files))
        sql = (
            f"SELECT {', '.join(chosen)} FROM (SELECT * FROM read_parquet([{listed}], "  # noqa: S608 - names and texts are quoted
            f"union_by_name = true, hive_partitioning = false) UNION ALL BY NAME {_NONE_OF_ADDED}) "
            f"WHERE hour >= make_timestamptz({span.first * HOUR_US}) "
            f"AND hour < make_timestamptz({span.end * HOUR_US})"
        )
        return nw.from_native(self._checked(sql))

    def frame(self, table: pa.Table) -> Frame:
        """A table of ours, copied into the database: Arrow's own scan is slower in joins."""
        name = f"given_{next(self._numbers)}"
        self._con.from_arrow(table).create(name)
        return nw.from_native(self._con.table(name))

    def keep(self, frame: Frame) -> Frame:
        """Compute into a table of the database."""
        self._last = next(self._numbers)
        name = f"kept_{self._last}"
        try:
            nw.to_native(frame).create(name)
        except duckdb.Error as exc:
            raise _readable(exc) from exc
        return nw.from_native(self._con.table(name))

    @contextmanager
    def kept(self, frame: Frame) -> Iterator[Frame]:
        """A table that is dropped at the end."""
        kept = self.keep(frame)
        name = f"kept_{self._last}"
        try:
            yield kept
        finally:
            self._con.execute(f"DROP TABLE {name}")

    def collect(self, frame: Frame) -> pa.Table:
        """Compute, as an Arrow table."""
        try:
            return nw.to_native(frame).to_arrow_table()
        except duckdb.Error as exc:
            raise _readable(exc) from exc

    def _checked(self, sql: str) -> duckdb.DuckDBPyRelation:
        try:
            return self._con.sql(sql)
        except duckdb.Error as exc:
            raise _readable(exc) from exc


def _completed(column: str) -> str:
    """A column, with what files of earlier versions would have held."""
    if column not in ADDED:
        return _name(column)
    missing = _name(ADDED[column]) if ADDED[column] else "''"
    return f"coalesce({_name(column)}, {missing}) AS {_name(column)}"


def _readable(exc: duckdb.Error) -> DataInvalid:
    """The first line of what DuckDB says; it names the file."""
    return DataInvalid(f"duckdb: {str(exc).splitlines()[0]}")


def _name(identifier: str) -> str:
    return '"' + identifier.replace('"', '""') + '"'


def _text(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
