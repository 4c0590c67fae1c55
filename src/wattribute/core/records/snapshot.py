"""What the monitor publishes after every tick, and all that readers ever see."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from wattribute.core.records.machine import EstimatorInfo, Machine
from wattribute.core.records.reading import COMPONENT_OF_KIND, Origin, Zone
from wattribute.core.records.usage import GpuState
from wattribute.core.records.workload import IdentityHealth, NodeFacts
from wattribute.core.units import Microjoules, Microwatts, Nanoseconds


class Mode(IntEnum):
    """Index of the last axis of energy tables."""

    DYNAMIC = 0
    IDLE = 1


@dataclass(frozen=True, slots=True)
class Channel:
    """One column of the energy tables: zones of one kind, from one source, of one origin.

    After a fallback the old channel stays flat and a new one starts at 0.
    """

    kind: str
    """As Zone.kind."""
    source: str
    origin: Origin

    @property
    def component(self) -> str | None:
        """cpu, dram, gpu or other; None for a channel that overlaps one of those."""
        return COMPONENT_OF_KIND.get(self.kind)


@dataclass(frozen=True, slots=True)
class Consumer:
    """Identity of one container row.

    Immutable: a row whose name becomes known late ends, and a new one starts at 0.
    """

    uid: int
    """Never reused while the agent runs: what label blocks are cached by."""
    kind: str
    """``container``, ``ended`` (time of removed cgroups of a pod), ``system``, ``kernel``."""
    container_id: str = ""
    pod_uid: str = ""
    pod_name: str = ""
    container_name: str = ""
    namespace: str = ""
    runtime: str = ""
    owner_kind: str = ""
    owner_name: str = ""
    labels: Mapping[str, str] = field(default_factory=dict, hash=False)
    requests: Mapping[str, int] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True, eq=False)
class ContainerTable:
    """Containers and the special rows; n rows."""

    consumers: tuple[Consumer, ...]
    energy_uj: NDArray[np.int64]
    """(n, channels, 2) cumulative, by Mode."""
    power_uw: NDArray[np.int64]
    """(n,) mean power of the last tick over the components, both modes."""
    cpu_ns: NDArray[np.int64]
    """(n,) cumulative CPU time."""
    memory_byte_ns: NDArray[np.float64]
    """(n,) cumulative memory x time; 0 where memory is not known."""
    cpu_ratio: NDArray[np.float64]
    """(n,) CPUs used in the last tick (1.0 = one CPU)."""
    held: NDArray[np.bool_]
    """Published to Prometheus as 0 until birth_hold is over (its first value would be lost to
    rate() and increase()); pages and the API show it at once."""
    alive: NDArray[np.bool_]
    """False: ended, and lingering so that every scraper sees its last joule."""
    dynamic_uw: NDArray[np.int64] | None = None
    """(n, channels) mean dynamic power of the last tick; None: not kept."""
    gpu_ns: NDArray[np.int64] | None = None
    """(n,) cumulative time on GPUs' processors; None: no GPU is measured."""


@dataclass(frozen=True, slots=True, eq=False)
class ProcessTable:
    """Processes that used CPU since the agent started; n rows."""

    key: NDArray[np.uint64]
    pid: NDArray[np.int64]
    """0: a row of its container for time whose process is not known."""
    comm: NDArray[np.bytes_]
    consumer: NDArray[np.int64]
    """Row in ContainerTable."""
    vm: NDArray[np.int64]
    """Row in VmTable; -1: not a VM."""
    energy_uj: NDArray[np.int64]
    """(n, channels) cumulative dynamic energy."""
    power_uw: NDArray[np.int64]
    cpu_ns: NDArray[np.int64]
    cpu_ratio: NDArray[np.float64]
    alive: NDArray[np.bool_]
    held: NDArray[np.bool_]
    dynamic_uw: NDArray[np.int64] | None = None
    """(n, channels) mean dynamic power of the last tick; None: not kept."""


@dataclass(frozen=True, slots=True, eq=False)
class VmTable:
    """Virtual machines on this host: a second view of energy that the container rows hold too."""

    ids: tuple[str, ...]
    energy_uj: NDArray[np.int64]
    """(n, channels, 2)"""
    alive: NDArray[np.bool_]
    held: NDArray[np.bool_]
    dynamic_uw: NDArray[np.int64] | None = None
    """(n, channels) mean dynamic power of the last tick; None: not kept."""


