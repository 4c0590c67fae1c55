"""One agent, its spool and the scrapes of it: the ledger gets the same entries from both."""

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families as families_of

from wattribute.accounting.ledger.collect import Collector
from wattribute.accounting.ledger.fill import HOUR_S, Fill
from wattribute.accounting.ledger.reading import Reader
from wattribute.accounting.ledger.spool import SpoolReader
from wattribute.accounting.ledger.store import Store
from wattribute.accounting.promql.client import Prometheus
from wattribute.accounting.settings import LedgerSettings
from wattribute.core.records import REWEIGHED, Channel, Origin, Snapshot
from wattribute.core.units import Nanoseconds
from wattribute.node.exporter.exposition import Renderer, text
from wattribute.node.exporter.families import metrics_families
from wattribute.node.exporter.layout import ContainerLabels, ProcessLabels
from wattribute.node.exporter.scene import NodeLabels, Scene
from wattribute.node.exporter.spool import Spool
from wattribute_testing.prometheus import FakePrometheus, MadeSeries
from wattribute_testing.snapshots import ESTIMATED, RAPL, SnapshotMaker
from wattribute_testing.strength import examples

_SECOND_NS: Final = 10**9
_STEP_NS: Final = Nanoseconds(120 * _SECOND_NS)
_MIDNIGHT_S: Final = 1_767_225_600
_HOUR: Final = _MIDNIGHT_S + HOUR_S
_NODE: Final = NodeLabels("n", cluster="c", provider_id="aws:///z/i-n")
_LABELS: Final = ("app",)
_MIXED: Final = (
    *RAPL,
    Channel("package", "trained_power_model", Origin.ESTIMATED),
    Channel("gpu", "amdsmi", Origin.MEASURED),
    Channel("gpu", "drm", Origin.INTEGRATED),
)


def snapshots_of(maker: SnapshotMaker) -> list[Snapshot]:
    """Return an hour and a little before and after it; none is at the turn of the hour itself."""
    maker.wall_ns = Nanoseconds((_HOUR - 230) * _SECOND_NS)
    maker.interval_ns = _STEP_NS
    return [maker.tick() for _ in range(34)]


def spooled(snapshots: Sequence[Snapshot], folder: Path) -> None:
    spool = Spool(folder, _NODE, _LABELS, max_bytes=1 << 30, resumed=True)
    for snapshot in snapshots:
        spool.observe(snapshot)
    spool.close()


def scraped(snapshots: Sequence[Snapshot], generation: str) -> list[MadeSeries]:
    """Return what a Prometheus has that scraped the agent after each tick."""
    renderer, containers, processes = Renderer(), ContainerLabels(), ProcessLabels()
    families = metrics_families(generation, processes=False)
    samples: dict[tuple[tuple[str, str], ...], list[tuple[float, str]]] = {}
    for snapshot in snapshots:
        scene = Scene(snapshot, _NODE, _LABELS, containers, processes)
        page = b"".join(text(renderer.render(families, scene))).decode()
        for sample in (sample for family in families_of(page) for sample in family.samples):
            labels = {**sample.labels, "__name__": sample.name, "instance": "n:1", "job": "w"}
            key = tuple(sorted((name, value) for name, value in labels.items() if value))
            at = snapshot.wall_ns / _SECOND_NS
            samples.setdefault(key, []).append((at, f"{sample.value:.6f}"))
    return [MadeSeries(dict(key), values) for key, values in samples.items()]


def entries_of(reader: Reader, ledger: Path) -> list[dict[str, Any]]:
    store = Store.at(str(ledger))
    outcome = Fill(store, reader, now_s=lambda: 2e9).run(_HOUR, _HOUR + HOUR_S)
    assert not outcome.problems
    entries: list[dict[str, Any]] = store.entries(_HOUR, _HOUR + HOUR_S).to_pylist()
    return entries


