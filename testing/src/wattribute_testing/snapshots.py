"""Made snapshots that add up, for tests of whatever reads snapshots.

Deterministic: the same arguments give the same numbers on every machine.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from wattribute.core.records import (
    REWEIGHED,
    Channel,
    Consumer,
    ContainerTable,
    EstimatorInfo,
    FloorState,
    GpuState,
    Health,
    Machine,
    MeterHealth,
    NodeTotals,
    Origin,
    ProcessTable,
    Snapshot,
    VmTable,
    Zone,
    ZoneTotal,
    ZoneWeight,
)
from wattribute.core.units import (
    NANOSECONDS_PER_SECOND,
    Microjoules,
    Microwatts,
    Nanoseconds,
    energy_at,
    power_of,
)

RAPL: Final = (
    Channel("package", "rapl-sysfs", Origin.MEASURED),
    Channel("core", "rapl-sysfs", Origin.MEASURED),
    Channel("dram", "rapl-sysfs", Origin.MEASURED),
)
"""A bare-metal server."""
ESTIMATED: Final = (
    Channel("package", "trained_power_model", Origin.ESTIMATED),
    Channel("dram", "trained_power_model", Origin.ESTIMATED),
    Channel("other", "trained_power_model", Origin.ESTIMATED),
)
"""A virtual machine."""

_GUEST: Final = EstimatorInfo(
    model="wattribute-power",
    version="1",
    basis="microarchitecture",
    profile="typical",
    cpu="",
    microarchitecture="zen3",
    instance_type="",
    share=0.04,
    calibrated=False,
    why_wide=("CPU model not known ('AMD EPYC')", "a guest"),
)
"""What an estimate of a virtual machine may rest on."""
_WATTS: Final = {"package": 62.0, "core": 41.0, "uncore": 6.0, "dram": 9.0, "gpu": 140.0,
                 "platform": 180.0, "other": 28.0}  # fmt: skip
_IDLE_WATTS: Final = {"package": 21.0, "core": 4.0, "uncore": 3.0, "dram": 4.0, "gpu": 32.0,
                      "platform": 70.0, "other": 18.0}  # fmt: skip
_WORKLOADS: Final = (
    ("shop", "frontend", "Deployment"), ("shop", "checkout", "Deployment"),
    ("shop", "cart-redis", "StatefulSet"), ("bots", "marketing-bot", "Deployment"),
    ("bots", "support-bot", "Deployment"), ("data", "postgres", "StatefulSet"),
    ("data", "ingest", "CronJob"), ("monitoring", "prometheus", "StatefulSet"),
    ("monitoring", "grafana", "Deployment"), ("kube-system", "coredns", "Deployment"),
)  # fmt: skip
_COMMANDS: Final = (b"python", b"node", b"postgres", b"redis-server", b"envoy", b"java", b"nginx")
_INTERVAL_NS: Final = Nanoseconds(5 * NANOSECONDS_PER_SECOND)
_AT_NS: Final = Nanoseconds(1_000 * NANOSECONDS_PER_SECOND)
_WALL_NS: Final = Nanoseconds(1_767_225_600 * NANOSECONDS_PER_SECOND)
"""2026-01-01."""
_MACHINE: Final = Machine(
    vendor="GenuineIntel", family=6, model=106, stepping=6,
    cpu_name="Intel(R) Xeon(R) Gold 6338 CPU @ 2.00GHz", architecture="x86_64",
    packages=2, cores=64, threads=128, memory_bytes=256 << 30,
)  # fmt: skip


@dataclass(slots=True)
class SnapshotMaker:
    """A made node; every ``tick()`` gives its next snapshot.

    Rows are 0: system, 1: kernel, then containers.
    """

    containers: int = 3
    processes: int = 0
    vms: int = 0
    channels: Sequence[Channel] = RAPL
    packages: int = 1
    names: Sequence[str] = ()
    """Names of the first containers (pod, container and namespace), instead of made ones."""
    comms: Sequence[bytes] = ()
    """Names of the first processes."""
    held: frozenset[int] = frozenset()
    """Rows published as 0 until birth_hold is over."""
    ended: frozenset[int] = frozenset()
    """Rows that have ended."""
    down: frozenset[str] = frozenset()
    """Kinds of zones whose meter does not answer; what they used so far stays."""
    policy: str = "usage"
    shared_by: str = ""
    """By what energy with a meter is shared: ``learned-1`` or ``cycles``, or ``time`` while weights
    are learned; "" is an agent that knows one way only."""
    machine: Machine = _MACHINE
    interval_ns: Nanoseconds = _INTERVAL_NS
    at_ns: Nanoseconds = _AT_NS
    wall_ns: Nanoseconds = _WALL_NS
    seed: int = 1
    _sequence: int = 0
    _random: Random = field(init=False)
    _consumers: tuple[Consumer, ...] = field(init=False)
    _weights: list[float] = field(init=False)
    _zones: tuple[tuple[int, Zone], ...] = field(init=False)
    container_uj: NDArray[np.int64] = field(init=False)
    """Totals (rows, channels, modes) that the next tick adds to, in microjoules."""
    _reweighed_uj: dict[str, NDArray[np.int64]] = field(init=False)
    """As ``energy_uj`` of the rows, without modes."""
    _process_uj: NDArray[np.int64] = field(init=False)
    _vm_uj: NDArray[np.int64] = field(init=False)
    _idle_uj: NDArray[np.int64] = field(init=False)
    _unattributed_uj: NDArray[np.int64] = field(init=False)
    _zone_uj: NDArray[np.int64] = field(init=False)
    _cpu_ns: NDArray[np.int64] = field(init=False)
    _memory_byte_ns: NDArray[np.float64] = field(init=False)

    def __post_init__(self) -> None:
        rows, columns = self.containers + 2, len(self.channels)
        self._random = Random(self.seed)  # noqa: S311 - made numbers, no secrets
        self._consumers = _consumers(self.containers, self.names)
        self._weights = [0.05 + self._random.random() ** 3 for _ in range(rows)]
        self._zones = tuple(self._zone_list())
        self.container_uj = np.zeros((rows, columns, 2), np.int64)
        self._reweighed_uj = {
            name: np.zeros((rows, columns), np.int64) for name in REWEIGHED if self.shared_by
        }
        self._process_uj = np.zeros((self.processes, columns), np.int64)
        self._vm_uj = np.zeros((self.vms, columns, 2), np.int64)
        self._idle_uj = np.zeros(columns, np.int64)
        self._unattributed_uj = np.zeros(columns, np.int64)
        self._zone_uj = np.zeros((len(self._zones), 2), np.int64)
        self._cpu_ns = np.zeros(rows, np.int64)
        self._memory_byte_ns = np.zeros(rows, np.float64)

    def tick(self) -> Snapshot:
        """The next snapshot."""
        self._sequence += 1
        first = self._sequence == 1
        if not first:
            self.at_ns = Nanoseconds(self.at_ns + self.interval_ns)
            self.wall_ns = Nanoseconds(self.wall_ns + self.interval_ns)
        used_ns = self._use_cpu(first=first)
        tick_uj = np.zeros_like(self.container_uj)
        zone_uj = np.zeros_like(self._zone_uj)
        for index, (column, zone) in enumerate(self._zones):
            if zone.kind in self.down and not first:
                continue
            load = 0.6 + 0.8 * self._random.random()
            floor_uj = energy_at(_micro(_IDLE_WATTS[zone.kind]), self.interval_ns)
            above = (_WATTS[zone.kind] - _IDLE_WATTS[zone.kind]) * load
            dynamic_uj = energy_at(_micro(above), self.interval_ns)
            zone_uj[index] = dynamic_uj, floor_uj
            dynamic = _split(dynamic_uj, [*used_ns.tolist(), int(used_ns.sum()) // 50])
            idle = _split(floor_uj, [*(used_ns // 2).tolist(), int(used_ns.sum())])
            tick_uj[:, column, 0] += dynamic[:-1]
            tick_uj[:, column, 1] += idle[:-1]
            self._unattributed_uj[column] += dynamic[-1]
            self._idle_uj[column] += idle[-1]
        self.container_uj += tick_uj
        self._reweigh(tick_uj[:, :, 0])
        self._zone_uj += zone_uj
        return self._snapshot(tick_uj, zone_uj, used_ns)

    def _rival(self, channel: Channel) -> str:
        """The weight that is not used; "" for none."""
        if not self.shared_by or channel.origin == Origin.ESTIMATED or channel.kind == "gpu":
            return ""
        return "learned" if self.shared_by == "time" else "time"

    def _reweigh(self, tick_uj: NDArray[np.int64]) -> None:
        """By the rival the last row gets a tenth of what the others got."""
        for name, sums_uj in self._reweighed_uj.items():
            amount_uj = tick_uj.copy()
            for column, channel in enumerate(self.channels):
                rival = self._rival(channel)
                if rival and name == f"{rival}_uj":
                    moved_uj = amount_uj[:-1, column] // 10
                    amount_uj[:-1, column] -= moved_uj
                    amount_uj[-1, column] += moved_uj.sum()
                elif self.shared_by == "learned-1" and rival and name == "low_uj":
                    amount_uj[:, column] -= amount_uj[:, column] // 8
                elif self.shared_by == "learned-1" and rival and name == "high_uj":
                    amount_uj[:, column] += amount_uj[:, column] // 7
            self._reweighed_uj[name] = sums_uj + amount_uj

    def _use_cpu(self, *, first: bool) -> NDArray[np.int64]:
        used_ns = np.array(
            [
                int(weight * (0.5 + self._random.random()) * self.interval_ns)
                for weight in self._weights
            ],
            np.int64,
        )
        if not first:
            used_ns[sorted(self.ended)] = 0
        self._cpu_ns += used_ns
        memory = np.array([64 << 20] * len(used_ns), np.float64)
        self._memory_byte_ns += memory * self.interval_ns
        return used_ns

    def _zone_list(self) -> list[tuple[int, Zone]]:
        found = []
        for column, channel in enumerate(self.channels):
            per_package = channel.kind in ("package", "core", "uncore", "dram")
            for number in range(self.packages if per_package else 1):
                package = str(number) if per_package else None
                found.append((column, Zone(channel.kind, str(number), channel.source, package)))
        return found

    def _snapshot(
        self, tick_uj: NDArray[np.int64], zone_uj: NDArray[np.int64], used_ns: NDArray[np.int64]
    ) -> Snapshot:
        components = [c.component is not None for c in self.channels]
        tick_sum = tick_uj[:, components].sum(axis=(1, 2))
        rows = len(self._consumers)
        held = np.isin(np.arange(rows), sorted(self.held))
        containers = ContainerTable(
            consumers=self._consumers,
            energy_uj=_frozen(self.container_uj),
            power_uw=_power(tick_sum, self.interval_ns),
            cpu_ns=_frozen(self._cpu_ns),
            memory_byte_ns=self._memory_byte_ns.copy(),
            cpu_ratio=used_ns / self.interval_ns,
            held=held,
            alive=~np.isin(np.arange(rows), sorted(self.ended)),
            dynamic_uw=_power(tick_uj[:, :, 0], self.interval_ns),
            gpu_ns=self._gpu_ns(),
            **self._sums(),
        )
        node_uj = self.container_uj.sum(axis=0)
        node_uj[:, 0] += self._unattributed_uj
        node_uj[:, 1] += self._idle_uj
        return Snapshot(
            sequence=self._sequence,
            at_ns=self.at_ns,
            wall_ns=self.wall_ns,
            elapsed_ns=self.interval_ns,
            interval_ns=self.interval_ns,
            machine=self.machine,
            estimator=_GUEST if any(c.origin == Origin.ESTIMATED for c in self.channels) else None,
            channels=tuple(self.channels),
            containers=containers,
            processes=self._process_table(tick_uj, used_ns, containers),
            vms=self._vm_table(tick_uj),
            node=NodeTotals(
                energy_uj=_frozen(node_uj),
                idle_uj=_frozen(self._idle_uj),
                unattributed_uj=_frozen(self._unattributed_uj),
                zones=self._zone_totals(zone_uj),
            ),
            birth_held_uj=_frozen(self.container_uj[held].sum(axis=0)),
            floors=tuple(
                FloorState(
                    zone,
                    _micro(_IDLE_WATTS[zone.kind]),
                    "model" if self.channels[column].origin == Origin.ESTIMATED else "learned",
                )
                for column, zone in self._zones
            ),
            policy=self.policy,
            capacity={
                "cpu_mcore": self.machine.threads * 1000,
                "memory_bytes": self.machine.memory_bytes,
            },
            health=_health(self._sequence, self.channels, self.down),
            weights=tuple(
                ZoneWeight(zone, self.shared_by if rival else "time", "made", rival)
                for column, zone in self._zones
                if self.shared_by and self.channels[column].kind != "gpu"
                for rival in (self._rival(self.channels[column]),)
            ),
            gpus=tuple(
                _gpu(zone) for _, zone in self._zones if zone.kind == "gpu" and self._up(zone)
            ),
        )

    def _up(self, zone: Zone) -> bool:
        return zone.kind not in self.down

    def _sums(self) -> dict[str, Any]:
        return {name: _frozen(sums_uj) for name, sums_uj in self._reweighed_uj.items()}

    def _gpu_ns(self) -> NDArray[np.int64] | None:
        """A tenth of the CPU time, where there is a GPU."""
        there = any(zone.kind == "gpu" for _, zone in self._zones)
        return _frozen(self._cpu_ns // 10) if there else None

    def _zone_totals(self, zone_uj: NDArray[np.int64]) -> tuple[ZoneTotal, ...]:
        totals = []
        for index, (column, zone) in enumerate(self._zones):
            power_uw = power_of(int(zone_uj[index].sum()), self.interval_ns)
            estimated = self.channels[column].origin == Origin.ESTIMATED
            totals.append(
                ZoneTotal(
                    zone=zone,
                    origin=self.channels[column].origin,
                    dynamic_uj=Microjoules(int(self._zone_uj[index, 0])),
                    idle_uj=Microjoules(int(self._zone_uj[index, 1])),
                    power_uw=power_uw,
                    low_uw=Microwatts(power_uw * 3 // 4) if estimated else None,
                    high_uw=Microwatts(power_uw * 7 // 5) if estimated else None,
                    up=self._up(zone),
                )
            )
        return tuple(totals)

    def _process_table(
        self, tick_uj: NDArray[np.int64], used_ns: NDArray[np.int64], containers: ContainerTable
    ) -> ProcessTable:
        """Processes go to the rows in turn and share their container's energy."""
        count, rows = self.processes, len(self._consumers)
        owner = np.arange(count, dtype=np.int64) % rows
        tick = np.zeros((count, len(self.channels)), np.int64)
        cpu_ns = np.zeros(count, np.int64)
        for row in range(min(rows, count)):
            mine = np.flatnonzero(owner == row)
            weights = [1.0 / (1 + place) for place in range(len(mine))]
            for column in range(len(self.channels)):
                tick[mine, column] = _split(int(tick_uj[row, column, 0]), _whole(weights))
            cpu_ns[mine] = _split(int(used_ns[row]), _whole(weights))
        self._process_uj += tick
        components = [c.component is not None for c in self.channels]
        comms = [
            self.comms[n] if n < len(self.comms) else _COMMANDS[n % len(_COMMANDS)]
            for n in range(count)
        ]
        pid = np.arange(1000, 1000 + count, dtype=np.int64)
        return ProcessTable(
            key=pid.astype(np.uint64) << np.uint64(40),
            pid=pid,
            comm=np.array(comms, "S16"),
            consumer=owner,
            vm=np.full(count, -1, np.int64),
            energy_uj=_frozen(self._process_uj),
            power_uw=_power(tick[:, components].sum(axis=1), self.interval_ns),
            cpu_ns=cpu_ns * self._sequence,
            cpu_ratio=cpu_ns / self.interval_ns,
            alive=containers.alive[owner],
            held=containers.held[owner],
            dynamic_uw=_power(tick, self.interval_ns),
        )

    def _vm_table(self, tick_uj: NDArray[np.int64]) -> VmTable:
        """Each VM is a second view of half of the system row."""
        tick = np.repeat(tick_uj[:1] // 2, self.vms, axis=0)
        self._vm_uj += tick
        return VmTable(
            ids=tuple(f"vm-{number}" for number in range(self.vms)),
            energy_uj=_frozen(self._vm_uj),
            alive=np.ones(self.vms, np.bool_),
            held=np.zeros(self.vms, np.bool_),
            dynamic_uw=_power(tick[:, :, 0], self.interval_ns),
        )


def _consumers(count: int, names: Sequence[str]) -> tuple[Consumer, ...]:
    found = [
        Consumer(1, "system", "system_processes", "", "system_processes", "system_processes",
                 "system"),
        Consumer(2, "kernel", "kernel_processes", "", "kernel_processes", "kernel_processes",
                 "kernel"),
    ]  # fmt: skip
    for number in range(count):
        namespace, name, owner = _WORKLOADS[number % len(_WORKLOADS)]
        if number >= len(_WORKLOADS):
            name = f"{name}-{number}"
        if number < len(names):
            namespace = name = names[number]
        found.append(
            Consumer(
                uid=number + 3,
                kind="container",
                container_id=f"{number + 1:064x}",
                pod_uid=f"00000000-0000-4000-8000-{number + 1:012x}",
                pod_name=name if number < len(names) else f"{name}-7d9c5b6f4-{number:05d}",
                container_name=name,
                namespace=namespace,
                runtime="containerd",
                owner_kind=owner,
                owner_name=name,
                labels={"app": name, "team": namespace, "pod-template-hash": "7d9c5b6f4"},
                requests={"cpu_mcore": 250, "memory_bytes": 128 << 20},
            )
        )
    return tuple(found)


def _gpu(zone: Zone) -> GpuState:
    return GpuState(
        device=zone.id, index=0, name="NVIDIA H100 80GB HBM3", vendor="nvidia", energy="counter",
        activity="sm", utilisation=0.6, memory_used_bytes=20 << 30, memory_total_bytes=80 << 30,
        instances=0, failures=0, message="",
    )  # fmt: skip


def _health(ticks: int, channels: Sequence[Channel], down: frozenset[str]) -> Health:
    sources = dict.fromkeys(channel.source for channel in channels)
    broken = {channel.source for channel in channels if channel.kind in down}
    return Health(
        meters=tuple(
            MeterHealth(
                source,
                up=source not in broken,
                failures=4 if source in broken else 0,
                message=f"{source}: read error" if source in broken else "",
            )
            for source in sources
        ),
        activity="tasks",
        activity_failures=0,
        dropped_records=0,
        dropped_intervals={"reset": 0, "impossible": 1},
        ticks=ticks,
        skew_ns=Nanoseconds(1_800_000),
        tick_cpu_ns=Nanoseconds(2_900_000),
        tick_wall_ns=Nanoseconds(4_100_000),
        misfit=0.004,
        coverage=0.998,
        bpf_run_ns=12_345_678,
        state_failures=0,
    )


def _split(total: int, weights: Sequence[int]) -> list[int]:
    """Whole shares in proportion to the weights; the last takes what rounding leaves."""
    weight = sum(weights)
    if not weight:
        return [0] * (len(weights) - 1) + [total]
    shares = [total * part // weight for part in weights]
    shares[-1] += total - sum(shares)
    return shares


def _whole(weights: Sequence[float]) -> list[int]:
    return [int(weight * 1_000_000) for weight in weights]


def _micro(power_w: float) -> Microwatts:
    return Microwatts(round(power_w * 1e6))


def _power(energy_uj: NDArray[np.int64], elapsed_ns: int) -> NDArray[np.int64]:
    return (energy_uj * (NANOSECONDS_PER_SECOND / elapsed_ns)).astype(np.int64)


def _frozen(array: NDArray[np.int64]) -> NDArray[np.int64]:
    copy = array.copy()
    copy.flags.writeable = False
    return copy
