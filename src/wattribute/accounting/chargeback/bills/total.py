"""A sum that is known, without a bill: ``EC2=50000 USD``."""

import re
from collections.abc import Sequence
from decimal import Decimal
from typing import Final

import pyarrow as pa

from wattribute.accounting.chargeback.charges import EVERYWHERE, Charges, Month
from wattribute.accounting.chargeback.money import Currency, digits_for
from wattribute.core.errors import ConfigInvalid

_TOTAL: Final = re.compile(r"\s*([^=]+?)\s*=\s*([-+0-9.,_']+)\s*([A-Za-z]{3})\s*")
_AMOUNT: Final = re.compile(r"[-+]?(\d+|\d{1,3}([,_']\d{3})+)(\.\d+)?")
"""Thousands in groups of three or not at all: where 50.000,00 is fifty thousand, it is not 50."""
_MOST: Final = Decimal(10) ** 15
"""Of any currency; what 64 bits hold with three decimals, with room to spare."""


def read_totals(texts: Sequence[str], month: Month) -> Charges:
    """Charges for all nodes over the whole month.

    Args:
        texts: Each ``NAME=AMOUNT CURRENCY``.
        month: Which.

    Raises:
        ConfigInvalid: a text is not of this form, has more decimals than the currency is paid in,
            or is too large; or the currencies differ.
    """
    totals = [_parsed(text) for text in texts]
    codes = sorted({code for _, _, code in totals})
    if len(codes) != 1:
        raise ConfigInvalid(
            f"--total: mixed currencies {', '.join(codes)}; give one statement each"
        )
    unit = Currency(codes[0], digits_for(sum((abs(amount) for _, amount, _ in totals), Decimal(0))))
    count = len(totals)
    table = pa.table(
        {
            "cost": pa.array([unit.quanta(amount) for _, amount, _ in totals], pa.int64()),
            "first": pa.array([month.span.first] * count, pa.int64()),
            "end": pa.array([month.span.end] * count, pa.int64()),
            "resource": [EVERYWHERE] * count,
            "namespace": [""] * count,
            "service": [name for name, _, _ in totals],
            "category": ["Usage"] * count,
            "description": ["a sum given with --total, for all nodes and the whole month"] * count,
            "source": [f"--total {text}" for text in texts],
        }
    )
    return Charges(table, unit, sum((amount for _, amount, _ in totals), Decimal(0)))


def _parsed(text: str) -> tuple[str, Decimal, str]:
    match = _TOTAL.fullmatch(text)
    if match is None:
        raise ConfigInvalid(f"--total {text!r}: write it as 'EC2=50000 USD'")
    name, number, code = match.groups()
    code = code.upper()
    if not _AMOUNT.fullmatch(number):
        raise ConfigInvalid(
            f"--total {text!r}: {number} is no amount; write it as 50000 or 50,000.00"
        )
    amount = Decimal(re.sub(r"[,_']", "", number))
    places = Currency(code).places
    if len(number.partition(".")[2]) > places:
        raise ConfigInvalid(
            f"--total {text!r}: {code} has {places} decimal places; a point is no sign of "
            "thousands, write 50000 or 50,000.00"
        )
    if abs(amount) >= _MOST:
        raise ConfigInvalid(f"--total {text!r}: must be less than 10^15 {code}")
    return name, amount, code
