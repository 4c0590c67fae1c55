"""Who pays the floor, under each policy."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wattribute.core.errors import ConfigInvalid
from wattribute.core.floor import NODE_POLICIES, policy_named
from wattribute.node.attribution.policy import FloorBasis
from wattribute.node.attribution.policy import share_floor as share_by

SECOND = 1_000_000_000
GIB = 2**30
FLOOR = 1_000_000
COMPONENTS = ("cpu", "dram", "gpu", "other")


def share_floor(
    floor_uj: int, policy: str, component: str, table: FloorBasis
) -> tuple[np.ndarray, int]:
    return share_by(floor_uj, policy_named(policy), component, table)


def array(*values: int) -> np.ndarray:
    return np.array(values, dtype=np.int64)


NODE = FloorBasis(
    elapsed_ns=10 * SECOND,
    cpu_ns=array(8, 0, 4, 0) * SECOND,
    memory_bytes=array(4, 2, 1, -1) * GIB,
    gpu_ns=array(5, 0, 0, 0) * SECOND,
    request_cpu_mcore=array(500, 1000, 0, 0),
    request_memory_bytes=array(1, 4, 0, 0) * GIB,
    request_gpu=array(0, 1, 0, 0),
    pod=array(0, 0, 1, -1),
    alive_ns=array(10, 10, 5, 10) * SECOND,
    dynamic_uj=array(30, 0, 10, 60),
    capacity_cpu_mcore=4000,
    capacity_ns=40 * SECOND,
    capacity_memory_bytes=16 * GIB,
    capacity_gpus=2,
)
"""Two containers of one pod; a pod without requests that came half-way; the special row `system`
whose memory is not known. 4 CPUs, 16 GiB, 2 GPUs."""


@pytest.mark.parametrize(
    ("policy", "component", "shares", "idle"),
    [
        ("reserved", "cpu", [125_000, 250_000, 0, 0], 625_000),
        ("reserved", "other", [125_000, 250_000, 0, 0], 625_000),
        ("reserved", "dram", [62_500, 250_000, 0, 0], 687_500),
        ("reserved", "gpu", [0, 500_000, 0, 0], 500_000),
        ("usage", "cpu", [200_000, 0, 100_000, 0], 700_000),
        ("usage", "dram", [250_000, 125_000, 31_250, 0], 593_750),
        ("usage", "gpu", [250_000, 0, 0, 0], 750_000),
        ("full", "cpu", [300_000, 0, 100_000, 600_000], 0),
        ("even", "cpu", [333_334, 333_333, 333_333, 0], 0),
        ("none", "cpu", [0, 0, 0, 0], FLOOR),
    ],
)
def test_each_policy_does_as_its_row_of_the_table_says(
    policy: str, component: str, shares: list[int], idle: int
) -> None:
    paid, left = share_floor(FLOOR, policy, component, NODE)

    assert (paid.tolist(), left) == (shares, idle)


def test_a_pod_pays_once_however_many_containers_it_has() -> None:
    table = replace(NODE, alive_ns=array(10, 10, 10, 10) * SECOND)

    assert share_floor(FLOOR, "even", "cpu", table)[0].tolist() == [250_000, 250_000, 500_000, 0]


def test_time_without_a_pod_is_idle() -> None:
    table = replace(NODE, alive_ns=array(0, 0, 5, 10) * SECOND)

    paid, idle = share_floor(FLOOR, "even", "cpu", table)

    assert (paid.tolist(), idle) == ([0, 0, 500_000, 0], 500_000)


def test_a_reservation_counts_for_the_time_alive() -> None:
    table = replace(NODE, request_cpu_mcore=array(1000, 0, 1000, 0))

    assert share_floor(FLOOR, "reserved", "cpu", table)[0].tolist() == [250_000, 0, 125_000, 0]


def test_more_reserved_than_there_is_leaves_nothing_idle() -> None:
    table = replace(NODE, request_cpu_mcore=array(6000, 2000, 0, 0))

    paid, idle = share_floor(FLOOR, "reserved", "cpu", table)

    assert (paid.tolist(), idle) == ([750_000, 250_000, 0, 0], 0)


def test_full_goes_by_cpu_time_when_the_zone_stayed_at_its_floor() -> None:
    table = replace(NODE, dynamic_uj=array(0, 0, 0, 0))

    assert share_floor(900, "full", "cpu", table)[0].tolist() == [600, 0, 300, 0]
    assert share_floor(900, "full", "gpu", table)[0].tolist() == [900, 0, 0, 0]


def test_full_leaves_the_floor_idle_when_nobody_ran() -> None:
    nobody = array(0, 0, 0, 0)
    table = replace(NODE, dynamic_uj=nobody, cpu_ns=nobody)

    paid, idle = share_floor(FLOOR, "full", "cpu", table)

    assert (paid.tolist(), idle) == ([0, 0, 0, 0], FLOOR)


@pytest.mark.parametrize("policy", ["reserved", "usage"])
def test_a_component_that_there_is_not_is_an_error(policy: str) -> None:
    with pytest.raises(ValueError, match="no such component"):
        share_floor(FLOOR, policy, "disk", NODE)


def test_a_policy_that_there_is_not_is_an_error() -> None:
    with pytest.raises(ConfigInvalid, match="fair: no such floor policy; there are reserved, us"):
        policy_named("fair")


@st.composite
def nodes(draw: st.DrawFn) -> FloorBasis:
    count = draw(st.integers(0, 8))
    elapsed_ns = draw(st.integers(1, 60 * SECOND))

    def column(largest: int, least: int = 0) -> np.ndarray:
        numbers = st.integers(least, largest)
        return array(*draw(st.lists(numbers, min_size=count, max_size=count)))

    return FloorBasis(
        elapsed_ns=elapsed_ns,
        cpu_ns=column(512 * elapsed_ns),
        memory_bytes=column(2**43, -1),
        gpu_ns=column(2 * elapsed_ns),
        request_cpu_mcore=column(10**6),
        request_memory_bytes=column(2**43),
        request_gpu=column(16),
        pod=column(4, -1),
        alive_ns=column(2 * elapsed_ns),
        dynamic_uj=column(10**12),
        capacity_cpu_mcore=draw(st.integers(0, 512_000)),
        capacity_ns=draw(st.integers(0, 512 * elapsed_ns)),
        capacity_memory_bytes=draw(st.integers(0, 2**43)),
        capacity_gpus=draw(st.integers(0, 16)),
    )


@given(
    st.integers(0, 3 * 10**12), st.sampled_from(NODE_POLICIES), st.sampled_from(COMPONENTS), nodes()
)
def test_the_floor_is_paid_or_idle_to_the_microjoule(
    floor_uj: int, policy: str, component: str, table: FloorBasis
) -> None:
    paid, idle = share_floor(floor_uj, policy, component, table)

    assert len(paid) == len(table.pod)
    assert (paid >= 0).all()
    assert idle >= 0
    assert int(paid.sum()) + idle == floor_uj
    if policy == "even":
        assert not paid[table.pod < 0].any()
