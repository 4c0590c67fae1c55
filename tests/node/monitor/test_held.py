"""Who pays a GPU's floor when the kubelet tells who was given it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from wattribute.core.records import (
    Consumer,
    DeviceAllocation,
    GpuState,
    IdentityHealth,
    Mode,
    Workload,
)
from wattribute.node.activity.whois import ProcessIdentity
from wattribute.node.meter.nvml import NvmlMeter
from wattribute.node.monitor.held import slots_held
from wattribute_testing import FakeNvml
from wattribute_testing.nvml import NOT_SUPPORTED
from wattribute_testing.rig import Rig

J = 1_000_000
SECOND = 1_000_000_000
GIB = 1 << 30
IDS = {"train": "a" * 64, "serve": "b" * 64, "watch": "c" * 64}
FLOOR_J = 150


class Told:
    """Allocations that the test says."""

    def __init__(self) -> None:
        self.given: list[DeviceAllocation] = []

    def to(self, pod: str, device: str, resource: str = "nvidia.com/gpu") -> None:
        self.given.append(DeviceAllocation("ml", pod, "main", resource, device))

    def current(self) -> tuple[DeviceAllocation, ...]:
        return tuple(self.given)

    def health(self) -> IdentityHealth:
        return IdentityHealth("pod-resources", up=True, failures=0, requests=1, pods=1, message="")

    def close(self) -> None:
        """Nothing to close."""


class HeldRig(Rig):
    """One GPU with a floor of 30 W, and three pods whose cgroups are there."""

    def __init__(self, folder: Path, nvml: FakeNvml, **more: Any) -> None:
        self.nvml, self.told = nvml, Told()
        self.gpu = nvml.gpu("GPU-x")
        self.processes: dict[int, ProcessIdentity] = {}
        nvml.write()
        super().__init__(
            folder,
            gpus=NvmlMeter(str(nvml.library)),
            find=self.processes.get,
            policy="reserved",
            given=lambda zone: 30 * J if zone.kind == "gpu" else 0,
            allocations=self.told,
            **more,
        )
        for pod, container in IDS.items():
            self.activity.cgroup(self.path(pod))
            self.names.known[container] = Workload(
                pod_uid=f"{pod}-uid", namespace="ml", pod=pod, container="main"
            )
        self.tick()

    def path(self, pod: str) -> str:
        return f"/docker/{IDS[pod]}"

    def opens(self, pid: int, pod: str, memory: int = GIB) -> None:
        self.gpu.holds(pid, memory)
        self.processes[pid] = ProcessIdentity(pid << 40, b"work", self.path(pod))

    def floors(self) -> dict[str, float]:
        """Joules of floor that each paid in a tick; "" is nobody."""
        assert self.gpu.energy_mj is not None
        self.gpu.energy_mj += FLOOR_J * 1000
        self.nvml.write()
        snapshot = self.tick()
        assert snapshot is not None
        at = [channel.kind for channel in snapshot.channels].index("gpu")
        table = snapshot.containers
        assert table.energy_uj[:, at, Mode.IDLE].sum() + snapshot.node.idle_uj[at] == FLOOR_J * J
        paid = {
            c.pod_name: float(uj) / J
            for c, uj in zip(table.consumers, table.energy_uj[:, at, Mode.IDLE], strict=True)
            if uj
        }
        return paid | (
            {"": float(snapshot.node.idle_uj[at]) / J} if snapshot.node.idle_uj[at] else {}
        )


Make = Callable[..., HeldRig]


@pytest.fixture
def make(tmp_path: Path, nvml: FakeNvml) -> Make:
    return lambda **more: HeldRig(tmp_path / "rig", nvml, **more)


def test_a_pod_that_was_given_a_gpu_and_does_not_run_on_it_pays_its_floor(make: Make) -> None:
    rig = make()
    rig.told.to("train", "GPU-x")
    assert rig.floors() == {"train": 150}


def test_who_looks_on_without_having_been_given_it_pays_nothing(make: Make) -> None:
    rig = make()
    rig.told.to("train", "GPU-x")
    rig.opens(7, "watch")
    assert rig.floors() == {"train": 150}


def test_without_the_kubelets_word_who_has_it_open_holds_it(make: Make) -> None:
    rig = make()
    rig.told.to("train", "GPU-y")
    rig.told.to("serve", "GPU-x", resource="rdma/hca")
    rig.opens(7, "watch")
    assert rig.floors() == {"watch": 150}


def test_replicas_of_a_time_sliced_device_pay_each_their_part(make: Make) -> None:
    rig = make()
    for replica in range(2):
        rig.told.to("train", f"GPU-x::{replica}", resource="nvidia.com/gpu.shared")
    rig.told.to("serve", "GPU-x::5")
    assert rig.floors() == {"train": 100, "serve": 50}


def test_by_memory_only_those_count_who_were_given_it(make: Make) -> None:
    rig = make(gpu_floor="memory")
    rig.told.to("train", "GPU-x::0")
    rig.told.to("serve", "GPU-x::1")
    rig.opens(7, "train", 3 * GIB)
    rig.opens(8, "serve", GIB)
    rig.opens(9, "watch", 4 * GIB)
    # Memory decides on the dynamic part too, which is 0 here.
    assert rig.floors() == {"train": 112.5, "serve": 37.5}


def test_mig_instances_pay_by_their_slices_and_what_nobody_was_given_is_idle(make: Make) -> None:
    rig = make()
    rig.gpu.mig_slots = 7
    rig.gpu.instances = [(1, 3, "MIG-1", 0.0), (2, 2, "MIG-2", 0.0)]
    rig.gpu.fail("samples", NOT_SUPPORTED)
    rig.told.to("train", "MIG-1", resource="nvidia.com/mig-3g.40gb")
    rig.told.to("serve", "nvidia0/gi2")
    paid = rig.floors()
    assert paid == {
        "train": pytest.approx(150 * 3 / 7, abs=1e-5),
        "serve": pytest.approx(150 * 2 / 7, abs=1e-5),
        "": pytest.approx(150 * 2 / 7, abs=1e-5),
    }


def test_its_health_is_told_beside_the_names(make: Make) -> None:
    snapshot = make().tick()
    assert snapshot is not None
    assert [source.name for source in snapshot.health.identity] == ["pod-resources"]


@pytest.mark.parametrize(
    ("vendor", "resource", "device", "slots"),
    [
        ("nvidia", "nvidia.com/gpu", "0", 1),
        ("nvidia", "gpu.nvidia.com", "gpu-0", 1),
        ("nvidia", "nvidia.com/gpu", "nvidia0/vgpu3", 1),
        ("amd", "amd.com/gpu", "0000:03:00.0", 1),
        ("intel", "gpu.intel.com/xe", "card0-1", 1),
        ("intel", "gpu.intel.com/xe_monitoring", "card0-1", 0),
        ("nvidia", "amd.com/gpu", "0", 0),
        ("nvidia", "notnvidia.com/gpu", "0", 0),
        ("nvidia", "nvidia.com/gpu", "7", 0),
    ],
)
def test_a_device_is_known_by_what_its_vendors_plugins_call_it(
    vendor: str, resource: str, device: str, slots: int
) -> None:
    names = ("0", "gpu-0", "nvidia0", "0000:03:00.0", "card0")
    state = GpuState(
        device="x", index=0, name="", vendor=vendor, energy="counter", activity="sm",
        utilisation=None, memory_used_bytes=0, memory_total_bytes=0, instances=0, failures=0,
        message="", names=dict.fromkeys(names, 1),
    )  # fmt: skip
    consumers = [
        Consumer(1, "container", namespace="ml", pod_name="p", container_name="c"),
        Consumer(2, "container", namespace="ml", pod_name="p", container_name="c"),
    ]
    held = slots_held(
        state,
        [DeviceAllocation("ml", "p", "c", resource, device)],
        consumers,
        np.array([False, True]),
    )
    assert held.tolist() == [0, slots]
