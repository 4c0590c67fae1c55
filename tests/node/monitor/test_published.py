"""What Prometheus sees, whatever happens: series only rise, and rises add up (section 9)."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wattribute.core.records import DeviceAllocation, IdentityHealth, Mode, Snapshot, Workload
from wattribute.node.activity.whois import ProcessIdentity
from wattribute.node.meter.nvml import NvmlMeter
from wattribute.node.sharing.weight_choice import WeightSetting
from wattribute_testing import FakeClock, FakeNvml
from wattribute_testing.nvml import GPU_IS_LOST, UNKNOWN
from wattribute_testing.rig import Rig
from wattribute_testing.strength import examples

SECOND = 1_000_000_000
J = 1_000_000
PODS = [f"/kubepods/burstable/pod0f8c2a7e-1111-2222-3333-44445555666{n}" for n in range(2)]
CONTAINERS = [
    f"/docker/{'a' * 64}",
    *(f"{PODS[n // 2]}/{name * 64}" for n, name in enumerate("bcde")),
]
PLACES = [*CONTAINERS, *PODS, "/system.slice/ssh.service", "kernel", "/"]
DROPPED = ("suspend", "late", "reset", "impossible")
PACKAGE = "class/powercap/intel-rapl:0/energy_uj"

Series = dict[tuple[str, ...], int]
Ran = list[tuple[int, str, int, bool]]

steps = st.lists(
    st.tuples(
        st.sampled_from(
            [
                "",
                "",
                "",
                "blind",
                "silent",
                "suspend",
                "remove",
                "remove",
                "name",
                "restart",
                "crash",
            ]
        ),
        st.lists(
            st.tuples(
                st.integers(1, 12),
                st.sampled_from(PLACES),
                st.integers(0, 5 * SECOND),
                st.booleans(),
            ),
            max_size=5,
        ),
        st.floats(0, 900),
        st.sampled_from([1, 5, 5, 20, 310]),
        st.integers(0, len(CONTAINERS) - 1),
    ),
    min_size=3,
    max_size=14,
)


def published(snapshot: Snapshot) -> dict[str, dict[Mode, Series]]:
    """By component: series of containers, of two with the same labels the newer row."""
    table = snapshot.containers
    found: dict[str, dict[Mode, Series]] = {}
    order = np.argsort([consumer.uid for consumer in table.consumers])
    for column, channel in enumerate(snapshot.channels):
        if channel.component is None:
            continue
        modes = found.setdefault(channel.component, {mode: {} for mode in Mode})
        for mode in Mode:
            for row in order.tolist():
                consumer = table.consumers[row]
                labels = (
                    consumer.container_id or f"{consumer.kind}-{consumer.pod_uid}",
                    consumer.pod_name,
                    consumer.container_name,
                )
                energy_uj = 0 if table.held[row] else int(table.energy_uj[row, column, mode])
                modes[mode][(*labels, channel.source)] = energy_uj
    return found


def node(snapshot: Snapshot, component: str, mode: Mode) -> tuple[int, int]:
    """The node's energy of a component, and what of it no container has."""
    columns = [i for i, c in enumerate(snapshot.channels) if c.component == component]
    total = int(snapshot.node.energy_uj[columns, mode].sum())
    nobody = snapshot.node.unattributed_uj if mode is Mode.DYNAMIC else snapshot.node.idle_uj
    held = int(snapshot.birth_held_uj[columns, mode].sum())
    return total, int(nobody[columns].sum()) + held


def assert_rises_add_up(before: Snapshot, after: Snapshot) -> None:
    earlier = published(before)
    for component, modes in published(after).items():
        for mode, series in modes.items():
            known = earlier.get(component, {}).get(mode, {})
            for labels, energy_uj in series.items():
                assert energy_uj >= known.get(labels, 0), labels
            risen_uj = sum(energy_uj - known.get(labels, 0) for labels, energy_uj in series.items())
            was = node(before, component, mode) if component in earlier else (0, 0)
            total_uj, nobody_uj = node(after, component, mode)
            assert risen_uj + nobody_uj - was[1] == total_uj - was[0], (component, mode)


