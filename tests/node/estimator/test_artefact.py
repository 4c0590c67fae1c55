"""The artefact's file: what is read, and what is refused with one line."""

import json
from hashlib import sha256
from importlib import resources
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wattribute.core.errors import ModelInvalid
from wattribute.node.estimator.artefact import MAX_BYTES, decode

SHIPPED = resources.files("wattribute.node.estimator").joinpath("power-model.json").read_bytes()


def changed(*path: str | int, to: Any) -> bytes:
    """The shipped file with one value replaced."""
    body = json.loads(SHIPPED)
    place = body
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = to
    return json.dumps(body).encode()


def test_the_shipped_artefact_is_small_and_says_what_it_is() -> None:
    assert len(SHIPPED) < 100_000
    artefact = decode(SHIPPED)

    assert artefact.schema == 1
    assert artefact.model
    assert artefact.licence
    assert len(artefact.sources) >= 4
    assert all(len(digest) == 64 for digest in artefact.data_sha256.values())
    assert artefact.features[0].name == "ln_tdp"
    assert artefact.features[0].unit == "ln W"


def test_numbers_have_six_significant_digits() -> None:
    def walk(value: Any) -> None:
        if isinstance(value, float):
            assert value == float(f"{value:.6g}")
        elif isinstance(value, list | dict):
            for item in value.values() if isinstance(value, dict) else value:
                walk(item)

    walk(json.loads(SHIPPED))


def test_a_pinned_digest_must_be_the_files() -> None:
    decode(SHIPPED, sha256(SHIPPED).hexdigest().upper())
    with pytest.raises(ModelInvalid, match=r"my.json: SHA-256 is [0-9a-f]{64}, pinned is 00"):
        decode(SHIPPED, "00" * 32, name="my.json")


def test_another_schema_is_refused_before_anything_else_is_looked_at() -> None:
    with pytest.raises(ModelInvalid, match=r"schema 2; this version reads 1"):
        decode(b'{"schema": 2, "whatever": true}')


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "not a model artefact"),
        (b"[]", "not a model artefact"),
        (b'{"schema": 1}', "missing required field"),
        (b" " * (MAX_BYTES + 1), "an artefact has at most"),
        (changed("coefficients", "wall", "mean", to=[1.0]), "wall.mean"),
        (changed("coefficients", "wall", "mean", 0, to=1e999), "not a model artefact"),
        (changed("coefficients", "wall", "linear", "scale", 2, to=0.0), "every scale and length"),
        (changed("coefficients", "wall", "levels", 1, to=0.9), "must rise from 0 to 1"),
        (changed("coefficients", "wall", "cpu", "x5650", to=[0.0]), "wall.cpu.x5650"),
        (changed("coefficients", "package", "of_tdp", to=[]), "package.of_tdp"),
        (changed("quantiles", "cpu", to={}), "quantiles: needs wall"),
        (changed("quantiles", "cpu", "pkg", "low", to=[1.0]), "quantiles.cpu.pkg"),
        (changed("microarchitectures", to={}), "for an unknown CPU is missing"),
        (changed("microarchitectures", "zen3", "cores", to=0), "cores"),
        (changed("covariance", to=[[1.0]]), "covariance"),
        (changed("cpus", "zen3", to="epyc-7763 280"), "cpus.zen3"),
        (changed("instances", "aws:m5", to="x"), "instances.aws:m5"),
    ],
)
def test_what_cannot_be_used_is_refused(data: bytes, message: str) -> None:
    with pytest.raises(ModelInvalid, match=message):
        decode(data)


def test_keys_that_are_not_known_are_left_alone() -> None:
    assert decode(changed("later", to=1)).schema == 1


@given(st.binary(max_size=200), st.integers(0, len(SHIPPED)))
def test_damaged_files_are_refused_or_read(junk: bytes, at: int) -> None:
    try:
        decode(SHIPPED[:at] + junk + SHIPPED[at + len(junk) :])
    except ModelInvalid:
        return
