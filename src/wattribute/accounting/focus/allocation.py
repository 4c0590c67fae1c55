"""The rules of split charges: the parts of a charge make the charge, once.

Rows that have an AllocatedMethodId are parts. Parts of one charge have all its dimensions; beside
them may lie x_SplitOriginId, which names the charge, and x_SplitOriginCost, what it cost. A part
without AllocatedResourceId is the remainder, of which a charge has one at most.
"""

from collections import Counter
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from wattribute.accounting.focus.columns import ALLOCATED, SUMMED, columns_of
from wattribute.accounting.focus.findings import ValidationReport
from wattribute.accounting.focus.formats import key_values, method_details
from wattribute.accounting.focus.read import Batch

_ORIGIN: Final = "x_SplitOriginId"
_ORIGIN_COST: Final = "x_SplitOriginCost"
_RATIO_ERROR: Final = 1e-6
"""Of a sum of ratios: they are decimals of limited length."""
_COST_ERROR: Final = Decimal("0.01")
"""Of one part's cost against its ratio: costs are rounded to the cent."""


@dataclass(slots=True)
class _Group:
    """The parts of one charge."""

    first_row: int
    method: str
    ratio: float = 0.0
    ratios: list[float] = field(default_factory=list)
    costs: list[Decimal] = field(default_factory=list)
    resources: Counter[str] = field(default_factory=Counter)
    unknown_ratio: bool = False
    origin_cost: str | None = None
    methods_differ: bool = False
    origin_costs_differ: bool = False


class Allocation:
    """Collects the parts of a file, and checks them when it is read."""

    def __init__(self, version: str, report: ValidationReport) -> None:
        """``version``: whose columns are dimensions."""
        beside = {*SUMMED, *ALLOCATED, "Tags"}
        self._dimensions = [name for name in columns_of(version) if name not in beside]
        self._report = report
        self._groups: dict[bytes | str, _Group] = {}

    def add(self, batch: Batch) -> None:
        """Take the parts among these rows."""
        if "AllocatedMethodId" not in batch.columns:
            return
        rows = pc.indices_nonzero(pc.is_valid(batch.columns["AllocatedMethodId"]))
        if not len(rows):
            return
        columns = {name: column.take(rows) for name, column in batch.columns.items()}
        needed = (*ALLOCATED, "EffectiveCost", "Tags", _ORIGIN_COST)
        values = {
            name: columns[name].to_pylist() if name in columns else [None] * len(rows)
            for name in needed
        }
        for at, (index, key) in enumerate(zip(rows.to_pylist(), self._keys(columns), strict=True)):
            self._part({name: values[name][at] for name in needed}, key, batch.first + index)

    def _keys(self, columns: dict[str, pa.Array]) -> list[str]:
        """What tells one charge from another, for each row."""
        dimensions = [columns[name] for name in self._dimensions if name in columns]
        joined = pc.binary_join_element_wise(
            *dimensions, "\x1f", null_handling="replace", null_replacement="\x1e"
        )
        if _ORIGIN in columns:  # one that says of which charge it is need not be guessed
            joined = pc.coalesce(columns[_ORIGIN], joined)
        return list(joined.to_pylist())

    def _part(self, part: dict[str, str | None], key: str, row: int) -> None:
        method = part["AllocatedMethodId"] or ""
        group = self._groups.get(key)
        if group is None:
            group = self._groups[key] = _Group(row, method, origin_cost=part[_ORIGIN_COST])
        group.methods_differ |= method != group.method
        group.origin_costs_differ |= part[_ORIGIN_COST] != group.origin_cost
        group.resources[part["AllocatedResourceId"] or ""] += 1
        try:
            group.costs.append(Decimal(part["EffectiveCost"] or "0"))
        except InvalidOperation:
            group.costs.append(Decimal(0))  # the format is a finding of its own
        self._tags(part, row)
        try:
            ratio = sum(method_details(part["AllocatedMethodDetails"] or ""))
        except ValueError:
            group.unknown_ratio = True  # as is this; and without details there is no ratio
            return
        group.ratios.append(ratio)
        group.ratio += ratio

    def _tags(self, part: dict[str, str | None], row: int) -> None:
        own, inherited = key_values(part["AllocatedTags"] or "{}"), key_values(part["Tags"] or "{}")
        if own and inherited and own.items() & inherited.items():
            # A warning: the same tag may be on the resource and, truly, on its part.
            message = "repeats a tag of Tags"
            self._report.add("tags", "AllocatedTags", message, row, error=False)

    def finish(self) -> None:
        """Check every group; called once, after the last batch."""
        self._report.split_groups = len(self._groups)
        for group in self._groups.values():
            # Charges that are alike in every dimension lie in one group: then every part is there
            # as often as there are charges.
            charges = max(group.resources.values())
            self._methods(group, charges)
            self._ratios(group, charges)
            self._costs(group)

    def _methods(self, group: _Group, charges: int) -> None:
        if group.methods_differ:
            self._report.add(
                "method", "AllocatedMethodId", "differs among parts of one charge", group.first_row
            )
        if charges > 1 and len(set(group.resources.values())) > 1:
            subject = "the remainder" if group.resources[""] == charges else "one resource"
            self._report.add(
                "twice",
                "AllocatedResourceId",
                f"{subject} comes more than once among the parts of one charge",
                group.first_row,
            )

    def _ratios(self, group: _Group, charges: int) -> None:
        if group.unknown_ratio or not group.ratios:
            return
        if abs(group.ratio - charges) > _RATIO_ERROR * max(1, len(group.ratios)) and not (
            abs(group.ratio - 1) <= _RATIO_ERROR * len(group.ratios)
        ):
            self._report.add(
                "ratio-sum",
                "AllocatedMethodDetails",
                f"ratios of one charge sum to {group.ratio:.6f}, not to 1",
                group.first_row,
            )

    def _costs(self, group: _Group) -> None:
        total = sum(group.costs, Decimal(0))
        if group.origin_costs_differ:
            self._report.add(
                "origin", _ORIGIN_COST, "differs among parts of one charge", group.first_row
            )
        elif group.origin_cost is not None and total != Decimal(group.origin_cost):
            self._report.add(
                "conservation",
                "EffectiveCost",
                f"parts sum to {total}, the charge was {group.origin_cost}",
                group.first_row,
            )
        if len(group.ratios) == len(group.costs) and abs(group.ratio - 1) < _RATIO_ERROR:
            for ratio, cost in zip(group.ratios, group.costs, strict=True):
                error = abs(cost - total * Decimal(repr(ratio)))
                if error > _COST_ERROR + abs(total) * Decimal("1e-6"):
                    self._report.add(
                        "ratio-cost",
                        "EffectiveCost",
                        f"{cost} is not {ratio:.6f} of {total}",
                        group.first_row,
                    )
                    break
