"""Learned weights come out of a ledger by workload and node, and are pooled."""

from collections.abc import Mapping
from math import exp
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet

from wattribute.accounting.ledger.learned import NodeSelection, pool_ledger
from wattribute.accounting.ledger.schema import SCHEMA
from wattribute.accounting.ledger.store import Store
from wattribute.core.errors import DataInvalid
from wattribute.core.records import PooledWorkload, WorkloadKey, ZoneKind
from wattribute.core.units import HOUR_S, NANOSECONDS_PER_SECOND
from wattribute_testing.entries import MadeLedger

HOUR = 497_448
"""2026-10-01T00:00, in hours since 1970."""
START_S, END_S = HOUR * HOUR_S, (HOUR + 24) * HOUR_S
CPU_HOUR = HOUR_S * NANOSECONDS_PER_SECOND
COLUMNS = (("shared_by", pa.string()), ("time_uj", pa.int64()), ("learned_uj", pa.int64()))
OURS = NodeSelection()


class LearnedLedger:
    """Entries with the columns of learned weights, whether the schema has them yet or not."""

    def __init__(self) -> None:
        self.rows: list[dict[str, object]] = []

    def add(
        self, node: str, name: str, ratio: float, *, deviation: float = 0.1, hour: int = 0,
        hours: float = 1.0, **values: object,
    ) -> None:  # fmt: skip
        """A workload that CPU time would give 1 MJ, with watts per core of ``ratio``."""
        made = MadeLedger()
        energy_uj = round(1e12 * ratio)
        made.add(HOUR + hour, node, kind="workload", namespace="shop", container="app",
                 owner_kind="Deployment", owner_name=name, pod=f"{name}-1", energy_uj=energy_uj,
                 low_uj=round(energy_uj * exp(-1.645 * deviation)),
                 high_uj=round(energy_uj * exp(1.645 * deviation)),
                 cpu_ns=round(hours * CPU_HOUR))  # fmt: skip
        extra = {"shared_by": "learned-1", "time_uj": round(1e12), "learned_uj": energy_uj}
        self.rows.append(dict(made.rows[0]) | extra | values)

    def store(self, folder: Path) -> Store:
        """Write it as one file of a ledger."""
        known = [field.name for field in SCHEMA]
        schema = pa.schema([*SCHEMA, *(pa.field(*c) for c in COLUMNS if c[0] not in known)])
        (folder / "dt=2026-10-01").mkdir()
        table = pa.Table.from_pylist(self.rows, schema)
        parquet.write_table(table, folder / "dt=2026-10-01/a.parquet")
        return Store.at(str(folder))


def by_name(zones: Mapping[ZoneKind, tuple[PooledWorkload, ...]]) -> dict[str, PooledWorkload]:
    return {row.owner_name or row.owner_kind: row for row in zones["package"]}


def test_ratios_of_nodes_with_other_mixes_are_pooled_on_one_scale(tmp_path: Path) -> None:
    """Hot costs twice what cold costs on both nodes; the second node's mean is 1.2 times more."""
    ledger = LearnedLedger()
    for node, mean in (("a", 1.0), ("b", 1.2)):
        for hour in range(3):
            ledger.add(node, "hot", 1.4 / mean, hour=hour)
            ledger.add(node, "cold", 0.7 / mean, hour=hour)

    document, notes = pool_ledger(ledger.store(tmp_path), START_S, END_S, "epyc-9354", OURS)

    rows = by_name(document.zones)
    assert (document.cpu, document.method) == ("epyc-9354", "learned-1")
    # Each node's ratios are 1.09 times surer than its prior (0.1 against 0.35), so ln grows by it.
    part = 1 - (0.1 / 0.35) ** 2
    assert rows["hot"].log_ratio - rows["cold"].log_ratio == pytest.approx(0.6931 / part, abs=2e-3)
    assert (rows["hot"].nodes, rows["hot"].cpu_hours) == (2, 6.0)
    assert rows["hot"].deviation < 0.1
    assert rows["hot"].key.image == ""
    assert notes == ()


@pytest.mark.parametrize(
    "values",
    [
        {"shared_by": "time"},
        {"origin": "estimated"},
        {"component": "gpu"},
        {"kind": "unattributed"},
        {"container": "ended"},
        {"owner_kind": "", "owner_name": ""},
        {"cpu_ns": 1000},
        {"low_uj": 0},
        {"time_uj": 0},
        {"energy_uj": 0},
    ],
)
def test_what_was_not_learned_is_not_pooled(tmp_path: Path, values: dict[str, object]) -> None:
    ledger = LearnedLedger()
    ledger.add("a", "hot", 1.4)
    ledger.add("a", "other", 1.1, **values)

    document, _ = pool_ledger(ledger.store(tmp_path), START_S, END_S, "x", OURS)

    assert set(by_name(document.zones)) == {"hot"}


def test_dram_is_a_zone_of_its_own_with_the_cpu_time_of_its_workload(tmp_path: Path) -> None:
    ledger = LearnedLedger()
    ledger.add("a", "hot", 1.4)
    ledger.add("a", "hot", 0.6, component="dram", cpu_ns=0)

    document, _ = pool_ledger(ledger.store(tmp_path), START_S, END_S, "x", OURS)

    (dram,) = document.zones["dram"]
    assert dram.log_ratio < 0 < by_name(document.zones)["hot"].log_ratio
    assert dram.cpu_hours == 1.0