def assert_bands_hold(before: Snapshot, after: Snapshot) -> None:
    """Bands hold the energy, and by whatever weight the same energy is shared out."""
    table = after.containers
    if table.low_uj is None or table.high_uj is None:
        return
    dynamic_uj = table.energy_uj[:, :, Mode.DYNAMIC]
    assert (table.low_uj <= dynamic_uj).all()
    assert (dynamic_uj <= table.high_uj).all()
    earlier = before.containers
    if earlier.consumers == table.consumers and before.channels == after.channels:
        risen_uj = (dynamic_uj - earlier.energy_uj[:, :, Mode.DYNAMIC]).sum(axis=0)
        for name in ("time_uj", "learned_uj"):
            if (reweighed := getattr(earlier, name)) is not None:
                assert ((getattr(table, name) - reweighed).sum(axis=0) == risen_uj).all()


class World:
    """A machine on which anything happens, and an agent that is killed now and then."""

    def __init__(self, folder: Path, policy: str, weight: WeightSetting = "time") -> None:
        self._folder, self._policy, self._weight = folder, policy, weight
        Rig(folder).sysfs.rapl("intel-rapl:1", "psys")
        self.rig = self._agent()
        self.rig.tick()
        self.dropped = self.unknown_uj = 0

    def _agent(self, clock: FakeClock | None = None) -> Rig:
        state = self._folder / "state"
        return Rig(
            self._folder,
            policy=self._policy,
            state=state,
            clock=clock,
            weight=self._weight,
            **self._more(),
        )

    def _more(self) -> dict[str, Any]:
        return {}

    @property
    def package_uj(self) -> int:
        return int((self.rig.sysfs.root / PACKAGE).read_text())

    def restart(self, energy_j: float) -> None:
        present = list(self.rig.activity.present)
        saved = (self._folder / "state").exists()
        self.rig = self._agent(self.rig.clock)
        self.rig.monitor.resume()
        for path in present:
            self.rig.activity.cgroup(path)
        self.rig.use("intel-rapl:1", 2 * energy_j)
        self.rig.tick(energy_j)
        if not saved:  # what the counter held at the first reading is charged to nobody
            self.unknown_uj = self.package_uj

    def step(self, event: str, ran: Ran, energy_j: float, seconds: int, which: int) -> None:
        for _ in range({"restart": 1, "crash": 3}.get(event, 0)):
            self.restart(energy_j)
        rig, container = self.rig, CONTAINERS[which]
        for pid, place, cpu_ns, alive in ran:
            rig.activity.ran(pid, place, cpu_ns, alive=alive)
        if event == "remove" and container in rig.activity.present:
            rig.activity.remove(container)
        if event == "name":
            requests = {"cpu_mcore": 500}
            rig.names.known[container.rpartition("/")[2]] = Workload(pod="p", requests=requests)
        rig.activity.fail_next = event == "blind"
        if event == "suspend":
            rig.clock.suspend(100)
        rig.use("intel-rapl:1", 1.5 * energy_j)
        kept = self.package_uj
        if event == "silent":
            rig.sysfs.write_raw(PACKAGE, b"junk")
        rig.tick(energy_j, energy_j / 4, seconds)
        if event == "silent":
            rig.sysfs.energy("intel-rapl:0", kept)
        self.dropped += sum(rig.energy.metering.rejected[reason] for reason in DROPPED)