@dataclass(frozen=True, slots=True)
class ZoneTotal:
    """One zone of the node."""

    zone: Zone
    origin: Origin
    dynamic_uj: Microjoules
    idle_uj: Microjoules
    """Cumulative; together the zone's energy since the totals began."""
    power_uw: Microwatts
    """Of the last tick."""
    low_uw: Microwatts | None
    high_uw: Microwatts | None
    """The band of an estimate in the last tick."""
    up: bool
    """False after three failed ticks: its series end."""


@dataclass(frozen=True, slots=True, eq=False)
class NodeTotals:
    """The node, by channel.

    For each: containers' dynamic + unattributed = energy[DYNAMIC], and
    containers' idle + idle = energy[IDLE].
    """

    energy_uj: NDArray[np.int64]
    """(channels, 2)"""
    idle_uj: NDArray[np.int64]
    """(channels,) floor that nobody pays."""
    unattributed_uj: NDArray[np.int64]
    """(channels,) above the floor while nobody ran."""
    zones: tuple[ZoneTotal, ...]


@dataclass(frozen=True, slots=True)
class FloorState:
    """A zone's idle power as it is used now."""

    zone: Zone
    power_uw: Microwatts
    basis: str
    """``given``, ``learned``, ``prior``, ``model`` or ``none``."""


@dataclass(frozen=True, slots=True)
class PlatformFit:
    """The line platform = intercept + slope x (packages + DRAM + GPUs), through recent windows."""

    source: str
    """The platform meter's, as Zone.source."""
    slope: float
    intercept_uw: Microwatts
    residual_uw: Microwatts
    """What windows are off the line, as a robust standard deviation."""
    windows: int
    """How many windows of the platform meter it goes through."""


@dataclass(frozen=True, slots=True)
class MeterHealth:
    """One meter."""

    name: str
    up: bool
    failures: int
    message: str
    """What was wrong last; "" when all is well."""


@dataclass(frozen=True, slots=True)
class Health:
    """How the agent itself is doing."""

    meters: tuple[MeterHealth, ...]
    activity: str
    """Source in use: cycles, tasks, cgroup or procfs."""
    activity_failures: int
    dropped_records: int
    dropped_intervals: Mapping[str, int]
    """By reason: ``reset``, ``impossible``, ``suspend``, ``late``, ``unreadable``."""
    ticks: int
    skew_ns: Nanoseconds
    """Between the first meter and the last activity read of the last tick."""
    tick_cpu_ns: Nanoseconds
    """CPU time of the last tick, all work included."""
    tick_wall_ns: Nanoseconds
    misfit: float
    """Part of CPU time that the fit to packages could not place as the packages' busy times say,
    0 to 1."""
    coverage: float
    """(time of rows) / (busy time of the node) in the last tick."""
    bpf_run_ns: int | None
    """Kernel time of our BPF programs since load; None: none loaded, or kernel.bpf_stats_enabled
    is 0."""
    state_failures: int
    identity: tuple[IdentityHealth, ...] = ()
    """Sources of pod names."""


@dataclass(frozen=True, slots=True, eq=False)
class Snapshot:
    """The whole truth after one tick."""

    sequence: int
    """Number of this snapshot since the agent started: 1, 2, ..."""
    at_ns: Nanoseconds
    """Monotonic instant of the tick."""
    wall_ns: Nanoseconds
    elapsed_ns: Nanoseconds
    """Length of the last interval."""
    interval_ns: Nanoseconds
    """The interval that the monitor runs at."""
    machine: Machine
    channels: tuple[Channel, ...]
    containers: ContainerTable
    processes: ProcessTable
    vms: VmTable
    node: NodeTotals
    birth_held_uj: NDArray[np.int64]
    """(channels, 2) energy of rows that are held."""
    floors: tuple[FloorState, ...]
    policy: str
    capacity: Mapping[str, int]
    """``cpu_mcore``, ``memory_bytes``."""
    health: Health
    retired_uj: Mapping[str, NDArray[np.int64]] = field(default_factory=dict)
    """By pod uid, (channels, 2): energy of the pod's rows whose linger is over, kept for as long
    as other rows of the pod remain, so that what is summed by pod never falls."""
    node_facts: NodeFacts = field(default_factory=NodeFacts)
    """What the cluster knows of this node."""
    estimator: EstimatorInfo | None = None
    """What the estimates rest on; None: nothing is estimated."""
    gpus: tuple[GpuState, ...] = ()
    """GPUs that answered in the last tick."""
    platform_fit: PlatformFit | None = None
    """How the platform's power follows its components'; None: not known."""
