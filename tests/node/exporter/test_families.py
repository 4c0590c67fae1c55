from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from prometheus_client.parser import text_string_to_metric_families as families_of

from wattribute.core.records import Channel, Consumer, Origin, Snapshot
from wattribute.node.exporter import health, own, reference
from wattribute.node.exporter.families import GROUPS, kepler_families, metrics_families
from wattribute.node.exporter.identity import container_id_of
from wattribute_testing.snapshots import ESTIMATED, RAPL, SnapshotMaker

if TYPE_CHECKING:
    from conftest import Painter

DOCS = Path(__file__).parents[3] / "docs/reference"
OPERATORS = {"job", "instance", "namespace", "pod", "service", "container", "endpoint"}
"""Target labels of an operator's scrape (design section 9, rule 9)."""


def shown(painter: "Painter", snapshot: Snapshot, generation: str = "kepler-0.9") -> dict:
    page = painter.text(snapshot, metrics_families(generation, processes=True))
    return {family.name: family.samples for family in families_of(page)}


def renamed(snapshot: Snapshot, row: int, **changes: object) -> Snapshot:
    consumers = list(snapshot.containers.consumers)
    consumers[row] = replace(consumers[row], **changes)
    return replace(snapshot, containers=replace(snapshot.containers, consumers=tuple(consumers)))


@pytest.mark.parametrize(
    ("page", "render"),
    [("metrics.md", reference.render), ("snapshot.md", reference.render_snapshot)],
)
def test_the_reference_is_fresh(page: str, render: type) -> None:
    assert (DOCS / page).read_text(encoding="utf-8") == render(), "run `wattribute dev docs`"


def test_our_own_labels_leave_the_operators_alone() -> None:
    for family in (*own.FAMILIES, *health.FAMILIES):
        assert not OPERATORS & set(family.labels), family.name


@pytest.mark.parametrize("generation", ["kepler-0.9", "kepler-0.11", "none"])
def test_no_name_is_shown_twice_on_a_path(generation: str) -> None:
    names = [family.name for family in metrics_families(generation, processes=True)]

    assert len(names) == len(set(names))


def test_every_family_is_in_the_reference_once() -> None:
    families = [family for group in GROUPS for family in group.families]
    chosen = {
        family
        for generation in ("kepler-0.9", "kepler-0.11")
        for family in metrics_families(generation, processes=True)
    }

    assert set(families) == chosen


@pytest.mark.parametrize("generation", ["kepler-0.9", "kepler-0.11"])
def test_samples_have_the_labels_that_the_table_names(generation: str, painter: "Painter") -> None:
    snapshot = SnapshotMaker(containers=2, processes=4, vms=1, channels=ESTIMATED).tick()
    families = [
        family for family in metrics_families(generation, processes=True)
        if family.name != "wattribute_pod_labels"
    ]  # fmt: skip
    expected = {family.name.removesuffix("_total"): set(family.labels) for family in families}

    for family in families_of(painter.text(snapshot, families)):
        for sample in family.samples:
            assert set(sample.labels) == expected[family.name], family.name


def test_package_dram_other_and_gpu_always_exist_and_core_only_where_it_is(
    painter: "Painter",
) -> None:
    found = shown(painter, SnapshotMaker(channels=ESTIMATED[:1]).tick())

    for kind in ("dram", "other", "gpu"):
        samples = found[f"kepler_container_{kind}_joules"]
        assert {(s.labels["source"], s.value) for s in samples} == {("", 0.0)}
        assert {s.labels["mode"] for s in samples} == {"dynamic", "idle"}
    assert {s.labels["source"] for s in found["kepler_container_package_joules"]} == {
        "trained_power_model"
    }
    assert "kepler_container_core_joules" not in found
    assert "kepler_container_platform_joules" not in found


def test_after_a_fallback_both_sources_are_there(painter: "Painter") -> None:
    channels = (*RAPL, Channel("package", "trained_power_model", Origin.ESTIMATED))
    found = shown(painter, SnapshotMaker(channels=channels).tick())

    assert {s.labels["source"] for s in found["kepler_container_package_joules"]} == {
        "rapl-sysfs",
        "trained_power_model",
    }


