"""Polars: all in memory, on all cores."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Final, Self

import narwhals as nw
import polars as pl
import pyarrow as pa

from wattribute.accounting.chargeback.engines import EngineName, Frame, Span
from wattribute.accounting.ledger.schema import SCHEMA
from wattribute.core.errors import DataInvalid
from wattribute.core.units import HOUR_US


class Polars:
    """Lazy frames over the files; what is kept is in memory."""

    name: Final[EngineName] = "polars"

    def __enter__(self) -> Self:
        """Nothing to open."""
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing to close."""

    def scan(
        self,
        files: Sequence[str],
        span: Span,
        columns: Sequence[str],
        maps: Mapping[str, tuple[str, str]],
    ) -> Frame:
        """Entries of a span; see ``Engine.scan``."""
        hour = pl.col("hour").dt.epoch("us") // HOUR_US
        frame = (
            pl.scan_parquet(
                list(files),
                hive_partitioning=False,
                schema=pl.DataFrame(SCHEMA.empty_table()).schema,
                missing_columns="insert",
                extra_columns="ignore",
            )
            .filter(hour >= span.first, hour < span.end)
            .with_columns(
                hour.alias("hour"),
                *(
                    pl.col(column).map.get(key).fill_null("").alias(new)
                    for new, (column, key) in maps.items()
                ),
            )
            .select(*columns, *maps)
        )
        return nw.from_native(frame)

    def frame(self, table: pa.Table) -> Frame:
        """A table of ours."""
        frame = pl.from_arrow(table)
        if not isinstance(frame, pl.DataFrame):
            raise TypeError("an Arrow table became a series")
        return nw.from_native(frame.lazy())

    def keep(self, frame: Frame) -> Frame:
        """Compute into memory."""
        return nw.from_native(_computed(frame).lazy())

    @contextmanager
    def kept(self, frame: Frame) -> Iterator[Frame]:
        """In memory while it is referred to."""
        yield self.keep(frame)

    def collect(self, frame: Frame) -> pa.Table:
        """Compute, as an Arrow table."""
        return _computed(frame).to_arrow(compat_level=pl.CompatLevel.oldest())


def _computed(frame: Frame) -> pl.DataFrame:
    try:
        computed: pl.DataFrame = nw.to_native(frame).collect(engine="streaming")
    except (pl.exceptions.PolarsError, OSError) as exc:
        raise DataInvalid(f"polars: {str(exc).splitlines()[0]}") from exc
    return computed
