"""Numbers in sysfs files."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wattribute.node.meter.sensorfile import whole_number


@given(st.integers(0, 2**63 - 1))
def test_every_number_of_63_bits_is_read_exactly(number: int) -> None:
    assert whole_number(f"{number}\n".encode()) == number


@given(st.binary(max_size=64))
def test_anything_else_is_refused(content: bytes) -> None:
    try:
        number = whole_number(content)
    except ValueError:
        return
    assert content.strip().lstrip(b"0") in {str(number).encode(), b""}
    assert 0 <= number < 2**63


@pytest.mark.parametrize("content", [b"", b"-1", b"+1", b"1 2", b"1_0", b"0x10", b"%d" % 2**63])
def test_what_is_no_whole_number(content: bytes) -> None:
    with pytest.raises(ValueError, match="not a whole number"):
        whole_number(content)
