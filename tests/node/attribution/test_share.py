"""An interval's energy goes to exactly one consumer each."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wattribute.core.errors import Unbalanced
from wattribute.core.records import Interval, Origin, Zone
from wattribute.core.units import Microjoules, Nanoseconds
from wattribute.node.attribution.share import attribute, pay_floor


def interval(energy_uj: int) -> Interval:
    zone = Zone("package", "0", "rapl-sysfs", "0")
    return Interval(
        zone, Nanoseconds(0), Nanoseconds(10**9), Microjoules(energy_uj), Origin.MEASURED
    )


@given(
    st.integers(0, 10**12), st.integers(0, 10**12), st.lists(st.integers(0, 10**12)),
    st.integers(0, 100),
)  # fmt: skip
def test_every_microjoule_goes_somewhere_once(
    energy_uj: int, floor_uj: int, use: list[int], percent: int
) -> None:
    weights = np.array(use, dtype=np.int64)
    paid = np.array([min(floor_uj, energy_uj) * percent // 100], dtype=np.int64)

    result = attribute(interval(energy_uj), floor_uj, weights, paid)

    assert result.idle_uj + int(paid[0]) == min(floor_uj, energy_uj)
    above = energy_uj - min(floor_uj, energy_uj)
    assert int(result.dynamic_uj.sum()) + result.unattributed_uj == above
    assert result.unattributed_uj == (0 if any(use) else above)


def test_the_floor_stays_idle_when_nobody_pays() -> None:
    result = attribute(interval(100), 30, np.array([3, 1]))

    assert result.dynamic_uj.tolist() == [53, 17]
    assert (result.idle_uj, result.unattributed_uj, result.floor_uj.tolist()) == (30, 0, [])


def test_the_floor_can_be_paid_later() -> None:
    result = pay_floor(attribute(interval(100), 30, np.array([3, 1])), np.array([10, 0, 5]))

    assert (result.idle_uj, result.floor_uj.tolist()) == (15, [10, 0, 5])


@pytest.mark.parametrize("paid", [[31], [-1, 2]])
def test_more_than_the_floor_cannot_be_paid(paid: list[int]) -> None:
    with pytest.raises(Unbalanced):
        attribute(interval(100), 30, np.array([1]), np.array(paid))
