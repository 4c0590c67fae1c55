"""The loop, tick by tick, on a folder for sysfs and an activity source under our control."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wattribute.core.errors import StateInvalid
from wattribute.core.files import draft_of
from wattribute.core.records import Mode, Snapshot, Workload
from wattribute_testing.rig import Rig, joules_of, row_of
from wattribute_testing.strength import examples

SECOND = 1_000_000_000
J = 1_000_000
ID = "a" * 64
OTHER_ID = "b" * 64
DOCKER = f"/docker/{ID}"


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    rig = Rig(tmp_path)
    rig.tick()
    return rig


def assert_balanced(snapshot: Snapshot | None) -> None:
    assert snapshot is not None
    node = snapshot.node
    shared = snapshot.containers.energy_uj.sum(axis=0) + sum(
        snapshot.retired_uj.values(), np.zeros_like(node.energy_uj)
    )
    assert (shared[:, Mode.DYNAMIC] + node.unattributed_uj == node.energy_uj[:, Mode.DYNAMIC]).all()
    assert (shared[:, Mode.IDLE] + node.idle_uj == node.energy_uj[:, Mode.IDLE]).all()


def test_one_reading_makes_nothing(rig: Rig) -> None:
    assert rig.monitor.snapshot() is None


def test_energy_above_the_floor_goes_to_those_who_ran(rig: Rig) -> None:
    rig.activity.ran(7, DOCKER, 3 * SECOND)
    rig.activity.ran(8, "/system.slice/ssh.service", 1 * SECOND)
    snapshot = rig.tick(package_j=450, dram_j=90)

    assert joules_of(snapshot, container_id=ID) == pytest.approx(300 + 30)
    assert joules_of(snapshot, kind="system") == pytest.approx(100 + 10)
    assert snapshot
    assert snapshot.node.idle_uj.tolist() == [50 * J, 50 * J]
    assert snapshot.node.unattributed_uj.tolist() == [0, 0]
    assert snapshot.containers.power_uw[row_of(snapshot, container_id=ID)] == 66 * J
    assert_balanced(snapshot)


def test_with_nobody_active_energy_above_the_floor_is_unattributed(rig: Rig) -> None:
    snapshot = rig.tick(package_j=60, dram_j=20)

    assert snapshot
    assert snapshot.node.unattributed_uj.tolist() == [10 * J, 0]
    assert snapshot.node.energy_uj.sum() == 80 * J


def test_kernel_threads_are_a_row_of_their_own(rig: Rig) -> None:
    rig.activity.ran(2, "kernel", SECOND)
    snapshot = rig.tick(package_j=100)

    assert joules_of(snapshot, kind="kernel", namespace="kernel") == pytest.approx(50)


def test_interrupts_that_no_task_has_in_its_time_are_the_kernels(rig: Rig) -> None:
    rig.activity.irq_ns = SECOND
    rig.activity.ran(7, DOCKER, 3 * SECOND)
    snapshot = rig.tick(package_j=450)

    assert joules_of(snapshot, kind="kernel") == pytest.approx(100)
    assert joules_of(snapshot, container_id=ID) == pytest.approx(300)


def test_time_that_no_process_explains_is_an_explicit_row_of_the_container(rig: Rig) -> None:
    rig.activity.ran(7, DOCKER, 1 * SECOND)
    rig.activity.cgroup(DOCKER, cpu_ns=4 * SECOND)
    rig.activity.cgroup("/docker", cpu_ns=4 * SECOND)
    rig.activity.cgroup("/", cpu_ns=4 * SECOND)
    snapshot = rig.tick(package_j=450)

    assert joules_of(snapshot, container_id=ID) == pytest.approx(400)
    assert snapshot
    table = snapshot.processes
    assert table.pid.tolist() == [7, 0]
    # A little of it (25 ms per CPU) waits for death records that are late.
    assert table.cpu_ns.tolist() == [SECOND, 3 * SECOND - 100_000_000]


def test_processes_that_sum_to_more_than_their_container_are_scaled_down(rig: Rig) -> None:
    rig.activity.ran(7, DOCKER, 4 * SECOND)
    rig.activity.ran(8, "/user.slice", 4 * SECOND)
    for path in (DOCKER, "/docker"):
        rig.activity.cgroup(path, cpu_ns=2 * SECOND)
    rig.activity.cgroup("/", cpu_ns=6 * SECOND)
    snapshot = rig.tick(package_j=650)

    assert joules_of(snapshot, container_id=ID) == pytest.approx(200)
    assert joules_of(snapshot, kind="system") == pytest.approx(400)


def test_a_removed_container_keeps_the_time_of_its_last_interval(rig: Rig) -> None:
    rig.activity.ran(7, DOCKER, SECOND)
    rig.tick(package_j=150)
    rig.activity.cgroup("/docker", cpu_ns=2 * SECOND)
    rig.activity.remove(DOCKER)
    rig.activity.ran(9, "/user.slice", 2 * SECOND)
    snapshot = rig.tick(package_j=250)

    assert joules_of(snapshot, container_id=ID) == pytest.approx(100 + 100)
    assert_balanced(snapshot)
    rig.activity.ran(9, "/user.slice", 2 * SECOND)
    snapshot = rig.tick(package_j=250)
    assert snapshot
    assert not snapshot.containers.alive[row_of(snapshot, container_id=ID)]


def test_time_of_several_removed_containers_of_a_pod_goes_to_its_ended_row(rig: Rig) -> None:
    pod = "/kubepods/burstable/pod0f8c2a7e-1111-2222-3333-444455556666"
    for name in (ID, OTHER_ID):
        rig.activity.ran(7, f"{pod}/{name}", SECOND)
    rig.tick(package_j=250)
    for name in (ID, OTHER_ID):
        rig.activity.remove(f"{pod}/{name}")
    for path in (pod, "/kubepods/burstable", "/kubepods", "/"):
        rig.activity.cgroup(path, cpu_ns=SECOND)
    snapshot = rig.tick(package_j=150)
    rig.activity.ran(9, "/user.slice", SECOND // 1000)
    snapshot = rig.tick(package_j=50)

    uid = "0f8c2a7e-1111-2222-3333-444455556666"
    assert joules_of(snapshot, kind="ended", pod_uid=uid, container_name="ended") == pytest.approx(
        100, rel=0.02
    )


def test_series_of_an_ended_container_stay_for_linger_and_then_go(rig: Rig) -> None:
    rig.activity.ran(7, DOCKER, SECOND)
    rig.tick(package_j=150)
    rig.activity.remove(DOCKER)
    rig.tick(package_j=50)
    snapshot = rig.tick(package_j=50)
    assert joules_of(snapshot, container_id=ID) == pytest.approx(100)

    snapshot = rig.tick(package_j=50, seconds=301)
    assert snapshot
    assert ID not in {consumer.container_id for consumer in snapshot.containers.consumers}


def test_a_container_that_appears_later_is_held_at_birth(rig: Rig) -> None:
    for _ in range(3):
        rig.activity.ran(1, "/user.slice", SECOND)
        rig.tick(package_j=50)
    rig.activity.ran(7, DOCKER, SECOND)
    snapshot = rig.tick(package_j=150)
    assert snapshot
    assert snapshot.containers.held[row_of(snapshot, container_id=ID)]
    assert snapshot.birth_held_uj[:, Mode.DYNAMIC].sum() == 100 * J

    snapshot = rig.tick(package_j=50, seconds=30)
    assert snapshot
    assert not snapshot.containers.held.any()
    assert snapshot.birth_held_uj.sum() == 0


def test_a_container_that_is_there_from_the_start_is_not_held(rig: Rig) -> None:
    rig.activity.ran(7, DOCKER, SECOND)
    snapshot = rig.tick(package_j=150)

    assert snapshot
    assert not snapshot.containers.held.any()


def test_a_name_within_birth_hold_is_the_only_name(rig: Rig) -> None:
    for _ in range(3):
        rig.tick(package_j=50)
    rig.activity.ran(7, DOCKER, SECOND)
    rig.tick(package_j=150)
    rig.names.known = {ID: Workload(pod="web", namespace="shop", container="app")}
    snapshot = rig.tick(package_j=50)

    assert joules_of(snapshot, container_id=ID) == pytest.approx(100)
    assert snapshot
    assert snapshot.containers.consumers[row_of(snapshot, container_id=ID)].pod_name == "web"


def test_a_name_that_comes_late_begins_a_series_of_its_own(rig: Rig) -> None:
    rig.activity.ran(7, DOCKER, SECOND)
    rig.tick(package_j=150)
    rig.activity.cgroup(DOCKER)
    rig.tick(seconds=40)
    rig.names.known = {ID: Workload(pod="web", namespace="shop", container="app")}
    rig.activity.ran(7, DOCKER, SECOND)
    rig.tick(package_j=150)
    rig.activity.ran(7, DOCKER, SECOND)
    snapshot = rig.tick(package_j=150)

    assert joules_of(snapshot, container_id=ID, pod_name="") == pytest.approx(200)
    assert joules_of(snapshot, container_id=ID, pod_name="web") == pytest.approx(100)
    assert_balanced(snapshot)


def test_a_virtual_machine_is_a_second_view_of_its_energy(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    rig.monitor._rows._vm_of = lambda pid, _comm: "guest" if pid == 7 else ""
    rig.tick()
    rig.activity.ran(7, DOCKER, 2 * SECOND, comm="qemu-system-x86")
    rig.activity.ran(8, "/machine.slice/machine-qemu\\x2d1\\x2dother.scope", SECOND)
    snapshot = rig.tick(package_j=350)

    assert snapshot
    energy = dict(zip(snapshot.vms.ids, snapshot.vms.energy_uj.sum(axis=(1, 2)), strict=True))
    assert energy == {"guest": 200 * J, "other": 100 * J}
    assert joules_of(snapshot, container_id=ID) == pytest.approx(200)
    assert joules_of(snapshot, kind="system") == pytest.approx(100)


def test_a_zone_that_fails_twice_gets_its_energy_shared_by_who_ran_meanwhile(
    rig: Rig,
) -> None:
    energy = "class/powercap/intel-rapl:0/energy_uj"
    rig.activity.ran(7, DOCKER, 3 * SECOND)
    rig.sysfs.write_raw(energy, b"")
    rig.clock.advance(5)
    rig.monitor.tick()
    rig.sysfs.write(energy, 200 * J)
    rig.activity.ran(8, "/user.slice", SECOND)
    rig.clock.advance(5)
    rig.monitor.tick()
    snapshot = rig.monitor.snapshot()

    assert joules_of(snapshot, container_id=ID) == pytest.approx(75)
    assert joules_of(snapshot, kind="system") == pytest.approx(25)
    assert_balanced(snapshot)


def test_a_zone_that_was_down_for_long_gives_its_energy_to_nobody(rig: Rig) -> None:
    energy = "class/powercap/intel-rapl:0/energy_uj"
    rig.sysfs.write_raw(energy, b"")
    for _ in range(4):
        rig.activity.ran(7, DOCKER, SECOND)
        rig.clock.advance(5)
        rig.monitor.tick()
    snapshot = rig.monitor.snapshot()
    assert snapshot
    assert [total.up for total in snapshot.node.zones if total.zone.kind == "package"] in (
        [],
        [False],
    )
    rig.sysfs.write(energy, 400 * J)
    rig.clock.advance(5)
    rig.activity.ran(7, DOCKER, SECOND)
    rig.monitor.tick()
    snapshot = rig.monitor.snapshot()

    assert snapshot
    package = [c.kind for c in snapshot.channels].index("package")
    assert snapshot.node.unattributed_uj[package] == 150 * J
    assert snapshot.node.idle_uj[package] == 250 * J
    assert_balanced(snapshot)


def test_a_failed_activity_read_delays_energy_and_loses_none(rig: Rig) -> None:
    rig.activity.fail_next = True
    rig.tick(package_j=150)
    rig.activity.ran(7, DOCKER, SECOND)
    snapshot = rig.tick(package_j=150)

    assert joules_of(snapshot, container_id=ID) == pytest.approx(200)
    assert snapshot
    assert snapshot.health.activity_failures == 1
    assert_balanced(snapshot)


def test_energy_of_a_suspend_is_dropped_and_counted(rig: Rig) -> None:
    rig.activity.ran(7, DOCKER, SECOND)
    rig.tick(package_j=150)
    rig.clock.suspend(3600)
    rig.activity.ran(7, DOCKER, SECOND)
    rig.tick(package_j=9000)
    rig.activity.ran(7, DOCKER, SECOND)
    snapshot = rig.tick(package_j=150)

    assert joules_of(snapshot, container_id=ID) == pytest.approx(200)
    assert snapshot
    assert snapshot.health.dropped_intervals["suspend"] == 2


def test_a_step_of_the_wall_clock_changes_nothing(rig: Rig) -> None:
    rig.activity.ran(7, DOCKER, SECOND)
    rig.clock.step_wall(-1e6)
    snapshot = rig.tick(package_j=150)

    assert joules_of(snapshot, container_id=ID) == pytest.approx(100)


def test_an_impossible_interval_is_dropped_and_counted(rig: Rig) -> None:
    rig.activity.ran(7, DOCKER, SECOND)
    snapshot = rig.tick(package_j=20_000)

    assert snapshot
    assert snapshot.health.dropped_intervals["impossible"] == 1
    assert snapshot.node.energy_uj.sum() == 0


def test_a_counter_that_starts_anew_charges_nobody(rig: Rig) -> None:
    rig.tick(package_j=100)
    rig.sysfs.write("class/powercap/intel-rapl:0/energy_uj", 5)
    rig.clock.advance(5)
    rig.monitor.tick()
    snapshot = rig.monitor.snapshot()

    assert snapshot
    assert snapshot.health.dropped_intervals["reset"] == 1
    assert snapshot.node.energy_uj.sum() == 100 * J


def test_floor_by_use_is_paid_by_containers_and_the_rest_is_idle(tmp_path: Path) -> None:
    rig = Rig(tmp_path, policy="usage")
    rig.tick()
    rig.activity.ran(7, DOCKER, 5 * SECOND)
    snapshot = rig.tick(package_j=100)

    assert snapshot
    package = [c.kind for c in snapshot.channels].index("package")
    paid = snapshot.containers.energy_uj[row_of(snapshot, container_id=ID), package]
    assert paid.tolist() == [50 * J, 50 * J // 4]
    assert snapshot.node.idle_uj[package] == 50 * J * 3 // 4
    assert_balanced(snapshot)


def test_reserved_floor_goes_by_requests(tmp_path: Path) -> None:
    rig = Rig(tmp_path, policy="reserved")
    rig.names.known = {ID: Workload(pod="web", container="app", requests={"cpu_mcore": 1000})}
    rig.tick()
    rig.activity.cgroup(DOCKER)
    rig.activity.ran(7, DOCKER, SECOND)
    rig.tick(package_j=50)
    snapshot = rig.tick(package_j=50)

    assert snapshot
    package = [c.kind for c in snapshot.channels].index("package")
    named = snapshot.containers.energy_uj[
        row_of(snapshot, container_id=ID, pod_name="web"), package
    ]
    assert named[Mode.IDLE] >= 50 * J // 4
    assert_balanced(snapshot)


def test_totals_survive_a_restart_and_never_fall(tmp_path: Path) -> None:
    state = tmp_path / "state"
    rig = Rig(tmp_path, state=state)
    rig.tick()
    rig.activity.ran(7, DOCKER, SECOND)
    rig.tick(package_j=150, dram_j=60)
    assert state.stat().st_mode & 0o777 == 0o600

    again = Rig(tmp_path, state=state, clock=rig.clock)
    again.monitor.resume()
    again.tick(package_j=70)
    again.activity.ran(7, DOCKER, SECOND)
    snapshot = again.tick(package_j=150, dram_j=50)

    assert joules_of(snapshot, container_id=ID) == pytest.approx(110 + 100)
    assert snapshot
    assert not snapshot.containers.held.any()
    package = [c.kind for c in snapshot.channels].index("package")
    # What was used between the last saved reading and the first new one has no owner.
    assert snapshot.node.unattributed_uj[package] == 20 * J
    assert snapshot.node.energy_uj[package].sum() == (150 + 70 + 150) * J
    assert_balanced(snapshot)


def test_another_boot_starts_totals_at_zero_and_keeps_floors(tmp_path: Path) -> None:
    state = tmp_path / "state"
    rig = Rig(tmp_path, state=state, given=lambda _: None)
    rig.tick()
    rig.tick(package_j=150)

    again = Rig(tmp_path, state=state, boot="another", given=lambda _: None)
    with pytest.raises(StateInvalid, match="booted"):
        again.monitor.resume()
    again.tick()
    snapshot = again.tick(package_j=10)
    assert snapshot
    assert snapshot.node.energy_uj.sum() == 10 * J


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b"\xff\xfe", b'{"schema": 99}', b"null", b"[" * 100_000],
)
def test_a_corrupt_state_file_is_refused_in_one_line(tmp_path: Path, content: bytes) -> None:
    state = tmp_path / "state"
    state.write_bytes(content)
    rig = Rig(tmp_path, state=state)

    with pytest.raises(StateInvalid, match="state") as caught:
        rig.monitor.resume()
    assert "\n" not in str(caught.value)


def test_state_of_another_machine_is_refused(tmp_path: Path) -> None:
    state = tmp_path / "state"
    rig = Rig(tmp_path, state=state)
    rig.tick()
    rig.tick(package_j=150)
    again = Rig(tmp_path, state=state, machine="another", boot="another")

    with pytest.raises(StateInvalid, match="machine"):
        again.monitor.resume()


def test_a_state_that_cannot_be_written_is_removed_rather_than_left_behind(tmp_path: Path) -> None:
    state = tmp_path / "state"
    rig = Rig(tmp_path, state=state)
    rig.tick()
    rig.tick(package_j=150)
    draft_of(tmp_path / "state").mkdir()
    snapshot = rig.tick(package_j=150)

    assert snapshot
    assert snapshot.health.state_failures == 1
    assert not state.exists()


@settings(max_examples=examples(40))
@given(
    ticks=st.lists(
        st.tuples(
            st.floats(0, 900),
            st.floats(0, 300),
            st.lists(
                st.tuples(
                    st.integers(1, 9),
                    st.sampled_from([DOCKER, f"/docker/{OTHER_ID}", "/user.slice", "kernel"]),
                    st.integers(0, 5 * SECOND),
                    st.booleans(),
                ),
                max_size=6,
            ),
            st.sampled_from(["", "fail", "blind", "remove", "name"]),
        ),
        max_size=12,
    ),
    policy=st.sampled_from(["none", "usage", "full", "even", "reserved"]),
)
def test_whatever_happens_energy_adds_up_to_the_microjoule_and_only_rises(
    tmp_path_factory: pytest.TempPathFactory,
    ticks: list[tuple[float, float, list[tuple[int, str, int, bool]], str]],
    policy: str,
) -> None:
    rig = Rig(tmp_path_factory.mktemp("rig"), policy=policy, given=lambda _: 7 * J)
    rig.tick()
    before: dict[int, np.ndarray] = {}
    energy = "class/powercap/intel-rapl:0/energy_uj"
    for package_j, dram_j, ran, event in ticks:
        for pid, cgroup, cpu_ns, alive in ran:
            rig.activity.ran(pid, cgroup, cpu_ns, alive=alive)
        rig.activity.fail_next = event == "blind"
        if event == "remove" and DOCKER in rig.activity.present:
            rig.activity.remove(DOCKER)
        if event == "name":
            rig.names.known = {ID: Workload(pod="web", requests={"cpu_mcore": 500})}
        kept = (rig.sysfs.root / energy).read_bytes()
        if event == "fail":
            rig.sysfs.write_raw(energy, b"junk")
            rig.clock.advance(5)
            rig.monitor.tick()
            rig.sysfs.write_raw(energy, kept)
        snapshot = rig.tick(package_j, dram_j)
        if snapshot is None:
            continue
        assert_balanced(snapshot)
        for consumer, total in zip(
            snapshot.containers.consumers, snapshot.containers.energy_uj, strict=True
        ):
            earlier = before.get(consumer.uid, np.zeros_like(total))
            assert (total[: len(earlier)] >= earlier).all()
            before[consumer.uid] = total


def test_a_machine_without_cgroups_is_measured_all_the_same(rig: Rig) -> None:
    rig.activity.present.clear()
    rig.activity.processes.append((7, "/", "work", SECOND, True))
    snapshot = rig.tick(package_j=150)

    assert joules_of(snapshot, kind="system") == pytest.approx(100)
