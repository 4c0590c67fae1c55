"""Training on a small made data set: reproducible, close to the truth, honest about it."""

import dataclasses
import json
import shutil
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from wattribute.core.errors import DataInvalid
from wattribute.models.training.card import render
from wattribute.models.training.instance_table import shipped_instances
from wattribute.models.training.train import Trained, encode, train
from wattribute.node.estimator.artefact import decode, wall_model
from wattribute.node.estimator.host import Host
from wattribute.node.estimator.model import HostModel


def test_the_same_data_give_the_same_bytes(trained: Trained, folder: Path, tmp_path: Path) -> None:
    copy = tmp_path / "elsewhere"
    shutil.copytree(folder, copy)

    assert encode(train(copy).artefact) == encode(trained.artefact)


def test_the_artefact_names_its_data_by_their_digests(trained: Trained, folder: Path) -> None:
    artefact = decode(encode(trained.artefact))

    rows = folder / "power-models" / "power_made.csv"
    assert artefact.data_sha256["power_made.csv"] == sha256(rows.read_bytes()).hexdigest()
    clouds = shipped_instances().data_sha256
    assert set(artefact.data_sha256) == {"power_made.csv", "cpu_specs.csv", *clouds}


def test_other_data_give_another_model(trained: Trained, made: Any, tmp_path: Path) -> None:
    for row in made.rows:
        row["watts"] *= 1.5
    made.write(tmp_path / "more.csv")

    other = train(tmp_path).artefact.coefficients

    mean = np.array(trained.artefact.coefficients.wall.mean)
    assert np.array(other.wall.mean) == pytest.approx(mean + np.log(1.5), abs=1e-3)
    assert other.package.of_tdp[-1] == pytest.approx(0.94 * 1.5, rel=1e-3)


def test_what_was_made_by_a_formula_is_found_again_on_cpus_that_were_held_out(
    trained: Trained,
) -> None:
    off = np.abs(np.exp(-trained.held_out.errors["cpu"]) - 1)

    assert np.median(off) < 0.06
    package = trained.artefact.coefficients.package
    assert package.of_tdp == pytest.approx(
        (0.12, 0.34, 0.43, 0.53, 0.62, 0.71, 0.77, 0.82, 0.86, 0.91, 0.94)
    )
    typical = trained.artefact.coefficients.wall.typical
    assert typical[0] > 0.15  # plain servers were made to draw 1.5 to 1.7 times as much when idle
    assert typical[-1] < 0.1


def test_held_out_cpus_share_no_model_with_those_that_were_fitted(trained: Trained) -> None:
    hosts = trained.data.curves.hosts
    held = {hosts[i].cpu_key for i in trained.held_out.systems["cpu"]}

    assert held == {host.cpu_key for host in hosts}
    assert len(trained.held_out.systems["cpu"]) == 2 * len(hosts)


def test_the_tables_hold_what_the_data_tell(trained: Trained) -> None:
    artefact = trained.artefact

    assert "epyc-7r13 225 48 2.65 0" in artefact.cpus["zen3"]
    assert "xsp-8380 270 40 2.3 3.4" in artefact.cpus["icelake-sp"]
    assert "i7-8700b" not in str(artefact.cpus)
    assert artefact.instances["aws:m6a"] == "epyc-7r13 192 768"
    assert artefact.microarchitectures["zen3"].cloud_cores == 48


def test_a_measured_cpu_keeps_half_of_what_it_differs(made: Any, tmp_path: Path) -> None:
    for row in made.rows:
        if row["system_id"] == "cloud-3" and row["scope"] == "pkg":
            row["watts"] *= 1.3
    made.write(tmp_path / "rows.csv")

    artefact = train(tmp_path).artefact

    added = artefact.coefficients.package.cpu["xsp-8180"]
    assert added == pytest.approx([np.log(1.3) / 2] * 11, abs=1e-5)
    host = Host(cpu_key="xsp-8180", tdp_watts=205, chips=2, cores=56)
    other = dataclasses.replace(host, cpu_key="xsp-8160")
    drawn, usual = (HostModel(artefact, h).package.at(0.5)[0] for h in (host, other))
    assert drawn / usual == pytest.approx(1.3**0.5, rel=1e-3)


def test_one_odd_system_changes_little(trained: Trained, made: Any, tmp_path: Path) -> None:
    for row in made.rows:
        if row["system_id"] == "spec-4-1":
            row["watts"] *= 3
    made.write(tmp_path / "rows.csv")

    odd = wall_model(train(tmp_path).artefact)

    host = trained.data.curves.hosts[15]  # another CPU of the same maker
    before = wall_model(trained.artefact).curve(host)
    assert odd.curve(host) == pytest.approx(before, rel=0.1)


def test_broken_rows_change_nothing(trained: Trained, made: Any, tmp_path: Path) -> None:
    bad = dict(made.rows[0])
    made.rows += [bad | {"watts": "nan"}, bad | {"watts": "-1"}, bad | {"scope": "moon"}]
    made.write(tmp_path / "power_made.csv")

    again = train(tmp_path)

    assert len(again.data.rows.named) == 2
    assert again.data.rows.dropped["unknown scope 'moon'"] == 1
    assert again.artefact.coefficients.wall.mean == trained.artefact.coefficients.wall.mean


def test_too_little_data_is_one_line(made: Any, tmp_path: Path) -> None:
    with pytest.raises(DataInvalid, match="no CSV file with the columns scope"):
        train(tmp_path)
    with pytest.raises(DataInvalid, match="no CSV file with the columns scope"):
        train(tmp_path / "gone")
    made.rows = [row for row in made.rows if row["system_id"].startswith("spec-0")]
    made.write(tmp_path / "few.csv")
    with pytest.raises(DataInvalid, match=r"3 benchmark systems .* needs 10"):
        train(tmp_path)


def test_without_packages_or_memory_it_says_what_is_missing(made: Any, tmp_path: Path) -> None:
    made.rows = [row for row in made.rows if row["scope"] != "pkg"]
    made.write(tmp_path / "rows.csv")
    with pytest.raises(DataInvalid, match="no pkg rows"):
        train(tmp_path)


def test_the_card_has_every_table(trained: Trained) -> None:
    page = render(trained)

    assert sha256(encode(trained.artefact)).hexdigest() in page
    for heading in (
        "What was aimed at",
        "At the wall",
        "Beside others",
        "Ordinary servers",
        "CPU packages and DRAM",
    ):
        assert heading in page
    assert "| CodeCarbon: TDP x load |" in page
    assert "cloud-3" in page
    assert "nan" not in page


def test_the_shipped_card_is_of_the_shipped_artefact() -> None:
    root = Path(__file__).parents[3]
    shipped = (root / "src/wattribute/node/estimator/power-model.json").read_bytes()

    card = (root / "docs/reference/power-model.md").read_text(encoding="utf-8")

    assert sha256(shipped).hexdigest() in card
    assert json.loads(shipped)["model"] in card
