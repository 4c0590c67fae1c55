"""Spark: for a fleet's month that outgrows one machine, on the cluster that the company has."""

import os
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final, Self

import narwhals as nw
import pyarrow as pa
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as sql

from wattribute.accounting.chargeback.engines import EngineName, Frame, Span
from wattribute.accounting.ledger.schema import LATER, SCHEMA
from wattribute.core.errors import DataInvalid
from wattribute.core.units import HOUR_S


class Spark:
    """One session. The ledger's files must be readable by the executors under the same name."""

    name: Final[EngineName] = "spark"

    def __init__(self, master: str = "", memory: str = "") -> None:
        """Say where, and start nothing yet.

        Args:
            master: ``spark://host:7077``, ``yarn``, ``k8s://https://...``, ``local[2]``; "" is what
                ``spark-defaults.conf`` says, and else this machine's cores.
            memory: Of the driver (``3g``); "" is Spark's default.
        """
        self._master = master
        self._memory = memory

    def __enter__(self) -> Self:
        """Start a session, without its web page."""
        os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
        self._folder = tempfile.TemporaryDirectory(prefix="wattribute-")
        build: Any = SparkSession.builder.appName("wattribute")
        if self._master:
            build = build.master(self._master)
        if self._memory:
            build = build.config("spark.driver.memory", self._memory)
        settings = {
            "spark.ui.enabled": "false",
            "spark.ui.showConsoleProgress": "false",
            "spark.sql.session.timeZone": "UTC",
            "spark.sql.execution.arrow.pyspark.enabled": "true",
            "spark.sql.shuffle.partitions": "16",
            "spark.sql.warehouse.dir": self._folder.name,
            "spark.driver.host": os.environ.get("SPARK_LOCAL_IP", "127.0.0.1"),
        }
        if not self._master.startswith("local") and self._master:
            del settings["spark.driver.host"]
        for key, value in settings.items():
            build = build.config(key, value)
        try:
            self._session: SparkSession = build.getOrCreate()
        except (PySparkException, RuntimeError, OSError) as exc:
            raise _readable(exc) from exc
        self._session.sparkContext.setLogLevel("ERROR")
        return self

    def __exit__(self, *_: object) -> None:
        """End the session."""
        self._session.stop()
        self._folder.cleanup()

    def scan(
        self,
        files: Sequence[str],
        span: Span,
        columns: Sequence[str],
        maps: Mapping[str, tuple[str, str]],
    ) -> Frame:
        """Entries of a span; see ``Engine.scan``."""
        first, end = (sql.timestamp_seconds(sql.lit(at * HOUR_S)) for at in (span.first, span.end))
        hour = sql.floor(sql.unix_seconds("hour") / HOUR_S).cast("long")
        chosen = [
            *(sql.col(column) for column in columns if column != "hour"),
            hour.alias("hour"),
            *(
                sql.coalesce(sql.col(column).getItem(key), sql.lit("")).alias(new)
                for new, (column, key) in maps.items()
            ),
        ]
        try:
            later = [name for name in columns if name in LATER]
            merged = self._session.read.option("mergeSchema", "true" if later else "false")
            frame = merged.parquet(*files)
            for name in later:
                if name not in frame.columns:
                    kind = "long" if pa.types.is_integer(SCHEMA.field(name).type) else "string"
                    frame = frame.withColumn(name, sql.lit(None).cast(kind))
            inside = (sql.col("hour") >= first) & (sql.col("hour") < end)
            found: Frame = nw.from_native(frame.filter(inside).select(*chosen))
        except PySparkException as exc:
            raise _readable(exc) from exc
        return found

    def frame(self, table: pa.Table) -> Frame:
        """A table of ours, sent to the executors."""
        sent: Frame = nw.from_native(self._session.createDataFrame(table))
        return sent

    def keep(self, frame: Frame) -> Frame:
        """Compute now, and keep it on the executors (memory, then disk)."""
        native: DataFrame = nw.to_native(frame).cache()
        try:
            native.count()
        except PySparkException as exc:
            raise _readable(exc) from exc
        kept: Frame = nw.from_native(native)
        return kept

    @contextmanager
    def kept(self, frame: Frame) -> Iterator[Frame]:
        """Kept as it is: what is made of it is computed later, and would compute it again."""
        yield self.keep(frame)

    def collect(self, frame: Frame) -> pa.Table:
        """Compute, as an Arrow table."""
        try:
            return nw.to_native(frame).toArrow()
        except PySparkException as exc:
            raise _readable(exc) from exc


def _readable(exc: Exception) -> DataInvalid:
    return DataInvalid(f"spark: {str(exc).splitlines()[0]}")
