"""Convert Kubernetes quantities (``250m``, ``1.5Gi``, ``1e3``) into whole numbers, exactly.

Grammar: k8s.io/apimachinery/pkg/api/resource/quantity.go. ``E`` alone is exa; ``E3`` and
``e3`` are exponents of ten.
"""

import re
from functools import lru_cache
from typing import Final

_QUANTITY: Final = re.compile(
    r"\+?(?P<whole>[0-9]*)(?:\.(?P<part>[0-9]*))?"
    r"(?:(?P<suffix>[numkMGTPE]|[KMGTPE]i)|[eE](?P<exponent>[+-]?[0-9]{1,3}))?",
    re.ASCII,
)
_TEN: Final = {"n": -9, "u": -6, "m": -3, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_TWO: Final = {"Ki": 10, "Mi": 20, "Gi": 30, "Ti": 40, "Pi": 50, "Ei": 60}
_LONGEST: Final = 64
_MAX: Final = 2**63 - 1
"""Kubernetes' own upper bound; a larger quantity becomes this."""

MILLI: Final = 1000


@lru_cache(maxsize=4096)
def amount(text: str, unit: int = 1) -> int:
    """Return the value of a quantity, rounded up as Kubernetes does.

    Args:
        text: the quantity.
        unit: parts per unit: ``MILLI`` gives the value in thousandths.

    Raises:
        ValueError: the text is not a quantity, or is negative.
    """
    match = _QUANTITY.fullmatch(text) if len(text) <= _LONGEST else None
    if match is None or not (match["whole"] or match["part"]):
        raise ValueError(f"not a quantity: {text[:_LONGEST]!r}")
    part, suffix = match["part"] or "", match["suffix"] or ""
    digits = int((match["whole"] or "") + part)
    ten = _TEN.get(suffix, 0) + int(match["exponent"] or 0) - len(part)
    scaled = (digits * unit << _TWO.get(suffix, 0)) * int(10 ** max(ten, 0))
    return min(-(-scaled // int(10 ** max(-ten, 0))), _MAX)
