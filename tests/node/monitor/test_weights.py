"""Watts per core are learned by workload, used or only shown, and kept over a restart."""

from pathlib import Path

import numpy as np
import pytest
from prometheus_client.parser import text_string_to_metric_families as families_of

from wattribute.core.records import Mode, Snapshot, Workload
from wattribute.node.estimates.choose import EstimatedComponents
from wattribute.node.exporter.api.rows import container_rows
from wattribute.node.exporter.exposition import Renderer, text
from wattribute.node.exporter.families import metrics_families
from wattribute.node.exporter.layout import ContainerLabels, ProcessLabels
from wattribute.node.exporter.scene import NodeLabels, Scene
from wattribute.node.sharing.weight_choice import WeightSetting
from wattribute_testing.rig import Rig, row_of

SECOND = 1_000_000_000
HOT, COOL = "a" * 64, "b" * 64
WATTS = {HOT: 10.0, COOL: 4.0}


def rig(folder: Path, weight: WeightSetting = "learned", **more: object) -> Rig:
    made = Rig(folder, weight=weight, given=lambda _: 0, **more)  # type: ignore[arg-type]
    for container in WATTS:
        made.names.known.setdefault(
            container, Workload(container="hot" if container == HOT else "cool", image="f" * 12)
        )
    return made


def run(machine: Rig, ticks: int, seed: int = 0) -> Snapshot:
    """Let both containers run at loads that vary; the package uses what they cost."""
    random = np.random.default_rng(seed)
    snapshot = None
    for _ in range(ticks):
        energy_j = 0.0
        for pid, (container, watts) in enumerate(WATTS.items(), start=1):
            cores = float(random.uniform(0.2, 1.8))
            machine.activity.ran(pid, f"/docker/{container}", round(cores * 5 * SECOND))
            energy_j += cores * 5 * watts
        cores = float(random.uniform(0.2, 0.8))
        machine.activity.ran(9, "/system.slice/nginx.service", round(cores * 5 * SECOND))
        energy_j += cores * 5 * 7.0
        snapshot = machine.tick(energy_j, energy_j / 10)
    assert snapshot is not None
    return snapshot


def energy(snapshot: Snapshot, container: str, column: int = 0) -> int:
    row = row_of(snapshot, container_id=container)
    return int(snapshot.containers.energy_uj[row, column, Mode.DYNAMIC])


def gained(before: Snapshot, after: Snapshot) -> float:
    """Watts per core of hot over those of cool, by what both got between two snapshots."""
    cpu_ns = [
        int(after.containers.cpu_ns[row_of(after, container_id=c)])
        - int(before.containers.cpu_ns[row_of(before, container_id=c)])
        for c in (HOT, COOL)
    ]
    uj = [energy(after, c) - energy(before, c) for c in (HOT, COOL)]
    return uj[0] / cpu_ns[0] * cpu_ns[1] / uj[1]


def test_a_second_of_the_hot_one_is_charged_more(tmp_path: Path) -> None:
    machine = rig(tmp_path)

    before = run(machine, 110)
    after = run(machine, 40, seed=1)

    assert gained(before, after) == pytest.approx(2.5, rel=0.05)
    row = row_of(after, container_id=HOT)
    table = after.containers
    assert table.watts_per_core is not None
    ratio, low, high = table.watts_per_core[row]
    assert low < ratio < high
    assert ratio > 1.2
    assert table.time_uj is not None
    assert int(table.time_uj[row, 0]) < energy(after, HOT)
    package = next(weight for weight in after.weights if weight.zone.kind == "package")
    assert package.shared_by == "learned-1"
    assert package.learned is not None
    assert {(k.owner_kind, k.owner_name, k.image) for k in package.learned.keys} >= {
        ("container", "hot", "f" * 12),
        ("container", "cool", "f" * 12),
        ("unit", "nginx.service", ""),
    }


