"""DuckDB: the embedded default. It spills to disk, so a month may be larger than memory."""

import itertools
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Final, Self

import duckdb
import narwhals as nw
import pyarrow as pa
from pyarrow import parquet

from wattribute.accounting.chargeback.engines import EngineName, Frame, Span
from wattribute.accounting.ledger.schema import LATER, SCHEMA
from wattribute.core.errors import DataInvalid
from wattribute.core.units import HOUR_US


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
        parquet.write_table(SCHEMA.empty_table().select(list(LATER)), self._later)
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

    @property
    def _later(self) -> str:
        """A file without rows that has the columns which older files lack."""
        return f"{self._spill.name}/later.parquet"

    def scan(
        self,
        files: Sequence[str],
        span: Span,
        columns: Sequence[str],
        maps: Mapping[str, tuple[str, str]],
    ) -> Frame:
        """Entries of a span; see ``Engine.scan``."""
        chosen = [
            *(_name(column) for column in columns if column != "hour"),
            "epoch_us(hour) // 3600000000 AS hour",
            *(
                f"coalesce({_name(column)}[{_text(key)}], '') AS {_name(new)}"
                for new, (column, key) in maps.items()
            ),
        ]
        # Columns are united by name: files of older versions lack some, perhaps all of them do.
        listed = ", ".join(map(_text, (*files, self._later)))
        arguments = f"[{listed}], hive_partitioning = false, union_by_name = true"
        sql = (
            f"SELECT {', '.join(chosen)} FROM read_parquet({arguments}) "  # noqa: S608 - names and texts are quoted
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


def _readable(exc: duckdb.Error) -> DataInvalid:
    """The first line of what DuckDB says; it names the file."""
    return DataInvalid(f"duckdb: {str(exc).splitlines()[0]}")


def _name(identifier: str) -> str:
    return '"' + identifier.replace('"', '""') + '"'


def _text(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
