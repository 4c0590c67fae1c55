"""Which packages a process may run on."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wattribute.core.records import Topology
from wattribute.node.activity.affinity import ANYWHERE, Affinity, packages_in
from wattribute_testing import FakeProcfs

TWO = Topology(("0", "1"), np.array([0, 0, 1, 1, -1]), np.full(5, -1))
ONE = Topology(("0",), np.array([0, 0]), np.full(2, -1))


def allowed(affinity: Affinity, pid: int) -> int:
    return int(affinity.allowed(np.array([pid], np.uint64), np.array([pid]))[0])


@pytest.mark.parametrize(
    ("cpus", "mask"),
    [
        ("0", 1),
        ("0-1", 1),
        ("2-3", 2),
        ("3", 2),
        ("0-3", ANYWHERE),
        ("1,2", ANYWHERE),
        ("", ANYWHERE),
        ("x", ANYWHERE),
        ("4", ANYWHERE),
        ("1-99", ANYWHERE),
        ("3-1", ANYWHERE),
    ],
)
def test_the_mask_has_a_bit_for_each_package(tmp_path: Path, cpus: str, mask: int) -> None:
    FakeProcfs(tmp_path).start(7, cpus_allowed=cpus)

    assert allowed(Affinity(tmp_path, TWO), 7) == mask


def test_a_machine_with_one_package_reads_nothing(tmp_path: Path) -> None:
    assert allowed(Affinity(tmp_path / "missing", ONE), 7) == ANYWHERE


def test_a_process_that_has_ended_may_have_been_anywhere(tmp_path: Path) -> None:
    assert allowed(Affinity(tmp_path, TWO), 7) == ANYWHERE


def test_a_mask_is_read_once_and_again_now_and_then(tmp_path: Path) -> None:
    procfs = FakeProcfs(tmp_path).start(7, cpus_allowed="0")
    affinity = Affinity(tmp_path, TWO)
    assert allowed(affinity, 7) == 1

    procfs.exit(7)
    procfs.start(7, cpus_allowed="2")
    masks = [allowed(affinity, 7) for _ in range(200)]

    assert masks[0] == 1
    assert masks[-1] == 2


@given(st.binary(max_size=40))
def test_any_text_is_a_mask(text: bytes) -> None:
    assert 0 < packages_in(text, TWO.package_of_cpu) <= ANYWHERE
