"""What a second of CPU time weighs."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from wattribute.node.attribution.weight import CyclesWeight, TimeWeight, Weight

CPU = np.array([[100, 0], [100, 50], [0, 50]])


@pytest.mark.parametrize("weight", [TimeWeight(), CyclesWeight(0.65)])
@pytest.mark.parametrize("kind", ["package", "dram"])
def test_without_counters_time_weighs(weight: Weight, kind: str) -> None:
    assert weight.weigh(CPU, {}, kind).tolist() == CPU.tolist()


def test_time_weighs_whatever_is_counted() -> None:
    assert TimeWeight().weigh(CPU, {"cycles": CPU * 3}, "package").tolist() == CPU.tolist()


def test_cycles_weigh_where_they_are_counted() -> None:
    cycles = np.array([[300, 0], [100, 70], [0, 90]])

    assert CyclesWeight(0.65).weigh(CPU, {"cycles": cycles}, "package").tolist() == cycles.tolist()


def test_cycles_beside_a_busy_sibling_weigh_less() -> None:
    cpu_ns = np.array([[1000], [1000], [1000], [0]])
    counters = {
        "cycles": np.array([[2000], [2000], [2000], [0]]),
        "corun_ns": np.array([[0], [500], [1001], [7]]),  # read a moment later: a little more
    }

    weights = CyclesWeight(0.6).weigh(cpu_ns, counters, "package")

    assert weights.tolist() == [[2000], [1600], [1200], [0]]


def test_time_whose_cycles_were_not_counted_weighs_as_the_mean_cycle_rate() -> None:
    cpu_ns = np.array([[100], [300], [50]])
    counters = {"cycles": np.array([[100], [700], [0]])}

    assert CyclesWeight(0.65).weigh(cpu_ns, counters, "package").tolist() == [[100], [700], [100]]


def test_dram_goes_by_cache_misses() -> None:
    cpu_ns = np.array([[1000], [1000], [1000]])
    counters = {
        "cycles": np.array([[900], [800], [0]]),
        "cache_misses": np.array([[10], [0], [0]]),  # the second one hit; the third is not counted
    }

    assert CyclesWeight(0.65).weigh(cpu_ns, counters, "dram").tolist() == [[10], [0], [5]]


def test_a_package_without_a_single_miss_goes_by_time() -> None:
    counters = {"cache_misses": np.array([[5, 0], [5, 0], [0, 0]])}

    weights = CyclesWeight(0.65).weigh(CPU, counters, "dram")

    assert weights.tolist() == [[5, 0], [5, 50], [0, 50]]


def test_a_count_in_hardly_any_time_does_not_overflow() -> None:
    cpu_ns = np.array([[1], [64_638_901_015]])
    counters = {"cycles": np.array([[1], [0]]), "cache_misses": np.array([[142_690_731]] * 2)}

    weights = CyclesWeight(1.0).weigh(cpu_ns, counters, "dram")

    assert 142_690_731 < weights[1, 0] <= 2**53


amounts = arrays(np.int64, (6, 2), elements=st.integers(0, 10**13))


@given(
    st.tuples(amounts, amounts, amounts, amounts),
    st.floats(0.01, 1),
    st.sampled_from(["package", "dram"]),
)
def test_weights_are_never_negative_and_somebody_who_ran_has_weight(
    use: tuple[np.ndarray, ...], corun_weight: float, kind: str
) -> None:
    cpu_ns, cycles, misses, corun_ns = use
    counters = {"cycles": cycles, "cache_misses": misses, "corun_ns": corun_ns}

    weights = CyclesWeight(corun_weight).weigh(cpu_ns, counters, kind)

    assert weights.shape == cpu_ns.shape
    assert weights.dtype == np.int64
    assert (weights >= 0).all()
    counted = (cycles > 1 / corun_weight).any() and (misses[cycles > 0] > 0).any()
    assert weights.any() or not (cpu_ns.any() and counted)