def test_channels_that_differ_in_origin_alone_share_a_series(painter: "Painter") -> None:
    channels = (
        Channel("package", "hwmon", Origin.MEASURED),
        Channel("package", "hwmon", Origin.INTEGRATED),
    )
    snapshot = SnapshotMaker(containers=1, channels=channels).tick()
    samples = shown(painter, snapshot)["kepler_container_package_joules"]

    assert len(samples) == 2 * len(snapshot.containers.consumers)
    total = sum(round(s.value * 1e6) for s in samples)
    assert total == int(snapshot.containers.energy_uj.sum())


def test_special_rows_have_keplers_names(painter: "Painter") -> None:
    samples = shown(painter, SnapshotMaker().tick())["kepler_container_joules"]
    rows = {(s.labels["pod_name"], s.labels["container_namespace"]) for s in samples}

    assert {("system_processes", "system"), ("kernel_processes", "kernel")} <= rows


def test_ended_rows_of_two_nameless_pods_are_two_series(painter: "Painter") -> None:
    snapshot = SnapshotMaker(containers=2).tick()
    for row, uid in ((2, "pod-a"), (3, "pod-b")):
        snapshot = renamed(snapshot, row, kind="ended", container_id="", pod_uid=uid, pod_name="",
                           container_name="ended", namespace="")  # fmt: skip
    samples = shown(painter, snapshot)["kepler_container_joules"]

    ids = {s.labels["container_id"] for s in samples if s.labels["container_name"] == "ended"}
    assert ids == {"ended-pod-a", "ended-pod-b"}


def test_a_container_that_came_back_shows_its_newer_row(painter: "Painter") -> None:
    snapshot = SnapshotMaker(containers=2, ended=frozenset({2}), held=frozenset({3})).tick()
    same = snapshot.containers.consumers[2]
    again = renamed(snapshot, 3, **{
        name: getattr(same, name)
        for name in ("container_id", "pod_uid", "pod_name", "container_name", "namespace")
    })  # fmt: skip
    found = shown(painter, again)

    values = {
        s.value for s in found["kepler_container_joules"]
        if s.labels["container_id"] == same.container_id
    }  # fmt: skip
    assert values == {0.0}
    info = [
        s for s in found["wattribute_container_info"]
        if s.labels["container_id"] == same.container_id
    ]  # fmt: skip
    assert len(info) == 1


def test_a_pid_used_again_shows_the_later_process(painter: "Painter") -> None:
    snapshot = SnapshotMaker(containers=0, processes=3).tick()
    table = snapshot.processes
    again = replace(
        table,
        pid=np.array([7, 8, 7]),
        comm=np.array([b"a", b"a", b"a"], "S16"),
        key=np.array([7 << 40 | 5, 8 << 40, 7 << 40 | 9], np.uint64),
        consumer=np.zeros(3, np.int64),
    )
    samples = shown(painter, replace(snapshot, processes=again))["kepler_process_joules"]

    values = {s.labels["pid"]: round(s.value * 1e6) for s in samples}
    assert len(samples) == 2
    assert values["7"] == int(table.energy_uj[2, [0, 2]].sum())


def test_pod_labels_follow_the_allow_list_and_collisions_are_told_apart(
    painter: "Painter",
) -> None:
    labels = {
        "app": "shop", "secret": "x", "app.kubernetes.io/name": "n", "app.kubernetes.io.name": "m",
        "app.kubernetes.io/part-of": "p", "app.kubernetes.io/part.of": "q",
    }  # fmt: skip
    snapshot = renamed(SnapshotMaker(containers=1).tick(), 2, labels=labels, uid=99)
    (sample,) = shown(painter, snapshot)["wattribute_pod_labels"]

    found = {k: v for k, v in sample.labels.items() if k.startswith("label_")}
    assert found == {
        "label_app": "shop",
        "label_app_kubernetes_io_name": "n",
        "label_app_kubernetes_io_part_of": "p",
        "label_app_kubernetes_io_part_of_conflict1": "q",
    }


def test_a_zone_that_is_down_ends_node_series_and_leaves_containers_alone(
    painter: "Painter",
) -> None:
    maker = SnapshotMaker(containers=1, down=frozenset({"dram"}))
    maker.tick()
    found = shown(painter, maker.tick())

    assert "kepler_node_dram_joules" not in found
    assert {s.labels["component"] for s in found["wattribute_node_joules"]} == {"cpu"}
    assert {s.labels["component"] for s in found["wattribute_idle_joules"]} == {"cpu"}
    assert "dram-0" not in {s.labels["zone"] for s in found["wattribute_zone_power_watts"]}
    assert ("dram-0", 0.0) in {(s.labels["zone"], s.value) for s in found["wattribute_zone_up"]}
    assert sum(s.value for s in found["kepler_container_dram_joules"]) > 0


