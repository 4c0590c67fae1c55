import os
import shutil
import subprocess
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import Metric
from prometheus_client.openmetrics.parser import text_string_to_metric_families as om_families
from prometheus_client.parser import text_string_to_metric_families as families_of

from wattribute.core.records import Channel, Origin, Snapshot
from wattribute.node.exporter import health
from wattribute.node.exporter.exposition import Renderer, text
from wattribute.node.exporter.families import kepler_families, metrics_families
from wattribute.node.exporter.family import Family
from wattribute.node.exporter.layout import ContainerLabels, ProcessLabels
from wattribute.node.exporter.scene import NodeLabels, Scene
from wattribute_testing.snapshots import ESTIMATED, RAPL, SnapshotMaker
from wattribute_testing.strength import examples

if TYPE_CHECKING:
    from conftest import Painter

GOLDEN = Path(__file__).parents[2] / "golden"
OWN: Final = "wattribute_container_joules_total"
FALLBACK = (*RAPL, Channel("package", "trained_power_model", Origin.ESTIMATED))
SERVER = (
    *RAPL,
    Channel("uncore", "rapl-sysfs", Origin.MEASURED),
    Channel("gpu", "nvml", Origin.MEASURED),
    Channel("platform", "acpi", Origin.INTEGRATED),
    Channel("other", "acpi", Origin.INTEGRATED),
)
MAKERS: Final = {
    "server": lambda: SnapshotMaker(
        containers=3, processes=8, vms=1, packages=2, channels=SERVER,
        ended=frozenset({3}), held=frozenset({4}),
    ),
    "cloud": lambda: SnapshotMaker(containers=2, processes=5, channels=ESTIMATED),
    "fallback": lambda: SnapshotMaker(
        containers=2, processes=4, channels=FALLBACK, down=frozenset({"dram"})
    ),
}  # fmt: skip


def fresh_page(families: Sequence[Family], scene: Scene) -> str:
    """Rendered without any cache."""
    return b"".join(text(Renderer().render(families, scene))).decode()


def stable(snapshot: Snapshot, generation: str, painter: "Painter") -> str:
    """The page without what differs from run to run."""
    own = tuple(f for f in health.FAMILIES if not f.name.startswith("process_"))
    chosen = {
        "kepler-0.9": [f for f in metrics_families("kepler-0.9", processes=True)
                       if f not in health.FAMILIES],
        "kepler-0.11": kepler_families("kepler-0.11", processes=True),
    }[generation]  # fmt: skip
    return painter.text(snapshot, (*own, *chosen) if generation == "kepler-0.9" else chosen)


@pytest.mark.parametrize("generation", ["kepler-0.9", "kepler-0.11"])
@pytest.mark.parametrize("machine", MAKERS)
def test_the_page_is_the_golden_one(machine: str, generation: str, painter: "Painter") -> None:
    maker = MAKERS[machine]()
    stable(maker.tick(), generation, painter)
    page = stable(maker.tick(), generation, painter)
    golden = GOLDEN / f"{machine}.{generation}.prom"
    if os.environ.get("UPDATE_GOLDEN"):
        golden.write_text(page, encoding="utf-8")

    assert page == golden.read_text(encoding="utf-8"), (
        f"{golden.name} differs; if so meant: UPDATE_GOLDEN=1"
    )


@pytest.mark.parametrize("golden", sorted(GOLDEN.glob("*.prom")), ids=lambda path: path.name)
def test_promtool_finds_nothing_to_complain_of(golden: Path) -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is missing; apt-get install prometheus")
    done = subprocess.run(
        [promtool, "check", "metrics"],
        input=golden.read_text(encoding="utf-8"),
        capture_output=True,
        check=False,
        text=True,
        timeout=60,
    )
    # Kepler's names need no exception: the lint does not mind those that are shown.
    assert (done.stdout, done.stderr, done.returncode) == ("", "", 0)


