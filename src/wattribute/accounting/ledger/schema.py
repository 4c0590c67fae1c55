"""What a ledger entry is: its columns, their types and units.

A ledger is a folder (or a prefix in an object store) of Parquet files, ``dt=YYYY-MM-DD/*.parquet``
by the UTC day of ``hour``. An entry is one consumer's energy of one component in one hour; it
never changes. What turns out wrong is put right by a correction: an entry that holds the
difference (signed) and says in ``corrects`` which seal it corrects. So the sum over all entries
is always true, and no reader needs to know about corrections.

Every amount adds up over any set of rows. What belongs to a consumer and not to a component
(CPU time, memory, reservations, capacity) therefore stands on one of its rows only, that of the
component ``cpu``, and is 0 on the others. ``covered_s`` alone is no amount.

Nothing is null: an unknown text is "", an amount that is not there 0.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Literal, get_args

import pyarrow as pa

Kind = Literal["workload", "idle", "system", "kernel", "unattributed"]
KINDS: Final[tuple[str, ...]] = get_args(Kind)
COMPONENTS: Final = ("cpu", "dram", "gpu", "other")
UNKNOWN_ORIGIN: Final = "unknown"
ORIGINS: Final = ("measured", "integrated", "estimated", UNKNOWN_ORIGIN)
"""How energy is known, the best word first."""

HOUR: Final = pa.timestamp("us", tz="UTC")
LABELS: Final = pa.map_(pa.string(), pa.string())


@dataclass(frozen=True, slots=True)
class LedgerColumn:
    """One column of the ledger."""

    name: str
    type: pa.DataType
    unit: str
    """"" for texts and instants."""
    meaning: str


COLUMNS: Final[tuple[LedgerColumn, ...]] = (
    LedgerColumn("hour", HOUR, "", "Start of the hour, UTC; the entry is for [hour, hour + 1 h)."),
    LedgerColumn("cluster", pa.string(), "", "Name of the cluster."),
    LedgerColumn("node", pa.string(), "", "Name of the node."),
    LedgerColumn(
        "provider_id",
        pa.string(),
        "",
        "The node in its cloud's words, ``aws:///eu-west-1a/i-0123``; joins a bill's ResourceId.",
    ),
    LedgerColumn("instance_type", pa.string(), "", "The cloud's name for this kind of machine."),
    LedgerColumn("region", pa.string(), "", "The cloud's region, for prices and carbon."),
    LedgerColumn(
        "kind",
        pa.string(),
        "",
        "``workload`` (a container), ``idle`` (the node's floor), ``system`` (processes in no "
        "container), ``kernel`` (its threads), ``unattributed`` (above the floor, nobody ran).",
    ),
    LedgerColumn("component", pa.string(), "", "``cpu``, ``dram``, ``gpu`` or ``other``."),
    LedgerColumn("namespace", pa.string(), "", "Kubernetes namespace; ``system``, ``kernel``."),
    LedgerColumn("pod_uid", pa.string(), "", "UID of the pod; of two pods of one name, which."),
    LedgerColumn("pod", pa.string(), "", "Name of the pod."),
    LedgerColumn(
        "container",
        pa.string(),
        "",
        "Name of the container; ``POD`` is the pause container, ``ended`` removed cgroups.",
    ),
    LedgerColumn("container_id", pa.string(), "", "The runtime's id."),
    LedgerColumn("owner_kind", pa.string(), "", "``Deployment``, ``StatefulSet``, ``Job``, ..."),
    LedgerColumn("owner_name", pa.string(), "", "Name of the owner."),
    LedgerColumn(
        "labels",
        LABELS,
        "",
        "Labels of the pod as they were then, under Prometheus' names (``app_kubernetes_io_name``)."
        " Those that ``exporter.pod_labels`` allows.",
    ),
    LedgerColumn(
        "annotations",
        LABELS,
        "",
        "The same for annotations, where ``ledger.annotations`` is on.",
    ),
    LedgerColumn(
        "energy_uj",
        pa.int64(),
        "microjoules",
        "Dynamic energy. On the idle row the WHOLE floor of the node, whoever pays it.",
    ),
    LedgerColumn(
        "floor_uj", pa.int64(), "microjoules", "The floor: energy_uj on idle rows, else 0."
    ),
    LedgerColumn("low_uj", pa.int64(), "microjoules", "Lower end of the band around energy_uj."),
    LedgerColumn(
        "high_uj",
        pa.int64(),
        "microjoules",
        "Upper end; the band holds the truth in 90 of 100 cases. It is of the estimate, of the "
        "learned weights, or of both. Without either low = high = energy.",
    ),
    LedgerColumn(
        "time_uj",
        pa.int64(),
        "microjoules",
        "Dynamic energy if CPU time were the weight. Sums by component are those of energy_uj.",
    ),
    LedgerColumn(
        "learned_uj",
        pa.int64(),
        "microjoules",
        "Dynamic energy by learned weights; as energy_uj where nothing is learned.",
    ),
    LedgerColumn("cpu_ns", pa.int64(), "nanoseconds", "CPU time."),
    LedgerColumn("memory_byte_s", pa.int64(), "byte seconds", "Memory x time."),
    LedgerColumn(
        "gpu_sm_ns", pa.int64(), "nanoseconds", "Time on GPUs' processors, whole devices."
    ),
    LedgerColumn(
        "alive_s", pa.int64(), "seconds", "Time in the hour for which the container was there."
    ),
    LedgerColumn("cpu_request_mcore_s", pa.int64(), "millicore seconds", "CPU reserved x time."),
    LedgerColumn("memory_request_byte_s", pa.int64(), "byte seconds", "Memory reserved x time."),
    LedgerColumn("gpu_request_s", pa.int64(), "device seconds", "GPUs reserved x time."),
    LedgerColumn(
        "capacity_cpu_mcore_s", pa.int64(), "millicore seconds", "The node's CPUs; idle row."
    ),
    LedgerColumn(
        "capacity_memory_byte_s", pa.int64(), "byte seconds", "The node's memory; idle row."
    ),
    LedgerColumn("capacity_gpu_s", pa.int64(), "device seconds", "The node's GPUs; idle row."),
    LedgerColumn(
        "origin",
        pa.string(),
        "",
        "``measured``, ``integrated`` or ``estimated``; ``unknown`` where the scrapes of an agent "
        "of 0.1 do not say it.",
    ),
    LedgerColumn(
        "shared_by",
        pa.string(),
        "",
        "By what the energy was shared among consumers for most of the hour: ``time`` (CPU time), "
        "``cycles``, ``misses`` or ``learned-1`` (learned watts per core); '' for GPUs, for the "
        "rows of no consumer, and where the agent does not say it.",
    ),
    LedgerColumn(
        "covered_s",
        pa.int64(),
        "seconds",
        "How much of the hour (0 to 3600) the node's counters are known for; the same on every row "
        "of a node and hour. No amount: never add it up. On a correction: the change of it.",
    ),
    LedgerColumn("model", pa.string(), "", "Model and version that estimated; '' where none did."),
    LedgerColumn("seal_id", pa.string(), "", "The seal that wrote this entry."),
    LedgerColumn(
        "corrects", pa.string(), "", "The seal that this entry corrects; '' for a first entry."
    ),
)

AMOUNTS: Final[tuple[str, ...]] = tuple(
    column.name for column in COLUMNS if column.type == pa.int64() and column.name != "covered_s"
)
"""Columns that add up over any set of rows."""

LATER: Final[Mapping[str, str]] = {
    "time_uj": "energy_uj",
    "learned_uj": "energy_uj",
    "shared_by": "",
}
"""Columns that files of older versions lack, and the column that stands for each there; "" is the
empty text."""

KEY: Final[tuple[str, ...]] = (
    *("hour", "cluster", "node", "kind", "component", "origin"),
    *("namespace", "pod_uid", "pod", "container", "container_id"),
)
"""What an entry is about: entries of one key are one first entry and its corrections."""

SCHEMA: Final = pa.schema(
    [
        pa.field(
            column.name,
            column.type,
            nullable=False,
            metadata={"unit": column.unit, "meaning": column.meaning},
        )
        for column in COLUMNS
    ],
    metadata={"wattribute.ledger": "1"},
)
"""The Arrow schema of every file. The day is in the folder's name only."""


def day_folder(hour_s: int) -> str:
    """Return the folder of an hour, ``dt=2026-10-01``; ``hour_s`` is its start in Unix seconds."""
    return f"dt={datetime.fromtimestamp(hour_s, UTC):%Y-%m-%d}"
