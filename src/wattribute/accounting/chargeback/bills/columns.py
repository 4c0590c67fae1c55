"""What is taken from each format: our column -> an expression over the file's columns."""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Final

from wattribute.core.errors import DataInvalid


@dataclass(frozen=True, slots=True)
class Format:
    """A bill's format, for the columns that one file has."""

    name: str
    cost: str
    """SQL that gives the effective (amortised) cost as text or number."""
    currency: str
    start: str
    end: str
    period: str
    """Start of the billing period; "" where the file does not say."""
    resource: str
    service: str
    category: str
    description: str
    tags: str
    where: str = "true"
    """Lines that are counted."""


_FOCUS_NEEDS: Final = (
    "EffectiveCost",
    "BillingCurrency",
    "ChargePeriodStart",
    "ChargePeriodEnd",
    "ServiceName",
)
_CUR_NEEDS: Final = (
    "line_item_line_item_type",
    "line_item_unblended_cost",
    "line_item_currency_code",
    "line_item_usage_start_date",
    "line_item_usage_end_date",
)
_CUR_COST: Final = """CASE {type}
    WHEN 'SavingsPlanCoveredUsage' THEN {sp_effective}
    WHEN 'SavingsPlanRecurringFee' THEN {sp_total} - {sp_used}
    WHEN 'DiscountedUsage' THEN {ri_effective}
    WHEN 'RIFee' THEN {ri_unused_upfront} + {ri_unused_recurring}
    WHEN 'SavingsPlanNegation' THEN 0
    WHEN 'SavingsPlanUpfrontFee' THEN 0
    WHEN 'Fee' THEN CASE WHEN {ri_arn} <> '' THEN 0 ELSE {unblended} END
    ELSE {unblended} END"""
"""Amortised cost by the type of a line, as AWS' user guide of Cost and Usage Reports computes it
(Understanding your amortized reservation data; Understanding Savings Plans)."""
_CUR_AMOUNTS: Final = {
    "unblended": "line_item_unblended_cost",
    "sp_effective": "savings_plan_savings_plan_effective_cost",
    "sp_total": "savings_plan_total_commitment_to_date",
    "sp_used": "savings_plan_used_commitment",
    "ri_effective": "reservation_effective_cost",
    "ri_unused_upfront": "reservation_unused_amortized_upfront_fee_for_billing_period",
    "ri_unused_recurring": "reservation_unused_recurring_fee",
}


def format_of(name: str, columns: Mapping[str, str]) -> Format:
    """Recognise a bill by its columns.

    Args:
        name: Of the file, for messages.
        columns: Name -> DuckDB's type.

    Raises:
        DataInvalid: it is no bill that is known, or lacks a column.
    """
    have = columns.keys()
    if "line_item_line_item_type" in have:
        _check(name, "AWS CUR 2.0", have, _CUR_NEEDS)
        return _cur(columns)
    if "EffectiveCost" in have or "BilledCost" in have:
        _check(name, "FOCUS", have, _FOCUS_NEEDS)
        return _focus(columns)
    raise DataInvalid(
        f"{name}: neither FOCUS (no column EffectiveCost) nor AWS CUR 2.0 (no column "
        f"line_item_line_item_type); its columns are {', '.join(list(have)[:8])}, ..."
    )


def _check(name: str, what: str, have: AbstractSet[str], needed: tuple[str, ...]) -> None:
    if missing := [column for column in needed if column not in have]:
        raise DataInvalid(f"{name}: a {what} bill lacks the column {', '.join(missing)}")


def _focus(columns: Mapping[str, str]) -> Format:
    return Format(
        name="FOCUS",
        cost='"EffectiveCost"',
        currency='"BillingCurrency"',
        start='"ChargePeriodStart"',
        end='"ChargePeriodEnd"',
        period=_text("BillingPeriodStart", columns),
        resource=_text("ResourceId", columns),
        service=_text("ServiceName", columns),
        category=_text("ChargeCategory", columns),
        description=_text("ChargeDescription", columns),
        tags=_tags("Tags", columns),
    )


def _cur(columns: Mapping[str, str]) -> Format:
    amounts = {
        key: f"coalesce(TRY_CAST({_name(column)} AS DECIMAL(38,12)), 0)"
        if column in columns
        else "0::DECIMAL(38,12)"
        for key, column in _CUR_AMOUNTS.items()
    }
    service = (
        "line_item_product_code" if "line_item_product_code" in columns else "product_servicecode"
    )
    split = _text("split_line_item_parent_resource_id", columns)
    return Format(
        name="AWS CUR 2.0",
        cost=_CUR_COST.format(
            type='"line_item_line_item_type"',
            ri_arn=_text("reservation_reservation_a_r_n", columns),
            **amounts,
        ),
        currency='"line_item_currency_code"',
        start='"line_item_usage_start_date"',
        end='"line_item_usage_end_date"',
        period=_text("bill_billing_period_start_date", columns),
        resource=_text("line_item_resource_id", columns),
        service=_text(service, columns),
        category='"line_item_line_item_type"',
        description=_text("line_item_line_item_description", columns),
        tags=_tags("resource_tags", columns),
        # AWS' own split of an instance among pods repeats what the instance's line says.
        where=f"{split} = ''",
    )


def _text(column: str, columns: Mapping[str, str]) -> str:
    if column not in columns:
        return "''"
    return f"coalesce(CAST({_name(column)} AS VARCHAR), '')"


def _tags(column: str, columns: Mapping[str, str]) -> str:
    """Tags as JSON text: they come as text, as a map, or as a structure."""
    if columns.get(column, "").startswith(("MAP", "STRUCT")):
        return f"coalesce(CAST(to_json({_name(column)}) AS VARCHAR), '')"
    return _text(column, columns)


def _name(column: str) -> str:
    return f'"{column}"'
