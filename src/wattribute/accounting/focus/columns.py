"""The columns of FOCUS' dataset "Cost and Usage", by version."""

import csv
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Final

VERSIONS: Final = ("1.0", "1.1", "1.2", "1.3", "1.4")

SUMMED: Final = (
    "BilledCost",
    "CommitmentDiscountQuantity",
    "ConsumedQuantity",
    "ContractedCost",
    "EffectiveCost",
    "ListCost",
    "PricingCurrencyEffectiveCost",
    "PricingQuantity",
)
"""Of a charge that is split, the parts of these must add up to the whole's."""

ALLOCATED: Final = (
    "AllocatedMethodDetails",
    "AllocatedMethodId",
    "AllocatedResourceId",
    "AllocatedResourceName",
    "AllocatedTags",
)
"""They say that a row is a part, of what and by which method (1.3 and later)."""


@dataclass(frozen=True, slots=True)
class FocusColumn:
    """One column of the standard."""

    name: str
    format: str
    """``text``, ``decimal``, ``positive``, ``instant``, ``currency``, ``words``, ``unit``,
    ``object`` or ``key-value``."""
    mandatory: bool
    """Must be in every file; the others where the provider has such a thing."""
    nulls: bool
    """May be without a value."""
    words: frozenset[str]
    """Values that are allowed, for ``words``."""


@cache
def columns_of(version: str) -> Mapping[str, FocusColumn]:
    """The columns of a version, by name."""
    found: dict[str, FocusColumn] = {}
    for row in _rows("columns.csv"):
        if row["since"] <= version and (not row["until"] or version <= row["until"]):
            words = frozenset(filter(None, row["words"].split("|")))
            if row["name"] == "ServiceSubcategory":
                words = frozenset(category_of())
            found[row["name"]] = FocusColumn(
                row["name"],
                row["format"],
                row["level"] == "mandatory",
                row["nulls"] == "yes",
                words,
            )
    return found


@cache
def category_of() -> Mapping[str, str]:
    """Service subcategory to the category that it is part of."""
    return {row["subcategory"]: row["category"] for row in _rows("subcategories.csv")}


def version_of(names: Collection[str]) -> str:
    """The version that a header is of, by the columns that came and went."""
    if "ServiceProviderName" in names:
        return "1.3" if "ProviderName" in names else "1.4"
    if {"BillingAccountType", "InvoiceId", "PricingCurrency", "SubAccountType"} & set(names):
        return "1.2"
    if {"CapacityReservationId", "ServiceSubcategory", "SkuMeter", "SkuPriceDetails"} & set(names):
        return "1.1"
    return "1.0"


def _rows(name: str) -> Iterator[dict[str, str]]:
    text = files("wattribute.accounting.focus").joinpath("data", name).read_text(encoding="utf-8")
    yield from csv.DictReader(text.splitlines())
