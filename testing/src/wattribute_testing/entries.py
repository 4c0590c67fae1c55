"""A small ledger, entry by entry: for tests of whatever reads one."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import pyarrow as pa
from pyarrow import parquet

from wattribute.accounting.ledger.schema import SCHEMA, day_folder
from wattribute.core.records import REWEIGHED

_HOUR_S: Final = 3600
Value = str | int | Mapping[str, str] | datetime


class MadeLedger:
    """Entries in memory, written as day folders when they are complete."""

    def __init__(self) -> None:
        """Begin without entries."""
        self.rows: list[dict[str, Value]] = []

    def add(self, hour: int, node: str, *, kind: str, **values: Value) -> None:
        """One entry.

        Args:
            hour: Hours since 1970, UTC.
            node: Name of the node; its provider id is ``aws:///zone/NODE`` unless given.
            kind: As in the schema.
            values: Other columns; what is not given is "" or 0, the component ``cpu``, the origin
                ``measured``, and the band and the energy by other weights as the energy.
        """
        row: dict[str, Value] = {
            field.name: {} if pa.types.is_map(field.type) else "" for field in SCHEMA
        }
        row |= {field.name: 0 for field in SCHEMA if pa.types.is_integer(field.type)}
        row |= {"component": "cpu", "origin": "measured", "covered_s": _HOUR_S, "seal_id": "s1"}
        row |= {"node": node, "provider_id": f"aws:///zone/{node}", "cluster": "c", "kind": kind}
        row["hour"] = datetime.fromtimestamp(hour * _HOUR_S, UTC)
        row |= values
        for name in REWEIGHED:
            if name not in values:
                row[name] = row["energy_uj"]
        self.rows.append(row)

    def floor(
        self,
        hour: int,
        node: str,
        uj: int,
        *,
        cpus: int = 4,
        gib: int = 16,
        gpus: int = 0,
        **values: Value,
    ) -> None:
        """The idle row of a node's component ``cpu``, with what the node has."""
        capacity: dict[str, Value] = {
            "capacity_cpu_mcore_s": cpus * 1000 * _HOUR_S,
            "capacity_memory_byte_s": (gib << 30) * _HOUR_S,
            "capacity_gpu_s": gpus * _HOUR_S,
        }
        self.add(hour, node, kind="idle", **{"energy_uj": uj, "floor_uj": uj, **capacity, **values})

    def pod(
        self,
        hour: int,
        node: str,
        name: str,
        uj: int,
        *,
        cpu: tuple[float, float] = (1, 0),
        gib: tuple[float, float] = (1, 0),
        gpu: tuple[float, float] = (0, 0),
        **values: Value,
    ) -> None:
        """A pod of one container for a whole hour, with label ``app`` = its name.

        ``cpu``, ``gib``, ``gpu`` are (reserved, used).
        """
        defaults: dict[str, Value] = {
            "energy_uj": uj,
            "namespace": "default",
            "pod_uid": f"uid-{name}",
            "pod": name,
            "container": "main",
            "container_id": f"id-{name}",
            "labels": {"app": name},
            "alive_s": _HOUR_S,
            "cpu_request_mcore_s": round(cpu[0] * 1000 * _HOUR_S),
            "cpu_ns": round(cpu[1] * _HOUR_S * 1e9),
            "memory_request_byte_s": round(gib[0] * (1 << 30) * _HOUR_S),
            "memory_byte_s": round(gib[1] * (1 << 30) * _HOUR_S),
            "gpu_request_s": round(gpu[0] * _HOUR_S),
            "gpu_sm_ns": round(gpu[1] * _HOUR_S * 1e9),
        }
        self.add(hour, node, kind="workload", **{**defaults, **values})

    def write(self, folder: Path, name: str = "s1") -> Path:
        """Write the entries below a folder, one file per day; returns the folder."""
        by_day: dict[str, list[dict[str, Value]]] = {}
        for row in self.rows:
            hour = row["hour"]
            if not isinstance(hour, datetime):
                raise TypeError("an hour is an instant")
            by_day.setdefault(day_folder(int(hour.timestamp())), []).append(row)
        for day, rows in by_day.items():
            (folder / day).mkdir(parents=True, exist_ok=True)
            parquet.write_table(self._table(rows), folder / day / f"{name}.parquet")
        return folder

    @staticmethod
    def _table(rows: Sequence[Mapping[str, Value]]) -> pa.Table:
        columns = {}
        for field in SCHEMA:
            values = [
                list(value.items()) if isinstance(value, Mapping) else value
                for value in (row[field.name] for row in rows)
            ]
            columns[field.name] = pa.array(values, field.type)
        return pa.table(columns, schema=SCHEMA)
