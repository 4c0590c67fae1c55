"""The records that flow through the agent: Reading -> Interval -> Attribution -> Snapshot.

All records are frozen and do no I/O; energies are whole microjoules. Tables are columnar: one numpy
array per column, with one element per process, cgroup or container. So a tick handles 10,000
processes in a few milliseconds. Arrays in records are read-only by convention, and in Attribution
and Snapshot by flag.
"""

from wattribute.core.records.attribution import Attribution
from wattribute.core.records.hour import (
    HOUR_SCHEMA,
    REWEIGHED,
    ConsumerHour,
    EstimateBand,
    HourChannel,
    ModeEnergy,
    NodeHour,
    shared_longest,
)
from wattribute.core.records.machine import EstimatorInfo, Load, Machine, Power, Topology
from wattribute.core.records.pooled_weights import (
    BAND_DEVIATIONS,
    LOG_SPREAD,
    MAX_WEIGHTS_BYTES,
    PooledWeights,
    PooledWorkload,
    ZoneKind,
    decode_weights,
    encode_weights,
)
from wattribute.core.records.reading import (
    Counter,
    Gauge,
    Interval,
    Origin,
    Reading,
    Zone,
)
from wattribute.core.records.snapshot import (
    Channel,
    Consumer,
    ContainerTable,
    FloorState,
    Health,
    MeterHealth,
    Mode,
    NodeTotals,
    PlatformFit,
    ProcessTable,
    Snapshot,
    VmTable,
    ZoneTotal,
)
from wattribute.core.records.usage import Cgroups, GpuState, GpuUsage, Processes, Usage
from wattribute.core.records.weights import LearnedWeights, WorkloadKey, ZoneWeight
from wattribute.core.records.workload import (
    DeviceAllocation,
    IdentityHealth,
    NodeFacts,
    Placement,
    Workload,
)

__all__ = [
    "BAND_DEVIATIONS",
    "HOUR_SCHEMA",
    "LOG_SPREAD",
    "MAX_WEIGHTS_BYTES",
    "REWEIGHED",
    "Attribution",
    "Cgroups",
    "Channel",
    "Consumer",
    "ConsumerHour",
    "ContainerTable",
    "Counter",
    "DeviceAllocation",
    "EstimateBand",
    "EstimatorInfo",
    "FloorState",
    "Gauge",
    "GpuState",
    "GpuUsage",
    "Health",
    "HourChannel",
    "IdentityHealth",
    "Interval",
    "LearnedWeights",
    "Load",
    "Machine",
    "MeterHealth",
    "Mode",
    "ModeEnergy",
    "NodeFacts",
    "NodeHour",
    "NodeTotals",
    "Origin",
    "Placement",
    "PlatformFit",
    "PooledWeights",
    "PooledWorkload",
    "Power",
    "ProcessTable",
    "Processes",
    "Reading",
    "Snapshot",
    "Topology",
    "Usage",
    "VmTable",
    "Workload",
    "WorkloadKey",
    "Zone",
    "ZoneKind",
    "ZoneTotal",
    "ZoneWeight",
    "decode_weights",
    "encode_weights",
    "shared_longest",
]