def both(
    snapshots: Sequence[Snapshot], folder: Path, generation: str = "none"
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return the entries from the spool, and those from the scrapes."""
    spooled(snapshots, folder / "spool")
    from_spool = entries_of(SpoolReader(folder / "spool"), folder / "a")
    with (
        FakePrometheus(scraped(snapshots, generation)) as server,
        Prometheus(LedgerSettings(prometheus_url=server.url)) as client,
    ):
        return from_spool, entries_of(Collector(client), folder / "b")


def energies(entries: Sequence[dict[str, Any]]) -> dict[tuple[str, ...], tuple[int, ...]]:
    """Return microjoules of what used any, by all that says whose and how they are known.

    Bands of estimates are left out: a scrape knows power to a microwatt only.
    """
    keys = ("cluster", "node", "provider_id", "kind", "component", "origin", "namespace",
            "pod_uid", "pod", "container", "container_id", "owner_kind", "owner_name",
            "shared_by")  # fmt: skip
    return {
        (*(entry[key] for key in keys), str(entry["labels"])): (
            *(entry[name] for name in ("energy_uj", "time_uj", "learned_uj")),
            *(entry[end] for end in ("low_uj", "high_uj") if entry["origin"] != "estimated"),
        )
        for entry in entries
        if entry["energy_uj"]
    }


def check_other_weights(entries: Sequence[dict[str, Any]]) -> None:
    """Check that other weights share the same joules, and that bands contain the energy."""
    for component in {entry["component"] for entry in entries}:
        rows = [entry for entry in entries if entry["component"] == component]
        energy_uj = sum(row["energy_uj"] for row in rows)
        assert sum(row["time_uj"] for row in rows) == energy_uj
        assert sum(row["learned_uj"] for row in rows) == energy_uj
    assert all(entry["low_uj"] <= entry["energy_uj"] <= entry["high_uj"] for entry in entries)


@st.composite
def makers(draw: st.DrawFn) -> SnapshotMaker:
    return SnapshotMaker(
        containers=draw(st.integers(0, 4)),
        packages=draw(st.integers(1, 2)),
        channels=draw(st.sampled_from([RAPL, ESTIMATED, _MIXED])),
        shared_by=draw(st.sampled_from(["", "time", "cycles", "learned-1"])),
        seed=draw(st.integers(0, 2**32)),
    )


@settings(max_examples=examples(15))
@given(maker=makers(), generation=st.sampled_from(["none", "kepler-0.9", "kepler-0.11"]))
def test_the_spool_and_the_scrapes_give_the_same_joules(
    maker: SnapshotMaker, generation: str
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        from_spool, from_scrapes = both(snapshots_of(maker), Path(folder), generation)

    assert energies(from_scrapes) == energies(from_spool)
    assert from_spool
    check_other_weights(from_spool)
    check_other_weights(from_scrapes)


def without_other_weights(snapshot: Snapshot) -> Snapshot:
    """Return what an agent shows that shares by CPU time and knows no other way."""
    plain = replace(snapshot.containers, **dict.fromkeys(REWEIGHED))
    return replace(snapshot, containers=plain, weights=())


def learned_since(snapshots: Sequence[Snapshot], turn: int) -> Iterator[Snapshot]:
    """Yield snapshots of an agent that shares by learned weights from one of them on."""
    at_turn = snapshots[turn].containers
    for number, snapshot in enumerate(snapshots):
        if number <= turn:
            yield without_other_weights(snapshot)
            continue
        table = snapshot.containers
        sums = {
            name: at_turn.energy_uj[:, :, 0] + getattr(table, name) - getattr(at_turn, name)
            for name in REWEIGHED
        }
        yield replace(snapshot, containers=replace(table, **sums))


def test_series_that_begin_at_old_totals_bring_no_old_joules(tmp_path: Path) -> None:
    maker = SnapshotMaker(shared_by="learned-1")
    snapshots = list(learned_since(snapshots_of(maker), 14))

    from_spool, from_scrapes = both(snapshots, tmp_path)

    check_other_weights(from_scrapes)
    by_key = {_key(entry): entry for entry in from_spool if entry["kind"] == "workload"}
    assert by_key
    for entry in from_scrapes:
        if entry["kind"] == "workload":
            spool = by_key[_key(entry)]
            # The step to the first scrape that shows them is as the energy.
            assert entry["time_uj"] == pytest.approx(spool["time_uj"], rel=0.02)
            assert entry["high_uj"] == pytest.approx(spool["high_uj"], rel=0.02)
            assert entry["energy_uj"] < entry["high_uj"] <= spool["high_uj"]


def test_series_that_end_leave_the_energy_as_it_is(tmp_path: Path) -> None:
    snapshots = snapshots_of(SnapshotMaker(shared_by="learned-1"))
    silent = [without_other_weights(s) if 10 < n < 20 else s for n, s in enumerate(snapshots)]

    _, from_scrapes = both(snapshots, tmp_path / "all")
    series = scraped(silent, "none")
    with (
        FakePrometheus(series) as server,
        Prometheus(LedgerSettings(prometheus_url=server.url)) as client,
    ):
        with_hole = entries_of(Collector(client), tmp_path / "hole")

    check_other_weights(with_hole)
    workloads = [e for e in sorted(with_hole, key=_key) if e["kind"] == "workload"]
    whole = [e for e in sorted(from_scrapes, key=_key) if e["kind"] == "workload"]
    assert workloads
    for entry, full in zip(workloads, whole, strict=True):
        assert entry["energy_uj"] == full["energy_uj"]
        width, full_width = (e["high_uj"] - e["low_uj"] for e in (entry, full))
        assert 0.5 * full_width < width < full_width


def late_names(snapshots: Sequence[Snapshot]) -> Iterator[Snapshot]:
    """Yield snapshots in which the last container gets its name in the middle of the hour.

    Its row ends, and lingers for two ticks beside the row that goes on from 0.
    """
    turn = len(snapshots) // 2
    for number, snapshot in enumerate(snapshots):
        table = snapshot.containers
        *others, named = table.consumers
        nameless = replace(named, uid=1000, pod_name="", container_name="", namespace="")
        before = snapshots[min(number, turn)].containers.energy_uj[-1:]
        energy_uj = table.energy_uj.copy()
        if number <= turn:
            consumers = (*others, nameless)
        else:
            consumers = (*others, named)
            energy_uj[-1:] -= before
        changed = replace(table, consumers=consumers, energy_uj=energy_uj)
        if turn < number <= turn + 2:
            changed = _with_row(changed, nameless, before)
        yield replace(snapshot, containers=changed)


def _with_row(table: Any, consumer: Any, energy_uj: Any) -> Any:
    """Add a row that has ended with so much energy."""
    import numpy as np

    columns = {
        name: np.concatenate([getattr(table, name), getattr(table, name)[-1:] * 0])
        for name in ("power_uw", "cpu_ns", "memory_byte_ns", "cpu_ratio", "held", "alive")
    }
    return replace(
        table,
        consumers=(*table.consumers, consumer),
        energy_uj=np.concatenate([table.energy_uj, energy_uj]),
        dynamic_uw=None,
        **columns,
    )


def test_a_name_that_came_late_loses_no_joule_in_either(tmp_path: Path) -> None:
    snapshots = list(late_names(snapshots_of(SnapshotMaker(containers=2))))

    from_spool, from_scrapes = both(snapshots, tmp_path)

    assert energies(from_scrapes) == energies(from_spool)


@pytest.mark.parametrize("channels", [RAPL, ESTIMATED, _MIXED])
def test_all_else_is_the_same_as_far_as_scrapes_know_it(tmp_path: Path, channels: Any) -> None:
    from_spool, from_scrapes = both(
        snapshots_of(SnapshotMaker(channels=channels, shared_by="learned-1")), tmp_path
    )

    assert len(from_scrapes) == len(from_spool)
    for spool, scrape in zip(
        sorted(from_spool, key=_key), sorted(from_scrapes, key=_key), strict=True
    ):
        for name in spool.keys() - {"seal_id"}:
            if isinstance(spool[name], int):
                # Counters beside energy are rounded down in each scrape, time to that of a scrape.
                assert scrape[name] == pytest.approx(spool[name], rel=1e-3, abs=1000), name
            else:
                assert scrape[name] == spool[name], name


def _key(entry: dict[str, Any]) -> tuple[str, ...]:
    return tuple(entry[key] for key in ("kind", "component", "origin", "container_id"))
