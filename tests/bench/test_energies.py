"""What an agent reported of a plant's groups, against the journal."""

import time
from pathlib import Path
from typing import Any

import pytest
from bench.accuracy.energies import Energy, energies, sum_of_errors
from bench.accuracy.plants import SECTION, judge_each, judge_sum

from wattribute_testing.plant import Journal, Truth
from wattribute_testing.plant.truth import GroupTruth


def snapshot(at_ns: int, joules: dict[str, float]) -> dict[str, Any]:
    offset_ns = time.time_ns() - time.monotonic_ns()
    rows = [
        {"container_id": name, "joules": {"cpu": value, "dram": 99.0}}
        for name, value in joules.items()
    ]
    return {"time_s": (at_ns + offset_ns) / 1e9, "containers": rows}


def test_each_group_is_compared_with_its_own_column(tmp_path: Path) -> None:
    lines = ["at_ns,package-0/floor,package-0/hot,package-0/rest"]
    lines += [f"{n * 10**9},0,{n * 5_000_000},{n * 2_000_000}" for n in range(11)]
    (tmp_path / "journal.csv").write_text("\n".join(lines) + "\n")
    hot = GroupTruth(cgroup="", container_id="abc", cpu_ns=0, package_uj=0, dram_uj=0, processes=1)
    truth = Truth(
        started_ns=0, at_ns=10, finished=True, zones={}, counters={}, groups={"hot": hot},
        rest_cpu_ns=0, processes=(), notes=(),
    )  # fmt: skip
    before = snapshot(2 * 10**9, {"abc": 7.0, "x": 1.0})
    after = snapshot(8 * 10**9, {"abc": 34.0, "x": 7.0, "y": 9.0})

    parts = energies(truth, Journal(tmp_path / "journal.csv"), before, after, "cpu")

    assert parts["hot"].reported_uj == pytest.approx(27e6)
    assert parts["hot"].true_uj == pytest.approx(30e6, rel=1e-3)
    assert parts["rest"].reported_uj == pytest.approx(15e6)
    assert parts["hot"].off_percent == pytest.approx(-10, abs=0.1)
    assert sum_of_errors(parts) == pytest.approx(100 * 6 / 42, rel=1e-2)


PARTS = {
    "time": {"hot": Energy(70, 100), "cool": Energy(80, 50), "rest": Energy(50, 50)},
    "learned": {"hot": Energy(97, 100), "cool": Energy(44, 50), "rest": Energy(59, 50)},
}


def test_a_judge_of_each_container_leaves_the_rest_out() -> None:
    figures = list(judge_each("pair", PARTS, 10))

    assert [(figure.name, figure.met) for figure in figures] == [
        ("pair: hot", True),
        ("pair: cool", False),
    ]
    assert figures[1].note == "-12.0 %; CPU time +60.0 %"
    assert {figure.section for figure in figures} == {SECTION}


def test_a_judge_of_the_sum_compares_with_cpu_time() -> None:
    total, worst = judge_sum("pods", PARTS)

    assert total.value == pytest.approx(9.0)
    assert total.target == "<= 31 %"
    assert worst.value == pytest.approx(12.0)
    worse = {"time": PARTS["learned"], "learned": PARTS["time"]}
    assert next(judge_sum("pods", worse)).met is False
