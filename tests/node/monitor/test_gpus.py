"""The loop on GPUs: NVML's real bindings over the fake library, shares exact to the microjoule."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from wattribute.core.records import Mode, Snapshot
from wattribute.node.activity.whois import ProcessIdentity
from wattribute.node.meter.nvml import NvmlMeter
from wattribute_testing import FakeNvml
from wattribute_testing.nvml import GPU_IS_LOST, NOT_SUPPORTED, UNKNOWN, FakeGpu
from wattribute_testing.rig import Rig
from wattribute_testing.strength import examples

SECOND = 1_000_000_000
US = 1_000_000
J = 1_000_000
GIB = 1 << 30
A, B = "a" * 64, "b" * 64
IN_A, IN_B = f"/docker/{A}", f"/docker/{B}"
SYSTEM = "/system.slice/x.service"
FLOOR_W = 30


class GpuRig(Rig):
    """The rig, with GPUs that draw what the test says."""

    def __init__(self, folder: Path, nvml: FakeNvml, gpus: int = 1, **more: Any) -> None:
        self.nvml = nvml
        for _ in range(gpus):
            nvml.gpu()
        nvml.write()
        self.processes: dict[int, ProcessIdentity] = {}
        more.setdefault("given", lambda zone: FLOOR_W * J if zone.kind == "gpu" else 0)
        super().__init__(folder, gpus=NvmlMeter(str(nvml.library)), find=self.processes.get, **more)
        self.now_us = 1_000 * US
        self.tick_gpu()

    @property
    def gpu(self) -> FakeGpu:
        return self.nvml.gpus[0]

    def tick_gpu(self, *joules: float, **percent: int) -> Snapshot:
        """A tick of 5 s; ``p7=40``: process 7 was on GPU 0 for 40 % of the time."""
        for index, gpu in enumerate(self.nvml.gpus):
            if gpu.energy_mj is not None and index < len(joules):
                gpu.energy_mj += round(joules[index] * 1000)
            gpu.samples.clear()
        for name, value in percent.items():
            for second in range(1, 6):
                self.gpu.ran(int(name[1:]), value, at_us=self.now_us + second * US)
        self.now_us += 5 * US
        self.nvml.write()
        snapshot = self.tick()
        if snapshot is not None:
            check(snapshot)
        return snapshot  # type: ignore[return-value]


def column(snapshot: Snapshot) -> int:
    return [channel.kind for channel in snapshot.channels].index("gpu")


def of_process(snapshot: Snapshot, pid: int) -> float:
    rows = snapshot.processes.pid == pid
    return float(snapshot.processes.energy_uj[rows, column(snapshot)].sum()) / J


def of_container(snapshot: Snapshot, container: str, mode: Mode = Mode.DYNAMIC) -> float:
    rows = [
        n
        for n, consumer in enumerate(snapshot.containers.consumers)
        if container in (consumer.container_id, consumer.kind)
    ]
    return float(snapshot.containers.energy_uj[rows, column(snapshot), mode].sum()) / J


def nobody(snapshot: Snapshot) -> tuple[float, float]:
    """Floor that nobody pays, and unattributed energy, of the GPUs."""
    at = column(snapshot)
    return float(snapshot.node.idle_uj[at]) / J, float(snapshot.node.unattributed_uj[at]) / J


def check(snapshot: Snapshot) -> None:
    """Shares and floor are the counter, exactly."""
    node, table = snapshot.node, snapshot.containers
    shared = table.energy_uj.sum(axis=0)
    assert (shared[:, Mode.DYNAMIC] + node.unattributed_uj == node.energy_uj[:, 0]).all()
    assert (shared[:, Mode.IDLE] + node.idle_uj == node.energy_uj[:, 1]).all()
    kinds = [channel.kind for channel in snapshot.channels]
    zones_uj = sum(z.dynamic_uj + z.idle_uj for z in node.zones if z.zone.kind == "gpu")
    if "gpu" in kinds:
        assert zones_uj == node.energy_uj[column(snapshot)].sum()
        by_process = snapshot.processes.energy_uj[:, column(snapshot)].sum()
        assert by_process <= shared[column(snapshot), Mode.DYNAMIC]


Make = Callable[..., GpuRig]


@pytest.fixture
def make(tmp_path: Path, nvml: FakeNvml) -> Make:
    return lambda gpus=1, **more: GpuRig(tmp_path / "rig", nvml, gpus, **more)


def test_dynamic_energy_goes_by_time_on_the_processors_and_not_by_cpu_time(make: Make) -> None:
    rig = make()
    rig.activity.ran(7, IN_A, SECOND // 100)
    rig.activity.ran(8, IN_B, SECOND // 100)
    rig.activity.ran(9, IN_B, 4 * SECOND)
    snapshot = rig.tick_gpu(550, p7=60, p8=20)

    assert of_container(snapshot, A) == 300
    assert of_container(snapshot, B) == 100
    assert (of_process(snapshot, 7), of_process(snapshot, 8)) == (300, 100)
    assert of_process(snapshot, 9) == 0
    assert nobody(snapshot) == (150, 0)
    assert snapshot.capacity["gpu"] == 1
    gpu_ns = dict(
        zip(
            [c.container_id for c in snapshot.containers.consumers],
            snapshot.containers.gpu_ns.tolist(),  # type: ignore[union-attr]
            strict=True,
        )
    )
    assert gpu_ns[A] == pytest.approx(3 * SECOND, rel=1e-6)
    assert gpu_ns[B] == pytest.approx(SECOND, rel=1e-6)
    assert snapshot.gpus[0].utilisation == pytest.approx(0.8)


def test_a_process_that_used_no_cpu_in_the_tick_has_a_row_in_its_container(make: Make) -> None:
    rig = make()
    rig.activity.cgroup(IN_A)
    rig.processes[7] = ProcessIdentity(7 << 40 | 123, b"train", IN_A)
    snapshot = rig.tick_gpu(550, p7=100)

    assert of_container(snapshot, A) == 400
    row = int(np.flatnonzero(snapshot.processes.pid == 7)[0])
    assert (snapshot.processes.comm[row], snapshot.processes.alive[row]) == (b"train", True)

    snapshot = rig.tick_gpu(550, p7=100)
    assert (of_process(snapshot, 7), (snapshot.processes.pid == 7).sum()) == (800, 1)

    del rig.processes[7]
    snapshot = rig.tick_gpu(0)
    assert not snapshot.processes.alive[snapshot.processes.pid == 7].any()


def test_a_process_that_is_known_with_a_finer_start_is_the_same_one(make: Make) -> None:
    rig = make()
    rig.activity.ran(7, IN_A, SECOND)
    rig.tick_gpu(150)
    book = rig.monitor._books.processes
    book.columns["key"][book.of_pid(7)] += np.uint64(4000)  # eBPF knows starts to 1 us
    book._reindex()
    rig.processes[7] = ProcessIdentity(7 << 40, b"work", IN_A)  # /proc to 10 ms
    snapshot = rig.tick_gpu(550, p7=50)

    assert of_container(snapshot, A) == 400
    assert (snapshot.processes.pid == 7).sum() == 1


def test_a_process_that_ended_between_two_ticks_keeps_its_energy(make: Make) -> None:
    rig = make()
    rig.activity.ran(7, IN_A, SECOND, alive=False)
    snapshot = rig.tick_gpu(550, p7=50)
    assert of_container(snapshot, A) == 400

    snapshot = rig.tick_gpu(250, p7=10)  # a sample that came late
    assert of_container(snapshot, A) == 500


def test_a_process_nobody_knows_is_the_systems_and_not_the_others(make: Make) -> None:
    rig = make()
    rig.activity.ran(7, IN_A, SECOND)
    snapshot = rig.tick_gpu(550, p7=50, p99=50)

    assert of_container(snapshot, A) == 200
    assert of_container(snapshot, "system") == 200
    assert of_process(snapshot, 99) == 200


def test_with_nobody_on_the_processors_memory_held_decides(make: Make) -> None:
    rig = make()
    rig.gpu.holds(7, 3 * GIB).holds(8, GIB)
    rig.activity.ran(7, IN_A, SECOND)
    rig.activity.ran(8, IN_B, SECOND)
    snapshot = rig.tick_gpu(250)

    assert (of_container(snapshot, A), of_container(snapshot, B)) == (75, 25)


def test_nobody_on_the_device_and_energy_above_the_floor_is_unattributed(make: Make) -> None:
    rig = make()
    rig.activity.ran(7, IN_A, 5 * SECOND)
    snapshot = rig.tick_gpu(250)

    assert nobody(snapshot) == (150, 100)


def test_each_device_is_shared_by_its_own_users(make: Make) -> None:
    rig = make(gpus=2)
    rig.nvml.gpus[1].holds(8, GIB)
    rig.activity.ran(7, IN_A, SECOND)
    rig.activity.ran(8, IN_B, SECOND)
    snapshot = rig.tick_gpu(550, 250, p7=90)

    assert (of_container(snapshot, A), of_container(snapshot, B)) == (400, 100)


def test_a_device_that_misses_a_tick_is_shared_among_the_users_of_both(make: Make) -> None:
    rig = make()
    rig.activity.ran(7, IN_A, SECOND)
    rig.gpu.fail("energy", UNKNOWN, times=1)
    rig.tick_gpu(550, p7=60)
    rig.gpu.failing.clear()
    rig.activity.ran(8, IN_B, SECOND)
    snapshot = rig.tick_gpu(550, p8=20)

    assert of_container(snapshot, A) == pytest.approx(600)
    assert of_container(snapshot, B) == pytest.approx(200)


def test_a_tick_without_activity_is_shared_with_the_next_ones(make: Make) -> None:
    rig = make()
    rig.activity.fail_next = True
    rig.tick_gpu(550, p7=60)
    rig.activity.ran(7, IN_A, SECOND)
    rig.activity.ran(8, IN_B, SECOND)
    snapshot = rig.tick_gpu(550, p8=20)

    assert of_container(snapshot, A) + of_container(snapshot, B) == 800


def test_a_lost_device_ends_its_series_and_the_rest_goes_on(make: Make) -> None:
    rig = make(gpus=2)
    rig.nvml.gpus[1].error = GPU_IS_LOST
    for _ in range(4):
        rig.activity.ran(7, IN_A, SECOND)
        snapshot = rig.tick_gpu(550, p7=50)
    up = {zone.zone.id: zone.up for zone in snapshot.node.zones if zone.zone.kind == "gpu"}

    assert up[rig.gpu.uuid]
    assert not up.get(rig.nvml.gpus[1].uuid, False)
    assert [gpu.device for gpu in snapshot.gpus] == [rig.gpu.uuid]
    assert of_container(snapshot, A) == 1600


def test_the_floor_is_learned_from_ticks_in_which_the_device_was_idle_whatever_the_cpu_did(
    make: Make,
) -> None:
    rig = make(given=lambda _: None)
    for tick in range(60):
        rig.activity.ran(7, IN_A, 20 * SECOND)  # all 4 CPUs, all the time
        snapshot = rig.tick_gpu(175) if tick % 2 else rig.tick_gpu(1500, p7=90)

    floor = next(f for f in snapshot.floors if f.zone.kind == "gpu")
    assert (floor.basis, floor.power_uw) == ("learned", 35 * J)


@pytest.mark.parametrize(
    ("policy", "gpu_floor", "paid"),
    [
        ("reserved", "even", (75.0, 75.0, 0.0)),
        ("reserved", "memory", (112.5, 37.5, 0.0)),
        ("usage", "even", (90.0, 15.0, 45.0)),
        ("full", "even", (pytest.approx(150 * 6 / 7), pytest.approx(150 / 7), 0.0)),
        ("even", "even", (75.0, 75.0, 0.0)),
        ("none", "even", (0.0, 0.0, 150.0)),
    ],
)
def test_the_floor_of_a_device_is_paid_as_the_policy_says(
    make: Make, policy: str, gpu_floor: str, paid: tuple[float, float, float]
) -> None:
    rig = make(policy=policy, gpu_floor=gpu_floor)
    rig.gpu.holds(7, 3 * GIB).holds(8, GIB)
    rig.activity.ran(7, IN_A, SECOND)
    rig.activity.ran(8, IN_B, SECOND)
    snapshot = rig.tick_gpu(850, p7=60, p8=10)
    found = (
        of_container(snapshot, A, Mode.IDLE),
        of_container(snapshot, B, Mode.IDLE),
        nobody(snapshot)[0],
    )

    assert found == tuple(
        part if not isinstance(part, float) else pytest.approx(part, abs=1e-3) for part in paid
    )


@pytest.mark.parametrize("policy", ["reserved", "usage", "full"])
def test_the_floor_of_a_device_that_nobody_holds_stays_with_the_node(
    make: Make, policy: str
) -> None:
    rig = make(policy=policy)
    rig.activity.ran(7, IN_A, SECOND)
    assert nobody(rig.tick_gpu(150))[0] == 150


def test_who_holds_a_device_pays_its_floor_also_when_it_does_not_run(make: Make) -> None:
    rig = make(policy="reserved")
    rig.gpu.holds(7, GIB)
    rig.activity.cgroup(IN_A)
    rig.processes[7] = ProcessIdentity(7 << 40, b"serve", IN_A)
    snapshot = rig.tick_gpu(150)

    assert of_container(snapshot, A, Mode.IDLE) == 150


def test_mig_instances_and_floor_are_the_board(make: Make) -> None:
    rig = make()
    rig.gpu.mig_slots = 7
    rig.gpu.instances = [(1, 3, "MIG-1", 50.0), (2, 4, "MIG-2", 75.0)]
    rig.gpu.fail("samples", NOT_SUPPORTED)
    rig.gpu.holds(7, GIB, instance=1).holds(8, GIB, instance=2)
    rig.activity.ran(7, IN_A, SECOND)
    rig.activity.ran(8, IN_B, SECOND)
    rig.tick_gpu(150)
    rig.activity.ran(7, IN_A, SECOND)
    rig.activity.ran(8, IN_B, SECOND)
    snapshot = rig.tick_gpu(600)

    assert of_container(snapshot, A) == pytest.approx(150, abs=1e-5)
    assert of_container(snapshot, B) == pytest.approx(300, abs=1e-5)
    assert snapshot.gpus[0].instances == 2


def test_gpu_time_and_energy_survive_a_restart(tmp_path: Path, nvml: FakeNvml) -> None:
    state = tmp_path / "state.json"
    rig = GpuRig(tmp_path / "rig", nvml, state=state)
    rig.activity.ran(7, IN_A, SECOND)
    before = rig.tick_gpu(550, p7=50)
    rig.monitor.close()

    nvml.gpus.clear()
    again = GpuRig(tmp_path / "rig", nvml, state=state, clock=rig.clock)
    again.monitor.resume()
    again.activity.cgroup(IN_A)
    again.tick_gpu()
    after = again.tick_gpu(150)

    assert of_container(after, A) == of_container(before, A) == 400
    assert after.containers.gpu_ns is not None
    assert before.containers.gpu_ns is not None
    assert after.containers.gpu_ns.sum() == before.containers.gpu_ns.sum() > 0


def test_without_a_gpu_nothing_of_gpus_is_in_the_snapshot(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    rig.tick()
    snapshot = rig.tick(package_j=100)

    assert snapshot is not None
    assert snapshot.gpus == ()
    assert snapshot.containers.gpu_ns is None
    assert "gpu" not in snapshot.capacity


def test_a_script_with_known_truth_gives_each_process_its_energy_within_2_percent(
    make: Make,
) -> None:
    """Draw = 30 W + 4 W per percent; processes begin, end and change their load in a tick."""
    rig = make(gpus=2)
    random = np.random.default_rng(5)
    truth: dict[int, float] = dict.fromkeys(range(1, 13), 0.0)
    for tick in range(60):
        energy_j = [0.0, 0.0]
        for gpu in rig.nvml.gpus:
            gpu.samples.clear()
        for second in range(1, 6):
            for pid in truth:
                device = pid % 2
                runs = random.random() < (0.3 + 0.05 * pid)
                percent = int(random.integers(1, 16)) if runs else 0
                truth[pid] += 4.0 * percent
                energy_j[device] += 4.0 * percent
                if percent:
                    rig.nvml.gpus[device].ran(pid, percent, at_us=rig.now_us + second * US)
        for pid in truth:
            rig.activity.ran(pid, f"/docker/{pid:064x}", SECOND // 10, alive=tick < 59)
        rig.now_us += 5 * US
        for gpu, joules in zip(rig.nvml.gpus, energy_j, strict=True):
            assert gpu.energy_mj is not None
            gpu.energy_mj += round((joules + 150) * 1000)
        rig.nvml.write()
        snapshot = rig.tick()
    assert snapshot is not None
    check(snapshot)

    for pid, energy in truth.items():
        assert of_process(snapshot, pid) == pytest.approx(energy, rel=0.02)


uses = st.lists(
    st.tuples(
        st.integers(1, 6),  # pid
        st.integers(0, 1),  # device
        st.integers(0, 100),  # percent
        st.sampled_from([0, 1, 5 << 20, 3 << 30]),  # memory
        st.booleans(),  # used the CPU too
        st.booleans(),  # alive
    ),
    max_size=6,
)
ticks = st.lists(
    st.tuples(
        uses,
        st.tuples(st.integers(0, 9_000_000), st.integers(0, 9_000_000)),
        st.sampled_from(["", "", "", "energy", "samples", "lost", "activity", "suspend"]),
    ),
    min_size=1,
    max_size=8,
)


@settings(max_examples=examples(60), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    script=ticks,
    policy=st.sampled_from(["none", "usage", "full", "even", "reserved"]),
    gpu_floor=st.sampled_from(["even", "memory"]),
)
def test_whatever_happens_shares_and_floor_are_the_counter_to_the_microjoule(
    tmp_path_factory: pytest.TempPathFactory,
    nvml_library: Path,
    script: list[Any],
    policy: str,
    gpu_floor: str,
) -> None:
    folder = tmp_path_factory.mktemp("rig")
    nvml = FakeNvml(folder / "nvml", nvml_library)
    rig = GpuRig(folder, nvml, 2, policy=policy, gpu_floor=gpu_floor)
    before = None
    for used, energy, event in script:
        for index, gpu in enumerate(nvml.gpus):
            gpu.processes.clear()
            gpu.failing.clear()
            gpu.samples.clear()
            gpu.error = 0
            gpu.energy_mj = (gpu.energy_mj or 0) + energy[index]
        for pid, device, percent, memory, on_cpu, alive in used:
            nvml.gpus[device].ran(pid, percent, at_us=rig.now_us + pid * 1000)
            if memory:
                nvml.gpus[device].holds(pid, memory)
            if on_cpu:
                rig.activity.ran(pid, IN_A if pid % 2 else SYSTEM, SECOND, alive=alive)
        if event in ("energy", "samples"):
            nvml.gpus[0].fail(event, UNKNOWN)
        nvml.gpus[1].error = GPU_IS_LOST if event == "lost" else 0
        rig.activity.fail_next = event == "activity"
        if event == "suspend":
            rig.clock.suspend(60)
        rig.now_us += 5 * US
        nvml.write()
        snapshot = rig.tick()
        if snapshot is None:
            continue
        check(snapshot)
        if before is not None:
            width = before.node.energy_uj.shape[0]
            assert (snapshot.node.energy_uj[:width] >= before.node.energy_uj).all()
        before = snapshot
    rig.monitor.close()
