"""A monitor with all its edges in the test's hand: sensors, who ran, names, clock, state file."""

from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path
from typing import Final

from wattribute.core.records import Machine, Mode, Snapshot, Topology, Workload, Zone
from wattribute.core.units import MICROJOULES_PER_JOULE, joules, microwatts, nanoseconds
from wattribute.node.activity.whois import Finder
from wattribute.node.attribution.weight import TimeWeight
from wattribute.node.estimates.choose import NOTHING_ESTIMATED, EstimatedComponents
from wattribute.node.estimates.machine_model import MachineModel
from wattribute.node.estimates.power_model import read_artefact
from wattribute.node.estimator.model import ArtefactEstimator
from wattribute.node.meter import GpuMeter, Meter
from wattribute.node.meter.machine import read_topology
from wattribute.node.meter.rapl import RaplMeter
from wattribute.node.monitor.loop import LoopRules, Monitor, WhoRan
from wattribute.node.monitor.naming import Names
from wattribute.node.monitor.payer import GpuFloor
from wattribute.node.monitor.state import StateFile
from wattribute.node.sharing.energy import NodeEnergy
from wattribute.node.sharing.metering import Limits, Metering
from wattribute.node.sharing.sharer import Learning, Sharer
from wattribute.node.sharing.weight_choice import WeightSetting
from wattribute.node.sources import Sources
from wattribute.node.workload import Allocations, Cluster
from wattribute_testing.activity import FakeActivity
from wattribute_testing.clock import FakeClock
from wattribute_testing.sysfs import FakeSysfs

_SHIPPED: Final = ArtefactEstimator(read_artefact())


class FakeNames:
    """An identity source whose names come when the test says."""

    name = "names"

    def __init__(self) -> None:
        """Nobody is known."""
        self.known: dict[str, Workload] = {}

    def lookup(self, container_ids: Iterable[str]) -> Mapping[str, Workload]:
        """All that is known, asked for or not."""
        del container_ids
        return self.known

    def close(self) -> None:
        """Nothing to close."""


class Rig:
    """A machine of 4 CPUs with a package and its DRAM, and a monitor that reads it every 5 s."""

    def __init__(
        self,
        folder: Path,
        *,
        policy: str = "none",
        given: Callable[[Zone], int | None] = lambda _: microwatts(10),
        state: Path | None = None,
        boot: str = "boot",
        machine: str = "machine",
        processes: bool = False,
        clock: FakeClock | None = None,
        cluster: Cluster | None = None,
        sandboxes: Collection[str] = (),
        gpus: GpuMeter | None = None,
        find: Finder = lambda _: None,
        gpu_floor: GpuFloor = "even",
        meters: Collection[Meter] = (),
        allocations: Allocations | None = None,
        model: MachineModel | None = None,
        estimated: EstimatedComponents = NOTHING_ESTIMATED,
        weight: WeightSetting = "time",
        cpu_name: str = "",
    ) -> None:
        """Make it in a folder, or go on with the sensors that are in it.

        Args:
            folder: for sysfs.
            policy: who pays the floor.
            given: the floor of a zone, in microwatts; None: to be learned.
            state: the state file.
            boot: the machine's boot id.
            machine: the machine's id.
            processes: whether processes have series.
            clock: of the rig before, to start the agent again.
            cluster: names of pods.
            sandboxes: paths of the cgroups in which a pod's sandbox runs.
            gpus: a meter of GPUs.
            find: who a process is that used a GPU and no CPU.
            gpu_floor: how those who hold a GPU share its floor under ``reserved``.
            meters: more of them.
            allocations: to whom the kubelet gave which device.
            model: says what the machine draws; None: the shipped one of an unknown machine.
            estimated: the components that the model fills in.
            weight: by what energy above the floor is shared, as ``attribution.weight``.
            cpu_name: of the machine.
        """
        self.sysfs = FakeSysfs(folder / "sys")
        if not (self.sysfs.root / "class/powercap/intel-rapl:0").exists():
            self.sysfs.rapl("intel-rapl:0", "package-0").rapl("intel-rapl:0:0", "dram")
        self.clock = clock or FakeClock()
        self.activity = FakeActivity()
        self.names = FakeNames()
        here = Machine(threads=4, memory_bytes=1 << 30, cpu_name=cpu_name)
        metering = Metering(
            [RaplMeter(self.sysfs.root), *([gpus] if gpus else []), *meters],
            Limits(microwatts(2000), microwatts(50_000)),
        )
        model = model or MachineModel(_SHIPPED, here)
        self.energy = NodeEnergy(metering, model, estimated)
        topology = read_topology(self.sysfs.root, folder)
        sharer = _sharer(topology, given, weight)
        self.monitor = Monitor(
            Sources(here, topology, self.energy, sharer, (gpus,) if gpus else ()),
            WhoRan(self.activity, find),
            Names(self.names, cluster, allocations, lambda path: path in sandboxes),
            _rules(policy, gpu_floor, processes=processes),
            self.clock,
            state_file=StateFile(state, machine, boot) if state else None,
        )

    def use(self, zone: str, energy_j: float) -> None:
        """Let a powercap zone use energy; one that shows no number stays as it is."""
        file = self.sysfs.root / "class/powercap" / zone / "energy_uj"
        before = file.read_text().strip() if file.exists() else ""
        if before.isdigit():
            self.sysfs.energy(zone, int(before) + round(energy_j * MICROJOULES_PER_JOULE))

    def tick(self, package_j: float = 0, dram_j: float = 0, seconds: float = 5) -> Snapshot | None:
        """Let time pass and energy be used, then tick."""
        self.clock.advance(seconds)
        self.use("intel-rapl:0", package_j)
        self.use("intel-rapl:0:0", dram_j)
        self.monitor.tick()
        return self.monitor.snapshot()


def _rules(policy: str, gpu_floor: GpuFloor, *, processes: bool) -> LoopRules:
    return LoopRules(
        nanoseconds(5), nanoseconds(300), nanoseconds(30), processes, policy, gpu_floor
    )


def _sharer(
    topology: Topology, floor_uw: Callable[[Zone], int | None], weight: WeightSetting
) -> Sharer:
    """A sharer that knows no prior of a floor."""
    window_ns = nanoseconds(3600)
    return Sharer(
        topology, TimeWeight(), floor_uw, lambda _: None, window_ns, learning=Learning(weight)
    )


def row_of(snapshot: Snapshot | None, **wanted: object) -> int:
    """The one container row whose consumer has these values.

    Raises:
        LookupError: there is none, or more than one.
    """
    consumers = snapshot.containers.consumers if snapshot else ()
    rows = [
        row
        for row, consumer in enumerate(consumers)
        if all(getattr(consumer, key) == value for key, value in wanted.items())
    ]
    if len(rows) != 1:
        raise LookupError(f"{len(rows)} rows with {wanted} in {consumers}")
    return rows[0]


def joules_of(snapshot: Snapshot | None, mode: Mode = Mode.DYNAMIC, **wanted: object) -> float:
    """Energy of one container row over all channels, in joules."""
    row = row_of(snapshot, **wanted)
    return joules(int(snapshot.containers.energy_uj[row, :, mode].sum())) if snapshot else 0.0
