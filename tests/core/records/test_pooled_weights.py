"""The document of pooled weights, and what a learner may believe of it."""

import json
from math import exp, sqrt

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wattribute.core.errors import DataInvalid
from wattribute.core.records import (
    LOG_SPREAD,
    MAX_WEIGHTS_BYTES,
    PooledWeights,
    PooledWorkload,
    WorkloadKey,
    decode_weights,
    encode_weights,
)
from wattribute_testing.strength import examples


def workload(log_ratio: float = 0.0, deviation: float = 0.1, **changes: object) -> PooledWorkload:
    given = {"owner_kind": "Deployment", "owner_name": "web", "namespace": "shop",
             "container": "app", "nodes": 3, "cpu_hours": 12.0}  # fmt: skip
    return PooledWorkload(log_ratio=log_ratio, deviation=deviation, **(given | changes))  # type: ignore[arg-type]


def document(*workloads: PooledWorkload) -> PooledWeights:
    return PooledWeights(
        cpu="epyc-9354",
        method="learned-1",
        written_at="2026-10-01T00:00:00Z",
        zones={"package": workloads},
    )


def test_what_is_written_is_read() -> None:
    weights = document(workload(0.3), workload(-0.2, container="sidecar"))

    assert decode_weights(encode_weights(weights), "x") == weights


def test_keys_of_later_versions_are_ignored() -> None:
    body = json.loads(encode_weights(document(workload()))) | {"new": 1}
    body["zones"]["package"][0]["new"] = 2

    assert decode_weights(json.dumps(body).encode(), "x") == document(workload())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"schema": 2}, "has schema 2"),
        ({"cpu": "../../etc/passwd"}, "cpu"),
        ({"zones": {"uncore": []}}, "zones"),
        ({"zones": {"package": [{}]}}, "zones"),
    ],
)
def test_another_document_is_refused_with_what_writes_one(
    change: dict[str, object], message: str
) -> None:
    body = json.loads(encode_weights(document(workload()))) | change

    with pytest.raises(DataInvalid, match=message) as caught:
        decode_weights(json.dumps(body).encode(), "weights.json")
    assert "wattribute weights export" in str(caught.value)


@pytest.mark.parametrize(("name", "value"), [("log_ratio", 9), ("deviation", 0)])
def test_numbers_that_cannot_be_are_refused(name: str, value: float) -> None:
    body = json.loads(encode_weights(document(workload())))
    body["zones"]["package"][0][name] = value

    with pytest.raises(DataInvalid, match=name):
        decode_weights(json.dumps(body).encode(), "x")


def test_a_file_that_is_too_large_is_not_parsed() -> None:
    with pytest.raises(DataInvalid, match="larger than"):
        decode_weights(b" " * (MAX_WEIGHTS_BYTES + 1), "x")


def test_a_prior_is_the_pool_and_what_holds_for_any_workload_by_precision() -> None:
    weights = document(workload(0.4, LOG_SPREAD))
    key = WorkloadKey("Deployment", "web", "shop", "app")

    delta, deviation = weights.priors("package")[key]

    # Equal precision: half of ln w, and the deviation / sqrt 2.
    assert delta == pytest.approx(exp(0.2) - 1)
    assert deviation == pytest.approx(exp(0.2) * LOG_SPREAD / sqrt(2))
    assert weights.priors("dram") == {}


@settings(max_examples=examples(100))
@given(log_ratio=st.floats(-2, 2), deviation=st.floats(0.001, 3))
def test_a_prior_lies_between_the_mean_and_the_pool_and_is_never_too_sure(
    log_ratio: float, deviation: float
) -> None:
    ((delta, prior_deviation),) = (
        document(workload(log_ratio, deviation)).priors("package").values()
    )
    ratio = 1 + delta

    assert min(1.0, exp(log_ratio)) - 1e-9 <= ratio <= max(1.0, exp(log_ratio)) + 1e-9
    assert 0.05 * ratio - 1e-9 <= prior_deviation <= LOG_SPREAD * ratio + 1e-9


def test_of_keys_that_become_one_the_largest_counts() -> None:
    weights = document(
        workload(0.4, cpu_hours=90.0), workload(-0.4, namespace="test", cpu_hours=1.0)
    )

    priors = weights.priors(
        "package", lambda key: WorkloadKey(key.owner_kind, key.owner_name, "", key.container_name)
    )

    assert list(priors) == [WorkloadKey("Deployment", "web", "", "app")]
    assert priors[WorkloadKey("Deployment", "web", "", "app")][0] > 0
