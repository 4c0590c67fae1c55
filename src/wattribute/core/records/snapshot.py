"""The record that the monitor publishes after every tick. Readers see nothing else."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from wattribute.core.records.machine import EstimatorInfo, Machine
from wattribute.core.records.reading import COMPONENT_OF_KIND, Origin, Zone
from wattribute.core.records.usage import GpuState
from wattribute.core.records.weights import ZoneWeight
from wattribute.core.records.workload import IdentityHealth, NodeFacts
from wattribute.core.units import Microjoules, Microwatts, Nanoseconds


class Mode(IntEnum):
    """The index of the last axis of energy tables."""

    DYNAMIC = 0
    IDLE = 1


@dataclass(frozen=True, slots=True)
class Channel:
    """A column of the energy tables: the zones of one kind, one source and one origin.

    After a fallback the old channel no longer grows, and a new one starts at 0.
    """

    kind: str
    """The kind, as in Zone."""
    source: str
    origin: Origin

    @property
    def component(self) -> str | None:
        """The component: cpu, dram, gpu or other; None for a channel that overlaps one of those."""
        return COMPONENT_OF_KIND.get(self.kind)


@dataclass(frozen=True, slots=True)
class Consumer:
    """The identity of a container row.

    It never changes. If a name becomes known late, the row ends and a new one starts at 0.
    """

    uid: int
    """A number that is never reused while the agent runs, so that labels can be cached by it."""
    kind: str
    """``container``, ``ended`` (time of removed cgroups of a pod), ``system`` or ``kernel``."""
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
    image: str = ""
    """As in Workload."""


@dataclass(frozen=True, slots=True, eq=False)
class ContainerTable:
    """The containers and the special rows: n rows."""

    consumers: tuple[Consumer, ...]
    energy_uj: NDArray[np.int64]
    """(n, channels, 2) Cumulative energy, by Mode."""
    power_uw: NDArray[np.int64]
    """(n,) Mean power of all components in the last tick, in both modes."""
    cpu_ns: NDArray[np.int64]
    """(n,) Cumulative CPU time."""
    memory_byte_ns: NDArray[np.float64]
    """(n,) Cumulative memory x time; 0 if memory is not known."""
    cpu_ratio: NDArray[np.float64]
    """(n,) CPUs used in the last tick; 1.0 is one CPU."""
    held: NDArray[np.bool_]
    """Whether Prometheus gets 0 for the row until its birth_hold is over, because rate() and
    increase() lose the first value of a series. Pages and the API show its energy at once."""
    alive: NDArray[np.bool_]
    """Whether the container still runs. An ended one stays for a while, so that every scraper sees
    its last joule."""
    dynamic_uw: NDArray[np.int64] | None = None
    """(n, channels) Mean dynamic power of the last tick; None if it is not kept."""
    gpu_ns: NDArray[np.int64] | None = None
    """(n,) Cumulative time on GPUs' processors; None if no GPU is measured."""
    low_uj: NDArray[np.int64] | None = None
    """(n, channels) Cumulative lower end of the 90 % band around the dynamic energy, as far as the
    weights are uncertain; None: by no learned weights, so there is no such band."""
    high_uj: NDArray[np.int64] | None = None
    time_uj: NDArray[np.int64] | None = None
    """(n, channels) The dynamic energy if CPU time were the weight; None: it is the weight."""
    learned_uj: NDArray[np.int64] | None = None
    """(n, channels) The dynamic energy if learned weights were used; None: nothing is learned, or
    they are used."""
    watts_per_core: NDArray[np.float64] | None = None
    """(n, 3) Watts per core in the package against the node's mean, and the ends of its 90 % band;
    NaN where nothing is known. None: nothing is learned."""
    learning: NDArray[np.bool_] | None = None
    """(n,) Whether little was learned of the row so far."""


@dataclass(frozen=True, slots=True, eq=False)
class ProcessTable:
    """The processes that used CPU since the agent started: n rows."""

    key: NDArray[np.uint64]
    pid: NDArray[np.int64]
    """The PID; 0 for a row of a container's time whose process is not known."""
    comm: NDArray[np.bytes_]
    consumer: NDArray[np.int64]
    """The row in ContainerTable."""
    vm: NDArray[np.int64]
    """The row in VmTable; -1 if the process is not a VM."""
    energy_uj: NDArray[np.int64]
    """(n, channels) Cumulative dynamic energy."""
    power_uw: NDArray[np.int64]
    cpu_ns: NDArray[np.int64]
    cpu_ratio: NDArray[np.float64]
    alive: NDArray[np.bool_]
    held: NDArray[np.bool_]
    dynamic_uw: NDArray[np.int64] | None = None
    """(n, channels) Mean dynamic power of the last tick; None if it is not kept."""


@dataclass(frozen=True, slots=True, eq=False)
class VmTable:
    """The virtual machines on this host. Their energy is also in the container rows."""

    ids: tuple[str, ...]
    energy_uj: NDArray[np.int64]
    """(n, channels, 2) Cumulative energy, by Mode."""
    alive: NDArray[np.bool_]
    held: NDArray[np.bool_]
    dynamic_uw: NDArray[np.int64] | None = None
    """(n, channels) Mean dynamic power of the last tick; None if it is not kept."""