def test_the_band_is_there_for_estimates_alone(painter: "Painter") -> None:
    assert "wattribute_zone_power_low_watts" not in shown(painter, SnapshotMaker().tick())

    found = shown(painter, SnapshotMaker(channels=ESTIMATED).tick())
    low, power, high = (
        {s.labels["zone"]: s.value for s in found[f"wattribute_zone_power_{word}watts"]}
        for word in ("low_", "", "high_")
    )
    assert low.keys() == power.keys() == high.keys() == {"package-0", "dram-0", "other-0"}
    assert all(low[zone] < power[zone] < high[zone] for zone in power)


def test_newer_names_hold_dynamic_energy_only(painter: "Painter") -> None:
    snapshot = SnapshotMaker(containers=1, processes=3, vms=1).tick()
    found = shown(painter, snapshot, "kepler-0.11")
    (package,) = (
        s.value for s in found["kepler_container_cpu_joules"] if s.labels["zone"] == "package"
    )

    assert round(package * 1e6) == snapshot.containers.energy_uj[2, 0, 0]
    assert "kepler_container_joules" not in found


def test_what_is_summed_by_pod_does_not_fall_when_a_row_goes(painter: "Painter") -> None:
    two = SnapshotMaker(containers=2).tick()
    two = renamed(two, 3, pod_uid=two.containers.consumers[2].pod_uid)
    pod = two.containers.consumers[2].pod_uid
    before = pod_joules(shown(painter, two, "kepler-0.11"), pod)
    table = two.containers
    gone = replace(
        two,
        containers=replace(
            table,
            consumers=table.consumers[:3], energy_uj=table.energy_uj[:3], held=table.held[:3],
            power_uw=table.power_uw[:3], cpu_ns=table.cpu_ns[:3], alive=table.alive[:3],
            memory_byte_ns=table.memory_byte_ns[:3], cpu_ratio=table.cpu_ratio[:3],
            dynamic_uw=None,
        ),
        retired_uj={pod: table.energy_uj[3]},
    )  # fmt: skip

    assert pod_joules(shown(painter, gone, "kepler-0.11"), pod) == before


def pod_joules(found: dict, pod: str) -> dict[str, float]:
    return {
        s.labels["zone"]: s.value
        for s in found["kepler_pod_cpu_joules"]
        if s.labels["pod_id"] == pod
    }


def test_requests_end_with_the_container_and_its_energy_stays(painter: "Painter") -> None:
    snapshot = SnapshotMaker(containers=2, ended=frozenset({2})).tick()
    ended = snapshot.containers.consumers[2].container_id
    found = shown(painter, snapshot)

    assert ended not in {s.labels["container_id"] for s in found["wattribute_container_requests"]}
    assert ended in {s.labels["container_id"] for s in found["kepler_container_joules"]}


def test_bpf_time_is_absent_where_it_is_not_counted(painter: "Painter") -> None:
    snapshot = SnapshotMaker().tick()
    none = replace(snapshot, health=replace(snapshot.health, bpf_run_ns=None))

    assert "wattribute_bpf_run_seconds" in shown(painter, snapshot)
    assert "wattribute_bpf_run_seconds" not in shown(painter, none)


def test_own_memory_and_cpu_are_read(painter: "Painter") -> None:
    found = shown(painter, SnapshotMaker().tick(), "none")

    assert found["process_resident_memory_bytes"][0].value > 10_000_000
    assert found["process_cpu_seconds"][0].value > 0
    assert found["process_start_time_seconds"][0].value > 1_600_000_000
    assert not [name for name in found if name.startswith("kepler")]


def test_an_empty_snapshot_is_a_valid_page(painter: "Painter") -> None:
    snapshot = SnapshotMaker(containers=0, channels=()).tick()
    found = shown(painter, snapshot)

    assert {s.value for s in found["kepler_container_joules"]} == {0.0}
    assert "kepler_container_cpu_joules" not in {
        f.name for f in families_of(
            painter.text(snapshot, kepler_families("kepler-0.11", processes=True))
        )
    }  # fmt: skip


def test_a_consumer_without_any_name_still_has_an_id() -> None:
    assert container_id_of(Consumer(1, "kernel")) == "kernel_processes"
    assert container_id_of(Consumer(1, "ended")) == "ended"