class GpuWorld(World):
    """The same with two GPUs that fail, fall off the bus and change MIG mode, given to pods."""

    def __init__(self, folder: Path, policy: str, nvml: FakeNvml) -> None:
        self.nvml, self.given = nvml, Told()
        for number in range(2):
            nvml.gpu(f"GPU-{number}")
        nvml.write()
        self._now_us = 1_000_000
        super().__init__(folder, policy)

    def _more(self) -> dict[str, Any]:
        def find(pid: int) -> ProcessIdentity | None:
            return ProcessIdentity(pid << 40, b"late", CONTAINERS[pid % 5]) if pid > 9 else None

        meter = NvmlMeter(str(self.nvml.library))
        return {"gpus": meter, "find": find, "allocations": self.given}

    def restart(self, energy_j: float) -> None:
        self._use(energy_j)
        super().restart(energy_j)

    def step(self, event: str, ran: Ran, energy_j: float, seconds: int, which: int) -> None:
        first, second = self.nvml.gpus
        for gpu in self.nvml.gpus:
            gpu.samples.clear()
            gpu.processes.clear()
            gpu.failing.clear()
        for pid, place, cpu_ns, _ in ran:
            gpu = self.nvml.gpus[pid % 2].holds(pid, cpu_ns)
            gpu.ran(pid, cpu_ns % 101, self._now_us + pid)
            if place in CONTAINERS:
                self.given.to(f"GPU-{which % 2}::{pid}")
        if event == "silent":
            first.fail("energy", UNKNOWN)
        second.error = GPU_IS_LOST if event == "remove" else 0
        first.mig_slots = 7 if seconds == 20 else 0
        first.instances = [(1, 3, "MIG-1", 40.0)] if first.mig_slots else []
        self._use(energy_j)
        super().step(event, ran, energy_j, seconds, which)

    def _use(self, energy_j: float) -> None:
        self._now_us += 1_000_000
        for gpu in self.nvml.gpus:
            gpu.energy_mj = (gpu.energy_mj or 0) + round(energy_j * 1000)
        self.nvml.write()


class Told:
    """The kubelet's word: pod ``p`` was given what the test says."""

    def __init__(self) -> None:
        self._given: list[DeviceAllocation] = []

    def to(self, device: str) -> None:
        self._given.append(DeviceAllocation("", "p", "", "nvidia.com/gpu", device))

    def current(self) -> tuple[DeviceAllocation, ...]:
        return tuple(self._given)

    def health(self) -> IdentityHealth:
        return IdentityHealth("pod-resources", up=True, failures=0, requests=1, pods=1, message="")

    def close(self) -> None:
        """Nothing to close."""


@settings(max_examples=examples(40))
@given(steps=steps, policy=st.sampled_from(["none", "usage", "full", "even", "reserved"]))
def test_with_gpus_too_series_only_rise_and_their_rises_are_the_nodes(
    tmp_path_factory: pytest.TempPathFactory,
    nvml_library: Path,
    steps: list[tuple[str, Ran, float, int, int]],
    policy: str,
) -> None:
    folder = tmp_path_factory.mktemp("gpus")
    world = GpuWorld(folder, policy, FakeNvml(folder / "nvml", nvml_library))
    before: Snapshot | None = None
    for step in (*steps, *[("", [], 10.0, 5, 0)] * 2):
        world.step(*step)
        snapshot = world.rig.monitor.snapshot()
        if snapshot is not None and before is not None:
            assert_rises_add_up(before, snapshot)
        before = snapshot
    assert before
    assert "gpu" in {channel.kind for channel in before.channels}


@settings(max_examples=examples(60))
@given(
    steps=steps,
    policy=st.sampled_from(["none", "usage", "full", "even", "reserved"]),
    weight=st.sampled_from(["time", "learned", "shadow"]),
)
def test_series_only_rise_and_their_rises_are_the_nodes(
    tmp_path_factory: pytest.TempPathFactory,
    steps: list[tuple[str, Ran, float, int, int]],
    policy: str,
    weight: WeightSetting,
) -> None:
    world = World(tmp_path_factory.mktemp("world"), policy, weight)
    before: Snapshot | None = None
    for step in (*steps, *[("", [], 0.0, 1, 0)] * 2):
        world.step(*step)
        snapshot = world.rig.monitor.snapshot()
        if snapshot is not None and before is not None:
            assert_rises_add_up(before, snapshot)
            assert_bands_hold(before, snapshot)
        before = snapshot

    assert before
    if not world.dropped:
        totals = {t.zone.kind: t.dynamic_uj + t.idle_uj for t in before.node.zones}
        assert totals.get("package", 0) == world.package_uj - world.unknown_uj
