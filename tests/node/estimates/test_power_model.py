"""Which artefact is used, and what is refused with one line."""

from hashlib import sha256
from importlib import resources
from pathlib import Path

import pytest

from wattribute.core.errors import ConfigInvalid
from wattribute.core.records import Machine
from wattribute.node.estimates.power_model import (
    open_estimator,
    read_artefact,
    read_calibration,
    write_calibration,
)
from wattribute.node.estimator.calibration import Measured
from wattribute.node.settings import EstimatorSettings, NodeSettings

SHIPPED = resources.files("wattribute.node.estimator").joinpath("power-model.json").read_bytes()
MACHINE = Machine(cores=4, threads=8)


def opened(room: EstimatorSettings, machine: Machine = MACHINE) -> str:
    return open_estimator(NodeSettings(estimator=room), machine).name


def test_the_shipped_model_is_the_default_and_a_file_takes_its_place(tmp_path: Path) -> None:
    file = tmp_path / "mine.json"
    file.write_bytes(SHIPPED.replace(b'"model":"wattribute-power"', b'"model":"mine"'))

    assert opened(EstimatorSettings()) == "wattribute-power 1"
    assert opened(EstimatorSettings(model=str(file))) == "mine 1"


def test_a_digest_pins_the_file(tmp_path: Path) -> None:
    file = tmp_path / "mine.json"
    file.write_bytes(SHIPPED)

    read_artefact(str(file), sha256(SHIPPED).hexdigest())
    with pytest.raises(ConfigInvalid, match=r"estimator.model: .*mine.json: SHA-256 is"):
        read_artefact(str(file), "ab" * 32)


def test_what_cannot_be_read_or_used_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigInvalid, match=r"estimator.model: .*gone.json: No such file"):
        read_artefact(str(tmp_path / "gone.json"))
    (tmp_path / "odd.json").write_text("{}")
    with pytest.raises(ConfigInvalid, match=r"odd.json: not a model artefact"):
        read_artefact(str(tmp_path / "odd.json"))


def test_one_estimator_serves_all_who_ask_for_the_same() -> None:
    settings = NodeSettings(estimator=EstimatorSettings(tdp_watts=123.0))

    assert open_estimator(settings, MACHINE) is open_estimator(settings, MACHINE)


def test_readings_are_kept_and_read_again(tmp_path: Path) -> None:
    file = tmp_path / "new" / "calibration.json"
    readings = (Measured(0.0, 92.5), Measured(0.97, 310.0, "pkg"))

    write_calibration(file, readings)

    assert read_calibration(file) == readings
    assert read_calibration(tmp_path / "gone.json") == ()
    info = open_estimator(NodeSettings(estimator=EstimatorSettings(calibration=str(file))), MACHINE)
    assert info.explain(MACHINE).calibrated


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        '{"measured": 5}',
        '{"measured": [{"watts": 5}]}',
        '{"measured": [{"scope": "wall", "utilisation": 0, "watts": "NaN"}]}',
        '{"measured": [{"scope": "wall", "utilisation": 2, "watts": 5}]}',
        '{"measured": [{"scope": "wall", "utilisation": 0, "watts": -5}]}',
        '{"measured": [{"scope": "moon", "utilisation": 0, "watts": 5}]}',
    ],
)
def test_a_calibration_file_that_is_none_is_refused(text: str, tmp_path: Path) -> None:
    file = tmp_path / "calibration.json"
    file.write_text(text)

    with pytest.raises(ConfigInvalid, match=r"estimator.calibration: .*calibration.json"):
        read_calibration(file)
