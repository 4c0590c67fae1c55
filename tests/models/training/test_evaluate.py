"""Scoring a model on any file with the data dictionary's columns."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from wattribute.models.training.evaluate import Evaluation, evaluate
from wattribute.models.training.metrics import ScoredRow, score_of
from wattribute.models.training.rows import read_rows
from wattribute.models.training.train import Trained

PACKAGE = (0.12, 0.34, 0.43, 0.53, 0.62, 0.71, 0.77, 0.82, 0.86, 0.91, 0.94)
VM = {
    "cpu_name": "Intel Xeon Platinum 8280", "cpu_make": "intel", "uarch": "cascadelake",
    "uarch_year": 2019, "tdp_w": 205, "chips": 2, "cores": 56, "threads": 112, "mem_gb": 384,
    "base_mhz": 2700, "guest_vcpus": 14, "load_kind": "stress-ng",
}  # fmt: skip


def scored(trained: Trained, path: Path, calibrate: str = "none") -> Evaluation:
    return evaluate(trained.artefact, read_rows(path), calibrate=calibrate)  # type: ignore[arg-type]


def test_every_subset_and_scope_has_its_figures(
    trained: Trained, made: Any, file: Callable[..., Path]
) -> None:
    result = scored(trained, file(made))

    groups = {(g.subset, g.scope, g.profile): g for g in result.groups}
    assert set(groups) == {
        ("spec_made", "wall", "tuned"), ("plain_made", "wall", "typical"),
        ("pkg_made", "pkg", "typical"), ("pkg_made", "dram", "typical"),
    }  # fmt: skip
    spec = groups["spec_made", "wall", "tuned"]
    assert (spec.score.rows, spec.score.systems) == (264, 24)
    assert spec.score.median_ape_pct < 3
    assert set(spec.by_level) == {str(load) for load in range(0, 101, 10)}
    assert set(spec.by_known) == {"seen"}
    assert len(groups["pkg_made", "pkg", "typical"].by_system) == 3
    assert result.rows_scored == result.rows_read == len(made.rows)


def test_unknown_scopes_and_new_subsets_are_counted_and_named(
    trained: Trained, made: Any, file: Callable[..., Path]
) -> None:
    made.rows = [made.rows[0] | {"scope": "psu"}, made.rows[0] | {"subset": "never heard of"}]

    result = scored(trained, file(made))

    assert result.left_out == {"unknown scope 'psu'": 1}
    assert [group.subset for group in result.groups] == ["never heard of"]
    assert (result.rows_read, result.rows_scored) == (2, 1)


def test_a_guest_is_its_share_of_the_hosts_packages(
    trained: Trained, made: Any, file: Callable[..., Path]
) -> None:
    share, full = 14 / 112, 2 * 205
    made.rows.clear()
    for load, part in zip(range(0, 101, 10), PACKAGE, strict=True):
        common = {"system_id": "guest", "subset": "vm", "util_pct": load} | VM
        made.add(scope="vm_pkg_abs", watts=share * full * part, **common)
        made.add(scope="vm_pkg_dyn", watts=share * full * (part - 0.12), **common)

    result = scored(trained, file(made))

    assert result.left_out == {"vm row of 3 W or less": 1}  # idle: no dynamic watts
    for group in result.groups:
        assert group.score.median_ape_pct < 0.1
        assert group.score.band_covers_pct == 100


def test_an_idle_reading_is_given_and_not_scored(
    trained: Trained, made: Any, file: Callable[..., Path]
) -> None:
    made.rows = [row for row in made.rows if row["subset"] == "plain_made"]
    path = file(made)

    plain, given = scored(trained, path), scored(trained, path, "idle")

    assert given.rows_scored == plain.rows_scored - 3
    assert given.left_out == {"given to the model as the idle reading": 3}
    assert given.groups[0].score.median_ape_pct < plain.groups[0].score.median_ape_pct


def test_a_system_that_is_never_idle_is_scored_without_a_reading(
    trained: Trained, made: Any, file: Callable[..., Path]
) -> None:
    made.rows = [r for r in made.rows if r["subset"] == "plain_made" and r["util_pct"] > 10]

    result = scored(trained, file(made), "idle")

    assert result.rows_scored == len(made.rows)
    assert f"{len(made.rows)} rows are of systems without one" in result.calibrated


def test_rows_of_several_nodes_are_of_one_where_they_do_not_say_so(
    trained: Trained, made: Any, file: Callable[..., Path]
) -> None:
    one = made.rows[5]
    four = {key: 4 * one[key] for key in ("chips", "cores", "threads", "mem_gb", "watts")}
    made.rows = [
        one | {"nodes": 4, "system_id": "each", "subset": "each", "note": "per node (W / nodes)"},
        one | four | {"nodes": 4, "system_id": "all", "subset": "all"},
    ]

    together, each = (group.score for group in scored(trained, file(made)).groups)
    assert each == together


def test_columns_that_are_empty_or_missing_are_filled_from_what_is_known(
    trained: Trained, tmp_path: Path
) -> None:
    path = tmp_path / "thin.csv"
    path.write_text(
        "subset,scope,system_id,util_pct,watts,cpu_name,chips\n"
        "thin,wall,a,50,300,AMD EPYC 7763,2\n"
        "thin,wall,b,50,300,,\n"
        "thin,pkg,c,50,300,no such CPU,x\n"
        "thin,dram,d,50,30,Neoverse-N1,\n"
    )

    result = scored(trained, path)

    assert result.rows_scored == 4
    assert set(result.groups[-1].by_known) <= {"seen", "class", "cpu", "microarchitecture"}


def test_scores_are_what_they_are_called() -> None:
    points = [
        ScoredRow("a", 0, 100, 110, 90, 120),
        ScoredRow("a", 10, 100, 80, 101, 120),
        ScoredRow("b", 10, 200, 200, 150, 250),
    ]

    score = score_of(points)

    assert (score.rows, score.systems) == (3, 2)
    assert (score.median_ape_pct, score.mape_pct, score.bias_pct) == (10.0, 10.0, 0.0)
    assert score.band_covers_pct == pytest.approx(66.67)
    assert score.r2 == pytest.approx(0.925)
    assert score_of(points[:1]).r2 is None


def test_a_cpu_is_seen_only_in_the_scope_in_which_it_was_measured(
    trained: Trained, made: Any, file: Callable[..., Path]
) -> None:
    metered = next(row for row in made.rows if row["system_id"] == "cloud-3")
    benchmarked = next(row for row in made.rows if row["system_id"] == "spec-6-0")
    made.rows = [
        row | {"scope": scope, "watts": 99, "subset": "all", "load_kind": ""}
        for scope in ("wall", "pkg", "dram")
        for row in (metered, benchmarked)
    ]

    groups = scored(trained, file(made)).groups

    assert {group.scope: set(group.by_known) for group in groups} == {
        "dram": {"cpu"}, "pkg": {"cpu", "seen"}, "wall": {"seen"},
    }  # fmt: skip