def test_in_shadow_weights_are_shown_and_not_used(tmp_path: Path) -> None:
    machine = rig(tmp_path, "shadow")

    after = run(machine, 110)

    table = after.containers
    row = row_of(after, container_id=HOT)
    assert table.time_uj is not None
    assert int(table.time_uj[row, 0]) == energy(after, HOT)
    assert table.learned_uj is not None
    assert int(table.learned_uj[row, 0]) > energy(after, HOT)
    assert table.watts_per_core is not None
    ratio, low, high = table.watts_per_core[row]
    assert ratio > 1.2
    assert low < ratio < high
    shown = {r.container_name: r for r in container_rows(after)}
    hot, cool = shown["hot"].watts_per_core, shown["cool"].watts_per_core
    assert hot is not None
    assert cool is not None
    assert hot / cool == pytest.approx(2.5, rel=0.1)
    assert after.weights[0].shared_by == "time"
    assert "shadow" in after.weights[0].reason


@pytest.mark.parametrize("weight", ["time", "cycles"])
def test_by_time_nothing_is_learned(tmp_path: Path, weight: WeightSetting) -> None:
    machine = rig(tmp_path, weight)

    after = run(machine, 5)

    assert {w.shared_by for w in after.weights} == {"time"}
    assert after.weights[0].learned is None
    assert after.containers.watts_per_core is None
    assert after.containers.low_uj is None


def test_a_restart_keeps_what_was_learned(tmp_path: Path) -> None:
    state = tmp_path / "state"
    machine = rig(tmp_path, state=state, cpu_name="Xeon")
    run(machine, 110)

    again = rig(tmp_path, state=state, cpu_name="Xeon", clock=machine.clock)
    again.monitor.resume()
    run(again, 2)
    before = run(again, 1)
    after = run(again, 12, seed=2)

    assert gained(before, after) == pytest.approx(2.5, rel=0.2)


def test_another_cpu_begins_cold_and_says_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    state = tmp_path / "state"
    machine = rig(tmp_path, state=state, cpu_name="Xeon")
    run(machine, 40)

    again = rig(tmp_path, state=state, cpu_name="EPYC", clock=machine.clock)
    again.monitor.resume()

    assert "weights were learned on Xeon, and this is EPYC" in caplog.text
    before = run(again, 2)
    assert gained(before, run(again, 1)) == pytest.approx(1.0, abs=0.15)