@pytest.mark.parametrize("machine", MAKERS)
@pytest.mark.parametrize("generation", ["kepler-0.9", "kepler-0.11"])
def test_both_formats_say_the_same(machine: str, generation: str, painter: "Painter") -> None:
    snapshot = MAKERS[machine]().tick()
    families = [
        f for f in metrics_families(generation, processes=True) if not f.name.startswith("process_")
    ]

    plain = samples(families_of(painter.text(snapshot, families)))
    page = painter.openmetrics(snapshot, families)

    assert samples(om_families(page)) == plain
    assert page.endswith("# EOF\n")
    assert "# TYPE kepler_node_package_joules counter\n" in page or generation == "kepler-0.11"


@st.composite
def makers(draw: st.DrawFn) -> SnapshotMaker:
    containers = draw(st.integers(0, 6))
    rows = st.frozensets(st.integers(0, containers + 1))
    return SnapshotMaker(
        containers=containers,
        processes=draw(st.integers(0, 12)),
        vms=draw(st.integers(0, 2)),
        packages=draw(st.integers(1, 3)),
        channels=draw(st.sampled_from([RAPL, ESTIMATED, FALLBACK, SERVER])),
        held=draw(rows),
        ended=draw(rows),
        seed=draw(st.integers(0, 2**32)),
    )


COMPONENT_OF: Final = {
    f"kepler_container_{kind}_joules_total": component
    for kind, component in (
        ("package", "cpu"), ("dram", "dram"), ("other", "other"), ("gpu", "gpu")
    )
}  # fmt: skip


@pytest.mark.parametrize("generation", ["kepler-0.9", "none"])
@settings(max_examples=examples(40))
@given(maker=makers())
def test_all_rows_add_up_to_the_node_to_the_microjoule(
    generation: str, maker: SnapshotMaker
) -> None:
    families = COMPONENT_OF if generation != "none" else dict.fromkeys([OWN], "")
    renderer, containers, processes = Renderer(), ContainerLabels(), ProcessLabels()
    for _ in range(2):
        scene = Scene(maker.tick(), NodeLabels("n"), (), containers, processes)
        pieces = renderer.render(metrics_families(generation, processes=True), scene)

        sums, node = add_up(b"".join(text(pieces)).decode(), families)

        assert sums == node


def test_a_name_that_came_late_takes_no_joule_from_the_row_before_it(painter: "Painter") -> None:
    snapshot = SnapshotMaker(containers=2).tick()
    named, nameless = snapshot.containers.consumers[2:]
    same = replace(nameless, container_id=named.container_id, pod_name="", container_name="")
    table = replace(snapshot.containers, consumers=(*snapshot.containers.consumers[:3], same))

    page = painter.text(
        replace(snapshot, containers=table), metrics_families("none", processes=False)
    )

    sums, node = add_up(page, {OWN: ""})
    assert sums == node


def add_up(
    page: str, families: Mapping[str, str]
) -> tuple[dict[tuple[str, str], Decimal], dict[tuple[str, str], Decimal]]:
    """Read rows, and the node, by component and mode from the text.

    ``families`` names the families of the rows and their component; "": a label says it.
    """
    sums: defaultdict[tuple[str, str], Decimal] = defaultdict(Decimal)
    node: defaultdict[tuple[str, str], Decimal] = defaultdict(Decimal)
    for line in page.splitlines():
        name, _, rest = line.partition("{")
        if line.startswith("#") or not rest:
            continue
        labels = {k: v.strip('"') for k, v in (p.split("=", 1) for p in _pairs(rest))}
        value = Decimal(line.rpartition(" ")[2])
        if name in families:
            sums[families[name] or labels["component"], labels["mode"]] += value
        if name == "wattribute_idle_joules_total":
            sums[labels["component"], "idle"] += value
        elif name == "wattribute_unattributed_joules_total":
            sums[labels["component"], "dynamic"] += value
        elif name == "wattribute_birth_held_joules":
            sums[labels["component"], labels["mode"]] += value
        elif name == "wattribute_node_joules_total":
            node[labels["component"], labels["mode"]] += value
    return {key: total for key, total in sums.items() if total}, dict(node)


def _pairs(rest: str) -> list[str]:
    return rest.rpartition("}")[0].split(",")  # made names have no commas


