"""Quantities, exactly."""

import contextlib
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wattribute.node.workload.kube.quantity import MILLI, amount


@pytest.mark.parametrize(
    ("text", "milli"),
    [
        ("1", 1000),
        ("250m", 250),
        ("0.1", 100),
        (".5", 500),
        ("1.", 1000),
        ("+2", 2000),
        ("1e3", 1_000_000),
        ("1E3", 1_000_000),
        ("2e-3", 2),
        ("0", 0),
        ("1500u", 2),  # rounded up, as Kubernetes does
        ("1n", 1),
        ("2k", 2_000_000),
    ],
)
def test_cpu_is_read_in_thousandths(text: str, milli: int) -> None:
    assert amount(text, MILLI) == milli


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("64Mi", 64 << 20),
        ("1.5Gi", 3 << 29),
        ("128974848", 128_974_848),
        ("129e6", 129_000_000),
        ("129M", 129_000_000),
        ("1Ki", 1024),
        ("1E", 10**18),
        ("1Ei", 1 << 60),
        ("0.1Ki", 103),
        ("123456789012345678", 123_456_789_012_345_678),  # beyond a float's 53 bits
        ("100m", 1),
    ],
)
def test_memory_is_read_in_bytes(text: str, size: int) -> None:
    assert amount(text) == size


@pytest.mark.parametrize(
    "text",
    [
        "",
        ".",
        "-1",
        "1 Gi",
        "Gi",
        "1GB",
        "1mi",
        "0x10",
        "1e",
        "1e1000",
        "NaN",
        "1_000",
        "٣",
        "1" * 99,
    ],
)
def test_what_is_no_quantity_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a quantity"):
        amount(text)


def test_more_than_kubernetes_allows_is_taken_for_the_most() -> None:
    assert amount("1e999") == 2**63 - 1


@given(st.text(max_size=20))
def test_any_text_is_a_quantity_or_refused(text: str) -> None:
    with contextlib.suppress(ValueError):
        assert 0 <= amount(text) <= 2**63 - 1


@given(st.integers(0, 10**12), st.integers(0, 9), st.sampled_from(["", "m", "k", "Ki", "Mi", "G"]))
def test_decimals_are_exact(digits: int, places: int, suffix: str) -> None:
    factor = {"": 1, "m": Fraction(1, 1000), "k": 1000, "Ki": 1024, "Mi": 1 << 20, "G": 10**9}
    whole, part = divmod(digits, 10**places)
    text = f"{whole}.{part:0{places}}{suffix}" if places else f"{whole}{suffix}"
    exact = Fraction(digits, 10**places) * factor[suffix]

    assert amount(text) == min(-(-exact.numerator // exact.denominator), 2**63 - 1)
