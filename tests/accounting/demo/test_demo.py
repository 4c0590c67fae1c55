from decimal import Decimal
from pathlib import Path

import duckdb
import pytest
from click.testing import CliRunner
from pyarrow import parquet

from wattribute.accounting.demo.bill import EC2, write_bill
from wattribute.accounting.demo.cluster import END_S, NODES, START_S
from wattribute.accounting.demo.energy import write_ledger
from wattribute.accounting.ledger.store import Store
from wattribute.cli.demo import demo
from wattribute.core.errors import ConfigInvalid

pytestmark = pytest.mark.xdist_group("demo")  # its month is made once, not by each worker


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("demo")
    assert write_ledger(Store.at(str(folder)), 7) > 100_000
    return folder


def test_the_ec2_part_is_50_000_dollars_to_the_last_digit(tmp_path: Path) -> None:
    write_bill(tmp_path / "focus.parquet")

    bill = parquet.read_table(tmp_path / "focus.parquet").to_pylist()
    ec2 = [row for row in bill if row["ServiceName"] == EC2]

    assert sum(row["EffectiveCost"] for row in ec2) == Decimal(50_000)
    assert {row["ResourceId"] for row in ec2} == {node.instance_id for node in NODES}
    assert len(bill) > len(ec2)


def test_every_node_has_every_hour(ledger: Path) -> None:
    rows = duckdb.sql(
        f"select node, count(distinct hour) from '{ledger}/*/*.parquet' group by node"  # noqa: S608 - ours
    ).fetchall()

    assert len(rows) == len(NODES)
    assert all(hours == (END_S - START_S) // 3600 for _, hours in rows)


def test_the_two_bots_use_most_and_somebody_is_nobodys(ledger: Path) -> None:
    entries = duckdb.read_parquet(f"{ledger}/*/*.parquet")
    who = "case when kind = 'workload' then coalesce(labels['app'], '') else kind end"
    sums = entries.aggregate(f"{who} as who, sum(energy_uj)::bigint as energy")
    rows = dict(sums.order("energy desc").fetchall())

    assert set(list(rows)[:3]) == {"idle", "marketing-ai-bot", "customer-support-bot"}
    assert rows[""] > 0
    assert {"system", "kernel", "unattributed"} < set(rows)


def test_the_same_seed_makes_the_same_month(ledger: Path, tmp_path: Path) -> None:
    write_ledger(Store.at(str(tmp_path)), 7, START_S + 86_400)

    first, again = (
        parquet.read_table(folder / "dt=2026-10-01" / "demo-01.parquet", partitioning=None)
        for folder in (ledger, tmp_path)
    )
    assert first.equals(again)
    assert [day.name for day in tmp_path.glob("dt=*")] == ["dt=2026-10-01"]


def test_a_folder_with_something_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine").touch()

    result = CliRunner().invoke(demo, [str(tmp_path)])

    assert isinstance(result.exception, ConfigInvalid)
    assert list(tmp_path.iterdir()) == [tmp_path / "mine"]


def test_nodes_with_a_meter_have_learned_weights_that_fit_their_cpu_time(ledger: Path) -> None:
    entries = duckdb.read_parquet(f"{ledger}/*/*.parquet")
    of_metal = entries.filter("shared_by = 'learned-1' and component = 'cpu' and node = 'metal-2'")
    hours = of_metal.filter("kind = 'workload'").aggregate(
        "epoch(hour)::bigint as at_s, container, sum(energy_uj) / sum(time_uj) as ratio, "
        "sum(time_uj) / sum(cpu_ns) as watts"
    )

    noon_s = START_S + 7 * 86_400 + 12 * 3600
    hour = {
        container: (ratio, watts)
        for at_s, container, ratio, watts in hours.fetchall()
        if at_s == noon_s
    }
    ratios = {name: ratio for name, (ratio, _) in hour.items()}
    assert ratios["copywriter-api"] / ratios["coredns"] == pytest.approx(1.3, rel=1e-3)
    assert ratios["chat-gateway"] / ratios["coredns"] == pytest.approx(0.8, rel=1e-3)
    by_time = [watts for _, watts in hour.values()]
    assert max(by_time) == pytest.approx(min(by_time), rel=1e-3)


def test_other_weights_share_the_same_joules_and_bands_contain_them(ledger: Path) -> None:
    entries = duckdb.read_parquet(f"{ledger}/*/*.parquet")
    sums = entries.aggregate(
        "hour, node, component, sum(energy_uj) as e, sum(time_uj) as t, sum(learned_uj) as l"
    )

    assert sums.filter("e <> t or e <> l").fetchall() == []
    assert entries.filter("low_uj > energy_uj or high_uj < energy_uj").fetchall() == []
    assert entries.filter("origin = 'estimated' and time_uj <> energy_uj").fetchall() == []