@settings(max_examples=examples(40))
@given(makers())
def test_the_aggregate_is_the_sum_of_its_parts(maker: SnapshotMaker) -> None:
    scene = Scene(maker.tick(), NodeLabels("n"), (), ContainerLabels(), ProcessLabels())
    page = fresh_page(metrics_families("kepler-0.9", processes=True), scene)
    found = {f.name: f.samples for f in families_of(page)}

    for subject in ("container", "process", "vm"):
        whole: defaultdict[str, Decimal] = defaultdict(Decimal)
        parts: defaultdict[str, Decimal] = defaultdict(Decimal)
        for sample in found.get(f"kepler_{subject}_joules", []):
            whole[key(sample.labels)] += Decimal(f"{sample.value:.6f}")
        for kind in ("package", "dram", "other", "gpu"):
            for sample in found.get(f"kepler_{subject}_{kind}_joules", []):
                parts[key(sample.labels)] += Decimal(f"{sample.value:.6f}")
        assert whole == parts


def key(labels: dict[str, str]) -> str:
    return str(sorted((k, v) for k, v in labels.items() if k != "source"))


def samples(families: Iterable[Metric]) -> dict[str, float]:
    return {
        f"{sample.name}{sorted(sample.labels.items())}": sample.value
        for family in families
        for sample in family.samples
    }


def test_a_held_row_shows_0_and_its_energy_is_in_the_gauge(painter: "Painter") -> None:
    snapshot = SnapshotMaker(containers=1, held=frozenset({2})).tick()
    page = painter.text(snapshot, metrics_families("kepler-0.9", processes=False))
    found = samples(families_of(page))

    mine = {name: value for name, value in found.items() if "frontend" in name}
    assert mine
    assert not any(value for name, value in mine.items() if "_joules_total" in name)
    held = f"wattribute_birth_held_joules{[('component', 'cpu'), ('mode', 'dynamic')]}"
    assert found[held] == snapshot.containers.energy_uj[2, 0, 0] / 1e6


def test_microjoules_survive_up_to_nine_billion_joules(painter: "Painter") -> None:
    maker = SnapshotMaker(containers=1)
    maker.container_uj[2, 0, 0] = 8_999_999_999_999_999 - 10**9
    snapshot = maker.tick()
    expected = int(snapshot.containers.energy_uj[2, 0, 0])

    page = painter.text(snapshot, kepler_families("kepler-0.9", processes=False))
    (value,) = [
        s.value for f in families_of(page) if f.name == "kepler_container_package_joules"
        for s in f.samples if "frontend" in s.labels["pod_name"] and s.labels["mode"] == "dynamic"
    ]  # fmt: skip

    assert round(value * 1e6) == expected
    assert f"{expected // 10**6}.{expected % 10**6:06d}\n" in page


def test_labels_that_change_are_seen_although_they_are_cached(painter: "Painter") -> None:
    families = kepler_families("kepler-0.11", processes=True)
    running = SnapshotMaker(containers=2, processes=6)
    ended = SnapshotMaker(containers=2, processes=6, ended=frozenset({2}))

    for maker in (running, ended, running):
        snapshot = maker.tick()
        states = [
            s.labels["state"]
            for f in families_of(painter.text(snapshot, families))
            if f.name == "kepler_container_cpu_joules"
            for s in f.samples
            if s.labels["container_name"] == "frontend"
        ]
        assert set(states) == {"terminated" if maker is ended else "running"}


def test_rendering_again_gives_what_a_fresh_renderer_gives(painter: "Painter") -> None:
    families = [
        f for f in metrics_families("kepler-0.9", processes=True)
        if not f.name.startswith("process_")
    ]  # fmt: skip
    for rows in (3, 1, 4, 4):
        snapshot = SnapshotMaker(containers=rows, processes=2 * rows, seed=rows).tick()
        scene = Scene(
            snapshot, painter.scene(snapshot).node, ("app", "app.kubernetes.io/*", "team"),
            ContainerLabels(), ProcessLabels(),
        )  # fmt: skip
        assert painter.text(snapshot, families) == fresh_page(families, scene)


def test_ten_thousand_series_are_ten_thousand_lines(painter: "Painter") -> None:
    snapshot = SnapshotMaker(containers=550).tick()
    page = painter.text(snapshot, metrics_families("kepler-0.9", processes=False))

    lines = [line for line in page.splitlines() if not line.startswith("#")]
    assert len(lines) == len({line.rpartition(" ")[0] for line in lines}) > 9_900
