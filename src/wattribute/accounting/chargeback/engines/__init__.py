"""Where the work is done: one code path in Narwhals, on DuckDB, Polars or Spark.

Every engine computes on whole numbers and on IEEE doubles in a fixed order of operations, so that
the results are the same to the last digit. An engine differs from the next in how it opens the
ledger's files, keeps an intermediate table and hands a result over; nothing else knows which it is.
"""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol, TypeAlias, get_args

import narwhals as nw

from wattribute.core.errors import ConfigInvalid

if TYPE_CHECKING:
    import pyarrow as pa

EngineName = Literal["duckdb", "polars", "spark"]
Frame: TypeAlias = nw.LazyFrame[Any]
"""Rows to be computed, by whichever engine."""

NAMES: Final[tuple[str, ...]] = get_args(EngineName)


@dataclass(frozen=True, slots=True)
class Span:
    """The hours [first, end), in hours since 1970 (UTC)."""

    first: int
    end: int

    @property
    def hours(self) -> int:
        """The number of hours in the span."""
        return self.end - self.first


class FrameEngine(Protocol):
    """What the arithmetic needs from whoever computes."""

    name: EngineName

    def scan(
        self,
        files: Sequence[str],
        span: Span,
        columns: Sequence[str],
        maps: Mapping[str, tuple[str, str]],
    ) -> Frame:
        """Entries of the ledger in a span.

        Args:
            files: Parquet files of the ledger; at least one.
            span: Which hours.
            columns: Columns of the ledger to give; ``hour`` comes as hours since 1970 (int64).
                Those of ``LATER`` in the ledger's schema are null where a file lacks them.
            maps: New column -> (``labels`` or ``annotations``, key): the value, "" where none.
        """

    def frame(self, table: "pa.Table") -> Frame:
        """A table of ours, for joining."""

    def keep(self, frame: Frame) -> Frame:
        """Compute now, and keep the result for several uses, until the engine is closed."""

    def kept(self, frame: Frame) -> AbstractContextManager[Frame]:
        """The same for a while: at the end its place is free again."""

    def collect(self, frame: Frame) -> "pa.Table":
        """Compute, and hand the rows over."""


def open_engine(
    name: str, folders: Sequence[str], *, memory: str = "", master: str = ""
) -> AbstractContextManager[FrameEngine]:
    """Start an engine.

    Args:
        name: One of ``NAMES``.
        folders: Where the ledger's files lie; DuckDB may read nothing else.
        memory: What it may use (``3GB``) before it spills to disk; "" is its own default.
        master: Spark's master (``spark://host:7077``, ``yarn``, ``k8s://https://...``).

    Raises:
        ConfigInvalid: there is no such engine, or it is not installed.
    """
    match name:
        case "duckdb":
            opened: AbstractContextManager[FrameEngine] = _module(name, "duckdb").DuckDB(
                folders, memory
            )
        case "polars":
            opened = _module(name, "polars").Polars()
        case "spark":
            opened = _module(name, "pyspark").Spark(master, memory)
        case _:
            raise ConfigInvalid(f"--engine {name}: no such engine; there are {', '.join(NAMES)}")
    return opened


_INSTALL: Final = {"spark": "uv pip install --python .venv/bin/python -r requirements/spark.txt"}
_EXTRA: Final = {"duckdb": "chargeback", "polars": "polars", "spark": "spark"}


def _module(name: str, library: str) -> ModuleType:
    try:
        import_module(library)
    except ImportError:
        raise ConfigInvalid(
            f"--engine {name} needs wattribute[{_EXTRA[name]}], which is not installed; "
            f"in a clone: {_INSTALL.get(name, 'make setup-all')}"
        ) from None
    return import_module(f"wattribute.accounting.chargeback.engines.{name}_engine")
