"""Rules over several columns of one row."""

from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from wattribute.accounting.focus.columns import category_of
from wattribute.accounting.focus.findings import ValidationReport
from wattribute.accounting.focus.read import Batch

_ORDER: Final = (
    ("ChargePeriodStart", "ChargePeriodEnd"),
    ("BillingPeriodStart", "BillingPeriodEnd"),
)
_UNITS: Final = (
    ("ConsumedQuantity", "ConsumedUnit"),
    ("PricingQuantity", "PricingUnit"),
    ("CommitmentDiscountQuantity", "CommitmentDiscountUnit"),
)
_NAMED: Final = (
    ("RegionName", "RegionId"),
    ("SubAccountName", "SubAccountId"),
    ("ResourceName", "ResourceId"),
    ("CommitmentDiscountName", "CommitmentDiscountId"),
    ("CommitmentDiscountStatus", "CommitmentDiscountId"),
    ("AllocatedResourceName", "AllocatedResourceId"),
    ("AllocatedResourceId", "AllocatedMethodId"),
    ("AllocatedMethodDetails", "AllocatedMethodId"),
    ("AllocatedTags", "AllocatedMethodId"),
)
"""A value in the first needs one in the second."""


def check_rows(batch: Batch, report: ValidationReport) -> None:
    """Check every row of a batch."""
    columns = batch.columns

    def tell(wrong: pa.Array, rule: str, column: str, message: str) -> None:
        for index in pc.indices_nonzero(pc.fill_null(wrong, fill_value=False)).to_pylist():
            report.add(rule, column, message, batch.first + index)

    for start, end in _ORDER:
        if start in columns and end in columns:
            tell(pc.less_equal(columns[end], columns[start]), "order", end, f"not after {start}")
    for quantity, unit in _UNITS:
        if quantity in columns and unit in columns:
            wrong = pc.not_equal(pc.is_valid(columns[quantity]), pc.is_valid(columns[unit]))
            tell(wrong, "unit", unit, f"must be null exactly where {quantity} is")
    for name, named_column in _NAMED:
        if name in columns and named_column in columns:
            wrong = pc.and_(pc.is_valid(columns[name]), pc.is_null(columns[named_column]))
            tell(wrong, "alone", name, f"has a value where {named_column} has none")
    if "ServiceSubcategory" in columns and "ServiceCategory" in columns:
        wrong = pc.not_equal(_categories(columns["ServiceSubcategory"]), columns["ServiceCategory"])
        tell(wrong, "category", "ServiceSubcategory", "is not part of its ServiceCategory")


def _categories(subcategories: pa.Array) -> pa.Array:
    """The category that each subcategory is part of; null for what is none."""
    category = category_of()
    distinct = subcategories.dictionary_encode()
    words = [category.get(word) for word in distinct.dictionary.to_pylist()]
    return pa.array(words, pa.string()).take(distinct.indices)