@dataclass(frozen=True, slots=True)
class ZoneTotal:
    """The energy and the power of a zone of the node."""

    zone: Zone
    origin: Origin
    dynamic_uj: Microjoules
    idle_uj: Microjoules
    """Cumulative, as ``dynamic_uj``; their sum is the zone's energy since the totals began."""
    power_uw: Microwatts
    """The mean power in the last tick."""
    low_uw: Microwatts | None
    high_uw: Microwatts | None
    """The upper end of an estimate's band in the last tick; None for a zone that is measured."""
    up: bool
    """Whether its series are exported. They end after three failed ticks."""


@dataclass(frozen=True, slots=True, eq=False)
class NodeTotals:
    """The energy of the node, by channel.

    For each channel, containers' dynamic + unattributed = energy[DYNAMIC], and containers' idle +
    idle = energy[IDLE].
    """

    energy_uj: NDArray[np.int64]
    """(channels, 2) Cumulative energy, by Mode."""
    idle_uj: NDArray[np.int64]
    """(channels,) The part of the floor that nobody pays."""
    unattributed_uj: NDArray[np.int64]
    """(channels,) The energy above the floor while nobody ran."""
    zones: tuple[ZoneTotal, ...]


@dataclass(frozen=True, slots=True)
class FloorState:
    """The idle power of a zone that is in use now."""

    zone: Zone
    power_uw: Microwatts
    basis: str
    """``given``, ``learned``, ``prior``, ``model`` or ``none``."""


@dataclass(frozen=True, slots=True)
class PlatformFit:
    """The line platform = intercept + slope x (packages + DRAM + GPUs), through recent windows."""

    source: str
    """The source of the platform meter, as in Zone."""
    slope: float
    intercept_uw: Microwatts
    residual_uw: Microwatts
    """The distance of the windows from the line, as a robust standard deviation."""
    windows: int
    """The number of the platform meter's windows that the line is fitted to."""


@dataclass(frozen=True, slots=True)
class MeterHealth:
    """The state of a meter."""

    name: str
    up: bool
    failures: int
    message: str
    """The last problem; "" if there is none."""


@dataclass(frozen=True, slots=True)
class Health:
    """The state of the agent itself."""

    meters: tuple[MeterHealth, ...]
    activity: str
    """The source of activity in use: cycles, tasks, cgroup or procfs."""
    activity_failures: int
    dropped_records: int
    dropped_intervals: Mapping[str, int]
    """Their number by reason: ``reset``, ``impossible``, ``suspend``, ``late``, ``unreadable``."""
    ticks: int
    skew_ns: Nanoseconds
    """The time between the first meter read and the last activity read of the last tick."""
    tick_cpu_ns: Nanoseconds
    """The CPU time of the last tick, all work included."""
    tick_wall_ns: Nanoseconds
    misfit: float
    """The part of CPU time that the fit could not assign to packages in agreement with their busy
    times, 0 to 1."""
    coverage: float
    """(time of rows) / (busy time of the node) in the last tick."""
    bpf_run_ns: int | None
    """The kernel time of our BPF programs since they were loaded; None if none is loaded, or
    kernel.bpf_stats_enabled is 0."""
    state_failures: int
    identity: tuple[IdentityHealth, ...] = ()
    """The states of the sources of pod names."""


@dataclass(frozen=True, slots=True, eq=False)
class Snapshot:
    """Everything that is known after a tick."""

    sequence: int
    """The number of this snapshot since the agent started: 1, 2, ..."""
    at_ns: Nanoseconds
    """The monotonic time of the tick."""
    wall_ns: Nanoseconds
    elapsed_ns: Nanoseconds
    """The length of the last interval."""
    interval_ns: Nanoseconds
    """The interval that is set for the monitor."""
    machine: Machine
    channels: tuple[Channel, ...]
    containers: ContainerTable
    processes: ProcessTable
    vms: VmTable
    node: NodeTotals
    birth_held_uj: NDArray[np.int64]
    """(channels, 2) The energy of the rows whose ``held`` is True."""
    floors: tuple[FloorState, ...]
    policy: str
    capacity: Mapping[str, int]
    """``cpu_mcore``, ``memory_bytes``."""
    health: Health
    retired_uj: Mapping[str, NDArray[np.int64]] = field(default_factory=dict)
    """By pod UID, (channels, 2): the energy of the pod's rows that are no longer in the table, kept
    as long as other rows of the pod remain, so that sums by pod never fall."""
    node_facts: NodeFacts = field(default_factory=NodeFacts)
    """The facts that the cluster gives about this node."""
    estimator: EstimatorInfo | None = None
    """The basis of the estimates; None if nothing is estimated."""
    gpus: tuple[GpuState, ...] = ()
    """The GPUs that answered in the last tick."""
    platform_fit: PlatformFit | None = None
    """The fit of the platform's power to that of its components; None if not known."""
    weights: tuple[ZoneWeight, ...] = ()
    """By what each zone with shared energy is shared."""