def test_processes_outside_containers_have_keys_as_in_the_agent(tmp_path: Path) -> None:
    nothing = {"namespace": "", "owner_kind": "", "owner_name": "", "pod": ""}
    ledger = LearnedLedger()
    ledger.add("a", "", 0.8, kind="kernel", **nothing)
    ledger.add("a", "", 0.7, kind="system", **nothing)
    ledger.add("a", "", 1.3, **(nothing | {"container": "redis"}))

    document, _ = pool_ledger(ledger.store(tmp_path), START_S, END_S, "x", OURS)

    # Of the system's processes the ledger has one row for all units, and the agent has each unit.
    keys = {row.key for row in document.zones["package"]}
    assert keys == {
        WorkloadKey("kernel", "kernel"),
        WorkloadKey("container", "redis", "", "redis"),
    }


def test_corrections_are_added_to_what_they_correct(tmp_path: Path) -> None:
    ledger = LearnedLedger()
    ledger.add("a", "hot", 1.4)
    ledger.add("a", "hot", 1.4, corrects="s1", seal_id="s2")
    ledger.rows[1]["time_uj"] = ledger.rows[0]["time_uj"]

    document, _ = pool_ledger(ledger.store(tmp_path), START_S, END_S, "x", OURS)

    (row,) = document.zones["package"]
    assert row.cpu_hours == 2.0


def test_only_the_selected_nodes_and_hours_are_pooled(tmp_path: Path) -> None:
    ledger = LearnedLedger()
    ledger.add("pool-a-1", "hot", 1.4, instance_type="m5")
    ledger.add("pool-b-1", "warm", 1.2, instance_type="m6")
    ledger.add("pool-a-1", "late", 1.2, hour=20, instance_type="m5")
    store = ledger.store(tmp_path)

    def names(nodes: NodeSelection, end_s: int = END_S) -> set[str]:
        return set(by_name(pool_ledger(store, START_S, end_s, "x", nodes)[0].zones))

    assert names(OURS) == {"hot", "warm", "late"}
    assert names(NodeSelection(("pool-a-*",))) == {"hot", "late"}
    assert names(NodeSelection((), ("m6",))) == {"warm"}
    assert names(OURS, START_S + HOUR_S) == {"hot", "warm"}


def test_what_a_reader_must_know_is_noted(tmp_path: Path) -> None:
    ledger = LearnedLedger()
    ledger.add("a", "hot", 1.4, instance_type="m5")
    ledger.add("b", "warm", 1.2, instance_type="m6")

    _, notes = pool_ledger(ledger.store(tmp_path), START_S, END_S, "x", OURS)

    assert "m5, m6" in notes[0]
    assert "2 groups of nodes share no workload" in notes[1]
    assert "no workload ran on two nodes" in notes[2]


def test_a_ledger_of_agents_that_do_not_learn_says_what_is_missing(tmp_path: Path) -> None:
    ledger = LearnedLedger()
    ledger.add("a", "hot", 1.0, shared_by="time")

    with pytest.raises(DataInvalid, match=r"attribution\.weight: learned"):
        pool_ledger(ledger.store(tmp_path), START_S, END_S, "x", OURS)


def test_files_of_earlier_versions_lack_the_columns_and_are_skipped(tmp_path: Path) -> None:
    old = MadeLedger()
    old.add(HOUR, "a", kind="workload", energy_uj=5, owner_name="old")
    ledger = LearnedLedger()
    ledger.add("a", "hot", 1.4)
    store = ledger.store(tmp_path)
    schema = pa.schema([field for field in SCHEMA if field.name not in dict(COLUMNS)])
    rows = [{name: row[name] for name in schema.names} for row in old.rows]
    file = tmp_path / "dt=2026-10-01/b.parquet"
    parquet.write_table(pa.Table.from_pylist(rows, schema), file)

    if schema == SCHEMA:  # the schema of this version has no such columns yet
        document, _ = pool_ledger(store, START_S, END_S, "x", OURS)
        assert set(by_name(document.zones)) == {"hot"}
    (tmp_path / "dt=2026-10-01/a.parquet").unlink()
    with pytest.raises(DataInvalid):
        pool_ledger(store, START_S, END_S, "x", OURS)


def test_too_little_to_tell_workloads_apart_is_said(tmp_path: Path) -> None:
    ledger = LearnedLedger()
    ledger.add("a", "hot", 1.0, deviation=0.4)

    with pytest.raises(DataInvalid, match="too little"):
        pool_ledger(ledger.store(tmp_path), START_S, END_S, "x", OURS)


def test_weights_of_the_newest_method_alone_are_pooled(tmp_path: Path) -> None:
    ledger = LearnedLedger()
    ledger.add("a", "hot", 1.4, shared_by="learned-2")
    ledger.add("a", "cold", 0.7, shared_by="learned-10")

    document, _ = pool_ledger(ledger.store(tmp_path), START_S, END_S, "x", OURS)

    assert document.method == "learned-10"
    assert len(document.zones["package"]) == 1
