"""Where a ledger is kept: Parquet files in day folders, on disk or in an object store."""

import contextlib
import fcntl
import os
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Final, Self

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import dataset, fs, parquet

from wattribute.accounting.ledger.schema import LATER, SCHEMA, day_folder
from wattribute.core.errors import DataInvalid, LedgerFailed
from wattribute.core.files import put_in_place
from wattribute.core.units import DAY_S, MICROSECONDS_PER_SECOND

_UNFINISHED: Final = ".unfinished"
"""End of the name of a file that is being written; no reader takes it for one of the ledger's."""


class Store:
    """The files of one ledger."""

    def __init__(self, filesystem: fs.FileSystem, root: str) -> None:
        """``root``: the ledger's folder on that file system."""
        self.filesystem = filesystem
        self.root = root.rstrip("/")

    @classmethod
    def at(cls, path: str) -> Self:
        """A folder, or ``s3://bucket/prefix`` and whatever else pyarrow and fsspec can open.

        Raises:
            LedgerFailed: no such kind of store, or its library is not installed.
        """
        if "://" not in path:
            return cls(fs.LocalFileSystem(), str(Path(path).absolute()))
        try:
            filesystem, root = fs.FileSystem.from_uri(path)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            filesystem, root = _by_fsspec(path)
        except OSError as exc:
            raise LedgerFailed(f"{path}: cannot open the ledger: {exc}") from exc
        return cls(filesystem, root)

    @property
    def local(self) -> bool:
        """Whether it is a folder of this machine."""
        return isinstance(self.filesystem, fs.LocalFileSystem)

    def files(self, start_s: int, end_s: int) -> list[str]:
        """Return the sealed files of the days that touch [start_s, end_s), in order of their names.

        Raises:
            LedgerFailed: the store cannot be asked.
        """
        found: list[str] = []
        for day_s in range(start_s - start_s % DAY_S, end_s, DAY_S):
            folder = fs.FileSelector(f"{self.root}/{day_folder(day_s)}", allow_not_found=True)
            found += self._listed(folder)
        return found

    def all_files(self) -> list[str]:
        """Return every sealed file.

        Raises:
            LedgerFailed: the store cannot be asked.
        """
        return self._listed(fs.FileSelector(self.root, allow_not_found=True, recursive=True))

    def days(self) -> tuple[int, int]:
        """Return the start of the first day with entries and the end of the last, in Unix seconds.

        (0, 0): there are no entries.

        Raises:
            LedgerFailed: the store cannot be asked.
        """
        names = [path.rpartition("/dt=")[2][:10] for path in self.all_files() if "/dt=" in path]
        if not names:
            return 0, 0
        first, last = (datetime.fromisoformat(f"{name}T00Z") for name in (min(names), max(names)))
        return int(first.timestamp()), int(last.timestamp()) + DAY_S

    def _listed(self, selector: fs.FileSelector) -> list[str]:
        try:
            infos = self.filesystem.get_file_info(selector)
        except OSError as exc:
            raise LedgerFailed(f"{selector.base_dir}: cannot list the ledger: {exc}") from exc
        return sorted(info.path for info in infos if info.path.endswith(".parquet"))

    def entries(self, start_s: int, end_s: int, columns: list[str] | None = None) -> pa.Table:
        """Return the entries of the hours in [start_s, end_s), all of them in memory.

        Raises:
            DataInvalid: a file is no Parquet file, is cut short, or has another schema.
            LedgerFailed: the store cannot be read.
        """
        files = self.files(start_s, end_s)
        for path in files:
            self.check_file(path)
        if not files:
            return SCHEMA.empty_table().select(columns or SCHEMA.names)
        hours = [
            pa.scalar(at_s * MICROSECONDS_PER_SECOND, SCHEMA.field("hour").type)
            for at_s in (start_s, end_s)
        ]
        hour = dataset.field("hour")
        whole = dataset.dataset(files, SCHEMA, format="parquet", filesystem=self.filesystem)
        asked_columns = columns or SCHEMA.names
        stand_ins = (stand_in for name in asked_columns if (stand_in := LATER.get(name)))
        needed = dict.fromkeys((*asked_columns, *stand_ins))
        try:
            table = whole.to_table(list(needed), filter=(hour >= hours[0]) & (hour < hours[1]))
        except (OSError, pa.ArrowException) as exc:
            raise LedgerFailed(f"{self.root}: cannot read the ledger: {exc}") from exc
        return _completed(table).select(asked_columns)

    def check_file(self, path: str) -> parquet.FileMetaData:
        """Return the footer of one file.

        Raises:
            DataInvalid: it is not a whole Parquet file of the ledger's schema.
        """
        try:
            with self.filesystem.open_input_file(path) as source:
                file = parquet.ParquetFile(source)
                names, metadata = file.schema_arrow.names, file.metadata
        except (OSError, pa.ArrowException) as exc:
            raise DataInvalid(
                f"{path}: not a whole Parquet file ({exc}); restore it from a backup, or move it "
                "away and collect its hours again"
            ) from exc
        if missing := [name for name in SCHEMA.names if name not in names and name not in LATER]:
            raise DataInvalid(f"{path}: no ledger file: lacks the column {missing[0]}")
        return metadata

    def write(self, day_s: int, seal_id: str, tables: Iterable[pa.Table]) -> int:
        """Write one sealed file: all of it, or nothing; the number of entries.

        Args:
            day_s: any instant of the day, Unix seconds.
            seal_id: names the file; it must be new.
            tables: of ``SCHEMA``, all of that day; each becomes row groups of its own.

        Raises:
            LedgerFailed: it could not be written; the ledger is as it was.
        """
        folder = f"{self.root}/{day_folder(day_s)}"
        final, unfinished = f"{folder}/{seal_id}.parquet", f"{folder}/.{seal_id}{_UNFINISHED}"
        try:
            self.filesystem.create_dir(folder, recursive=True)
            entries = self._fill(unfinished, tables)
            if self.local:
                put_in_place(Path(unfinished), Path(final))
            else:  # an object store has a file when its last byte is there
                self.filesystem.move(unfinished, final)
        except BaseException as exc:
            with contextlib.suppress(OSError):
                self.filesystem.delete_file(unfinished)
            if not isinstance(exc, OSError | pa.ArrowException):
                raise
            raise LedgerFailed(
                f"{final}: cannot seal: {exc}; nothing of it was kept and nothing is lost: "
                "collect the same hours again"
            ) from exc
        return entries

    def _fill(self, path: str, tables: Iterable[pa.Table]) -> int:
        entries = 0
        with (
            self.filesystem.open_output_stream(path) as sink,
            parquet.ParquetWriter(sink, SCHEMA, compression="zstd", version="2.6") as writer,
        ):
            for table in tables:
                writer.write_table(table)
                entries += table.num_rows
        return entries

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Let one writer in at a time, in a folder; an object store has no lock.

        Raises:
            LedgerFailed: another one is at work, or the folder cannot be made.
        """
        if not self.local:
            yield
            return
        try:
            Path(self.root).mkdir(parents=True, exist_ok=True)
            descriptor = os.open(f"{self.root}/.lock", os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as exc:
            raise LedgerFailed(f"{self.root}: cannot write the ledger: {exc.strerror}") from exc
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            raise LedgerFailed(
                f"{self.root}: another collect is at work on this ledger; wait for it"
            ) from None
        try:
            self._sweep()
            yield
        finally:
            os.close(descriptor)

    def _sweep(self) -> None:
        """Remove what a writer that was killed left behind."""
        selector = fs.FileSelector(self.root, allow_not_found=True, recursive=True)
        for info in self.filesystem.get_file_info(selector):
            if info.path.endswith(_UNFINISHED):
                self.filesystem.delete_file(info.path)


def _completed(table: pa.Table) -> pa.Table:
    """Return entries with what stands for the columns that their files lack, which are null."""
    for name, stand_in in LATER.items():
        if name in table.column_names and table[name].null_count:
            values = pc.coalesce(table[name], table[stand_in] if stand_in else pa.scalar(""))
            place = table.schema.get_field_index(name)
            table = table.set_column(place, SCHEMA.field(name), values)
    return table


def _by_fsspec(path: str) -> tuple[fs.FileSystem, str]:
    import fsspec  # noqa: PLC0415 - only for stores that pyarrow does not speak itself

    try:
        filesystem, root = fsspec.core.url_to_fs(path)
    except (ValueError, ImportError, OSError) as exc:
        raise LedgerFailed(f"{path}: cannot open the ledger: {exc}") from exc
    return fs.PyFileSystem(fs.FSSpecHandler(filesystem)), root
