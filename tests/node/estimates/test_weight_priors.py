"""What an agent begins with, from a file of pooled weights."""

import logging
from pathlib import Path

import msgspec
import pytest

from wattribute.core.errors import ConfigInvalid
from wattribute.core.records import (
    Machine,
    PooledWeights,
    PooledWorkload,
    WorkloadKey,
    encode_weights,
)
from wattribute.node.estimates.weight_priors import load_priors
from wattribute.node.settings import AttributionSettings, NodeSettings

EPYC = Machine(cpu_name="AMD EPYC 9354P 32-Core Processor")
ROW = PooledWorkload(
    owner_kind="Deployment", owner_name="web", namespace="shop", container="app",
    log_ratio=0.3, deviation=0.1, nodes=3, cpu_hours=5.0,
)  # fmt: skip
WEIGHTS = PooledWeights(
    cpu="epyc-9354", method="learned-1", written_at="2026-10-01T00:00:00Z",
    zones={"package": (ROW,), "dram": (msgspec.structs.replace(ROW, log_ratio=-0.3),)},
)  # fmt: skip


def settings_of(path: object) -> NodeSettings:
    return NodeSettings(attribution=AttributionSettings(weights_file=str(path)))


def test_priors_are_by_kind_of_zone(tmp_path: Path) -> None:
    file = tmp_path / "weights.json"
    file.write_bytes(encode_weights(WEIGHTS))

    priors = load_priors(settings_of(file), EPYC)

    key = WorkloadKey("Deployment", "web", "shop", "app")
    assert set(priors) == {"package", "dram"}
    assert priors["package"][key][0] > 0 > priors["dram"][key][0]


def test_without_a_file_nothing_is_known() -> None:
    assert load_priors(NodeSettings(), EPYC) == {}


@pytest.mark.parametrize("name", ["Intel(R) Xeon(R) Platinum 8259CL CPU @ 2.50GHz", "", "AMD EPYC"])
def test_weights_of_another_cpu_are_not_used_and_that_is_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    file = tmp_path / "weights.json"
    file.write_bytes(encode_weights(WEIGHTS))

    with caplog.at_level(logging.WARNING):
        assert load_priors(settings_of(file), Machine(cpu_name=name)) == {}
    assert "epyc-9354" in caplog.text
    assert "not used" in caplog.text


def test_a_file_that_cannot_be_used_is_an_error_of_the_settings(tmp_path: Path) -> None:
    broken = tmp_path / "broken.json"
    broken.write_text("{")

    for path in (broken, tmp_path / "missing.json", tmp_path):
        with pytest.raises(ConfigInvalid, match=r"^attribution\.weights_file: "):
            load_priors(settings_of(path), EPYC)
