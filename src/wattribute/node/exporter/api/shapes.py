"""The shapes of /api/v1/snapshot: what its JSON has.

``SCHEMA`` is the version of the shapes: keys are added, never renamed or taken away.
docs/reference/snapshot.md is made from the docstrings here.
"""

from typing import Final

import msgspec

SCHEMA: Final = 1


class NodeDocument(msgspec.Struct, frozen=True):
    """The machine that the snapshot is about."""

    name: str
    cpu: str
    """CPU's name as the kernel shows it; "" when not known."""
    virtual: bool
    cpus: int
    """Online CPUs (hardware threads); 0 when not known."""
    memory_bytes: int


class Component(msgspec.Struct, frozen=True):
    """One part of the node's energy from one origin; components do not overlap."""

    component: str
    """cpu, dram, gpu or other."""
    origin: str
    """measured, integrated or estimated."""
    sources: list[str]
    watts: float
    """In the last tick."""
    low_watts: float
    high_watts: float
    """The band of an estimate; equal to watts for what is measured."""
    floor_watts: float
    dynamic_joules: float
    idle_joules: float
    """Cumulative, as are all joules here."""
    unpaid_idle_joules: float
    """The part of idle_joules that no container pays."""
    unattributed_joules: float
    """The part of dynamic_joules that was spent while nobody ran."""


class ZoneRow(msgspec.Struct, frozen=True):
    """One power zone. Zones overlap: core is in package, platform holds all."""

    zone: str
    kind: str
    component: str | None
    """None: it overlaps a component."""
    source: str
    origin: str
    up: bool
    """False: its meter has failed three ticks or more."""
    watts: float
    low_watts: float | None
    high_watts: float | None
    floor_watts: float | None
    """Idle power as it is used now."""
    floor_basis: str | None
    """given, learned, prior, model or none."""
    dynamic_joules: float
    idle_joules: float
    shared_by: str | None = None
    """By what its energy above the floor is shared: time, cycles, misses or learned-1."""
    shared_why: str | None = None
    """Why, in a few words."""


class GpuRow(msgspec.Struct, frozen=True):
    """A GPU. Its energy is in its zone's row."""

    gpu_uuid: str
    zone: str
    """As in zones."""
    index: int
    name: str
    vendor: str
    energy: str
    """How its energy is known: counter, average (power over a second) or power (now)."""
    activity: str
    """By what it is shared: sm (time on its processors), gpm or dcgm (of MIG instances), memory
    (held), none."""
    busy: float | None
    """Part of the last tick in which it was busy; None: not told."""
    memory_used_bytes: int
    memory_bytes: int
    instances: int
    """MIG instances; 0: MIG mode is off."""
    failures: int
    message: str
    """What was wrong last."""


class ContainerRow(msgspec.Struct, frozen=True):
    """A container, or one of the special rows."""

    uid: int
    """Of this row, while the agent runs; processes refer to it."""
    kind: str
    """container, ended, system or kernel."""
    container_id: str
    pod_uid: str
    pod_name: str
    container_name: str
    namespace: str
    runtime: str
    owner_kind: str
    owner_name: str
    watts: float
    """In the last tick, both modes, all components."""
    cpus: float
    """CPUs used in the last tick."""
    cpu_seconds: float
    dynamic_joules: float
    idle_joules: float
    joules: dict[str, float]
    """By component, both modes."""
    alive: bool
    held: bool
    """Still published to Prometheus as 0."""
    gpu_watts: float = 0.0
    """Dynamic power on GPUs in the last tick; it is in watts too."""
    gpu_seconds: float = 0.0
    """Time on GPUs' processors."""
    watts_per_core: float | None = None
    """Dynamic power of the CPU component for each core used in the last tick; None: it used none,
    or all cores count the same."""
    watts_per_core_low: float | None = None
    watts_per_core_high: float | None = None
    """Ends of the 90 % band of watts_per_core, as far as the weight is uncertain."""
    watts_per_core_ratio: float | None = None
    """The same against the mean of the node: 1 is the mean."""
    learning: bool = False
    """Little was learned of the container so far: its watts per core are mostly the mean."""


class ProcessRow(msgspec.Struct, frozen=True):
    """A process in the snapshot."""

    pid: int
    """0: time of its container whose process is not known."""
    comm: str
    container: int
    """uid of its container row."""
    vm: str
    watts: float
    cpus: float
    cpu_seconds: float
    joules: float
    """Dynamic energy; processes pay no floor."""
    alive: bool
    gpu_watts: float = 0.0
    """The part of watts that is on GPUs."""
    gpu_joules: float = 0.0
    """The part of joules that is on GPUs."""


class WorkloadWeight(msgspec.Struct, frozen=True):
    """What a CPU second of a workload costs; replicas and restarts are one workload."""

    zone: str
    """As in zones."""
    owner_kind: str
    owner_name: str
    namespace: str
    container_name: str
    image: str
    """First digits of the image's digest; "" when not known."""
    ratio: float
    """Watts per core against the node's mean."""
    ratio_low: float
    ratio_high: float
    """Ends of the 90 % band."""
    learning: bool
    """Little was learned of it so far."""


class Vm(msgspec.Struct, frozen=True):
    """A virtual machine on this host; its energy is in container rows too."""

    id: str
    dynamic_joules: float
    idle_joules: float
    alive: bool


class MeterRow(msgspec.Struct, frozen=True):
    """A meter in the snapshot, and whether it works."""

    name: str
    up: bool
    failures: int
    message: str
    """What was wrong last."""


class HealthDocument(msgspec.Struct, frozen=True):
    """The agent itself."""

    meters: list[MeterRow]
    activity: str
    """cycles, tasks, cgroup or procfs."""
    activity_failures: int
    dropped_records: int
    dropped_intervals: dict[str, int]
    ticks: int
    skew_s: float
    tick_cpu_s: float
    tick_s: float
    misfit: float
    coverage: float
    bpf_run_s: float | None
    state_failures: int


class Document(msgspec.Struct, frozen=True):
    """The whole answer."""

    schema: int
    """1. Another number: another shape."""
    version: str
    """Of the agent."""
    sequence: int
    time_s: float
    """Unix time of the tick."""
    age_s: float
    """Time since the tick when this was answered first."""
    stale: bool
    """Older than three intervals (at least 30 s): nothing here is news."""
    elapsed_s: float
    """Length of the last interval."""
    interval_s: float
    policy: str
    """How the floor is shared."""
    node: NodeDocument
    components: list[Component]
    zones: list[ZoneRow]
    containers: list[ContainerRow]
    """By watts, greatest first."""
    processes: list[ProcessRow] | None
    """By watts, greatest first; with ``?processes=N`` the first N. None: not shown to clients that
    are not on this machine and have not shown who they are."""
    process_count: int
    vms: list[Vm]
    health: HealthDocument
    weights: list[WorkloadWeight] = []
    """Learned watts per core, by zone and workload; empty where nothing is learned."""
    gpus: list[GpuRow] = []
    """GPUs that answered in the last tick."""