def test_weights_that_cannot_be_read_cost_the_weights_alone(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    state = tmp_path / "state"
    machine = rig(tmp_path, state=state)
    total = energy(run(machine, 40), HOT)
    state.write_text(state.read_text().replace("learned-1", "learned-0"))

    again = rig(tmp_path, state=state, clock=machine.clock)
    again.monitor.resume()

    assert "learned anew" in caplog.text
    assert energy(run(again, 3), HOT) > total


def test_a_name_that_comes_late_takes_the_coefficient_along(tmp_path: Path) -> None:
    machine = Rig(tmp_path, weight="learned", given=lambda _: 0)
    run(machine, 110)
    machine.names.known[HOT] = Workload(
        pod="bot-0", namespace="ml", container="main", owner_kind="Deployment", owner_name="bot"
    )

    snapshot = run(machine, 3)

    learned = snapshot.weights[0].learned
    assert learned is not None
    by_owner = dict(zip((k.owner_name for k in learned.keys), learned.ratio, strict=True))
    assert by_owner["bot"] > 1.2
    assert HOT not in by_owner


def test_estimates_are_shared_by_time(tmp_path: Path) -> None:
    machine = rig(tmp_path, estimated=EstimatedComponents(missing=frozenset({"other"})))

    snapshot = run(machine, 5)

    by_kind = {weight.zone.kind: weight for weight in snapshot.weights}
    assert by_kind["other"].shared_by == "time"
    assert by_kind["other"].reason == "the energy is estimated from CPU time"


def test_after_a_tick_that_nobody_saw_the_last_weights_are_used(tmp_path: Path) -> None:
    machine = rig(tmp_path)
    before = run(machine, 110)
    machine.activity.fail_next = True
    machine.tick(35.0)

    after = run(machine, 1)

    package = next(weight for weight in after.weights if weight.zone.kind == "package")
    assert package.learned is not None
    assert package.learned.skipped["late"] >= 1
    assert gained(before, after) == pytest.approx(2.5, rel=0.1)


def test_what_was_learned_is_on_the_page_of_metrics(tmp_path: Path) -> None:
    snapshot = run(rig(tmp_path), 110)
    scene = Scene(snapshot, NodeLabels("n"), (), ContainerLabels(), ProcessLabels())
    families = metrics_families("none", processes=False)
    page = b"".join(text(Renderer().render(families, scene))).decode()

    values = {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in families_of(page)
        for sample in family.samples
    }

    def value_of(name: str, **labels: str) -> float:
        (value,) = (
            value
            for (family, *pairs), value in values.items()
            if family == name and labels.items() <= dict(pairs).items()
        )
        return value

    hot = {"container_id": HOT, "component": "cpu"}
    energy_j = value_of("wattribute_container_joules_total", mode="dynamic", **hot)
    low_j = value_of("wattribute_container_band_joules_total", bound="low", **hot)
    high_j = value_of("wattribute_container_band_joules_total", bound="high", **hot)
    time_j = value_of("wattribute_container_weighed_joules_total", weight="time", **hot)
    assert low_j < energy_j < high_j
    assert time_j < energy_j
    named = {"owner_kind": "container", "owner_name": "hot", "zone": "package-0"}
    ratio = value_of("wattribute_workload_watts_per_core_ratio", **named)
    assert value_of("wattribute_workload_watts_per_core_ratio_low", **named) < ratio
    assert ratio < value_of("wattribute_workload_watts_per_core_ratio_high", **named)
    assert value_of("wattribute_zone_weight_info", zone="package-0", shared_by="learned-1") == 1
    assert value_of("wattribute_learner_slots", zone="package-0") == 3
    assert value_of("wattribute_learner_seconds_total", zone="package-0") > 0


def test_rows_that_waited_for_a_meter_count_like_those_of_the_tick(tmp_path: Path) -> None:
    """Before anything is chosen for the zone, its rows wait: they must not lose by that."""
    machine = rig(tmp_path)
    package = "class/powercap/intel-rapl:0/energy_uj"
    machine.tick(10.0)
    kept = int((machine.sysfs.root / package).read_text())
    machine.activity.ran(1, f"/docker/{HOT}", 5 * SECOND)
    machine.sysfs.write_raw(package, b"junk")
    machine.tick()
    machine.sysfs.energy("intel-rapl:0", kept)
    machine.activity.ran(2, f"/docker/{COOL}", 5 * SECOND)

    snapshot = machine.tick(100.0)

    assert snapshot is not None
    assert energy(snapshot, HOT) == pytest.approx(energy(snapshot, COOL), rel=0.01)


def test_an_upgrade_books_nothing_again_because_images_became_known(tmp_path: Path) -> None:
    state = tmp_path / "state"
    old = Rig(tmp_path, state=state, given=lambda _: 0)
    for container in WATTS:
        old.names.known[container] = Workload(container=container[:3])
    before = run(old, 3)
    uid = before.containers.consumers[row_of(before, container_id=HOT)].uid

    for container in WATTS:
        old.names.known[container] = Workload(container=container[:3], image="f" * 12)
    after = run(old, 1)

    consumer = after.containers.consumers[row_of(after, container_id=HOT)]
    assert (consumer.uid, consumer.image) == (uid, "f" * 12)


def test_a_band_never_holds_more_than_there_was(tmp_path: Path) -> None:
    machine = rig(tmp_path)
    snapshot = None
    for _ in range(3):
        machine.activity.ran(1, f"/docker/{HOT}", SECOND)
        snapshot = machine.tick(20.0)

    assert snapshot is not None
    table = snapshot.containers
    assert table.high_uj is not None
    assert (table.high_uj.sum(axis=0) <= table.energy_uj[:, :, Mode.DYNAMIC].sum(axis=0) * 2).all()
    row = row_of(snapshot, container_id=HOT)
    assert table.high_uj[row, 0] <= table.energy_uj[:, 0, Mode.DYNAMIC].sum()


def test_a_zone_that_is_silent_for_good_is_no_longer_reported(tmp_path: Path) -> None:
    machine = rig(tmp_path)
    run(machine, 3)
    machine.sysfs.write_raw("class/powercap/intel-rapl:0/energy_uj", b"junk")

    snapshot = run(machine, 5)

    assert {weight.zone.kind for weight in snapshot.weights} == {"dram"}
