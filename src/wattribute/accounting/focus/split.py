"""One charge of a bill -> its parts, as rows of FOCUS that sum to it to the last digit.

Rules of the standard (Data Generator-Calculated Split Cost Allocation): a part has the charge's
dimensions and unit prices; its costs and quantities sum to the charge's; AllocatedResourceId says
whose it is, and is null on the remainder; ratios sum to 1.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final

from wattribute.accounting.focus.columns import SUMMED
from wattribute.core.errors import Unbalanced
from wattribute.core.shares import apportion_list

Row = dict[str, str | None]

_DECIMALS: Final = 15
"""Parts are counted in at least so many decimal places: prices are checked against quantities, and
a part of a cent must still have some digits."""
_RATIO: Final = 10**12
"""Ratios are counted in parts of this."""


@dataclass(frozen=True, slots=True)
class ChargeShare:
    """Who has a share of a charge."""

    resource_id: str
    """"" is the remainder."""
    weight: int
    """At least 0; the shares are in proportion."""
    name: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    custom: Mapping[str, str] = field(default_factory=dict)
    """Values of our own columns."""
    usage: tuple[str, Decimal] | None = None
    """Unit and quantity that the share goes by."""


def split_row(
    row: Mapping[str, str | None], parts: Sequence[ChargeShare], method_id: str
) -> list[Row]:
    """The parts of a charge.

    Args:
        row: The charge, by the columns of FOCUS.
        parts: Whose shares; at least one, of positive weight together, one remainder at most.
        method_id: Goes on every part.

    Raises:
        Unbalanced: the parts do not sum to the charge; cannot happen.
    """
    weights = [part.weight for part in parts]
    ratios = apportion_list(_RATIO, weights)
    rows: list[Row] = []
    for part, ratio in zip(parts, ratios, strict=True):
        allocated: Row = dict(row)
        allocated["AllocatedMethodId"] = method_id
        allocated["AllocatedMethodDetails"] = _details(ratio, part)
        allocated["AllocatedResourceId"] = part.resource_id or None
        allocated["AllocatedResourceName"] = (part.name or None) if part.resource_id else None
        allocated["AllocatedTags"] = _tags(part, row.get("Tags"))
        allocated.update(part.custom)
        rows.append(allocated)
    for metric in SUMMED:
        text = row.get(metric)
        if text is None:
            continue
        whole = Decimal(text)
        for allocated, amount in zip(rows, split_amount(whole, weights), strict=True):
            allocated[metric] = f"{amount.normalize():f}"
        if sum(Decimal(part_row[metric] or 0) for part_row in rows) != whole:
            raise Unbalanced(f"FOCUS: parts of {metric} {text} do not sum to it")
    return rows


def split_amount(amount: Decimal, weights: Sequence[int]) -> list[Decimal]:
    """Shares of an amount by largest remainder, exact to its own last digit or the 15th."""
    exponent = amount.as_tuple().exponent
    decimals = max(_DECIMALS, -exponent) if isinstance(exponent, int) else _DECIMALS
    whole = int(amount.scaleb(decimals))
    sign = -1 if whole < 0 else 1
    shares = apportion_list(abs(whole), weights)
    return [Decimal(sign * share).scaleb(-decimals) for share in shares]


def _details(ratio: int, part: ChargeShare) -> str:
    element: dict[str, object] = {"AllocatedRatio": ratio / _RATIO}
    if part.usage:
        unit, quantity = part.usage
        element |= {"UsageUnit": unit, "UsageQuantity": float(quantity)}
    return json.dumps({"Elements": [element]}, separators=(",", ":"))


def _tags(part: ChargeShare, inherited: str | None) -> str | None:
    """The part's own tags, without those that Tags has already."""
    try:
        inherited_tags = json.loads(inherited or "{}")
    except ValueError:
        inherited_tags = {}
    own = {key: text for key, text in part.tags.items() if inherited_tags.get(key) != text}
    if not own or not part.resource_id:
        return None
    return json.dumps(own, separators=(",", ":"), sort_keys=True)
