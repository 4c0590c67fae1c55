"""A sum that is known, without a bill: ``EC2=50000 USD``."""

import re
from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from typing import Final

import pyarrow as pa

from wattribute.chargeback.charges import EVERYWHERE, Charges, Month
from wattribute.chargeback.money import Currency, digits_for
from wattribute.errors import ConfigInvalid

_TOTAL: Final = re.compile(r"\s*([^=]+?)\s*=\s*([-+0-9.,_']+)\s*([A-Za-z]{3})\s*")


def read_totals(texts: Sequence[str], month: Month) -> Charges:
    """Charges for all nodes over the whole month.

    Args:
        texts: Each ``NAME=AMOUNT CURRENCY``.
        month: Which.

    Raises:
        ConfigInvalid: a text is not of this form, or the currencies differ.
    """
    found = [_parsed(text) for text in texts]
    codes = sorted({code for _, _, code in found})
    if len(codes) != 1:
        raise ConfigInvalid(
            f"--total: mixed currencies {', '.join(codes)}; give one statement each"
        )
    unit = Currency(codes[0], digits_for(sum((abs(amount) for _, amount, _ in found), Decimal(0))))
    count = len(found)
    table = pa.table(
        {
            "cost": pa.array([unit.quanta(amount) for _, amount, _ in found], pa.int64()),
            "first": pa.array([month.span.first] * count, pa.int64()),
            "end": pa.array([month.span.end] * count, pa.int64()),
            "resource": [EVERYWHERE] * count,
            "namespace": [""] * count,
            "service": [name for name, _, _ in found],
            "category": ["Usage"] * count,
            "description": ["a sum given with --total, for all nodes and the whole month"] * count,
            "source": [f"--total {text}" for text in texts],
        }
    )
    return Charges(table, unit, sum((amount for _, amount, _ in found), Decimal(0)))


def _parsed(text: str) -> tuple[str, Decimal, str]:
    match = _TOTAL.fullmatch(text)
    if match is None:
        raise ConfigInvalid(f"--total {text!r}: write it as 'EC2=50000 USD'")
    name, number, code = match.groups()
    try:
        return name, Decimal(re.sub(r"[,_']", "", number)), code.upper()
    except InvalidOperation:
        raise ConfigInvalid(f"--total {text!r}: {number} is no amount") from None
