"""AWS Cost and Usage Reports 2.0."""

from collections.abc import Mapping
from typing import Final

from wattribute.accounting.chargeback.bills.columns import (
    BillColumns,
    BillFormat,
    quoted,
    tags_in,
    text_in,
)

_NEEDS: Final = (
    "line_item_line_item_type",
    "line_item_unblended_cost",
    "line_item_currency_code",
    "line_item_usage_start_date",
    "line_item_usage_end_date",
)
_COST: Final = """CASE {type}
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
_AMOUNTS: Final = {
    "unblended": "line_item_unblended_cost",
    "sp_effective": "savings_plan_savings_plan_effective_cost",
    "sp_total": "savings_plan_total_commitment_to_date",
    "sp_used": "savings_plan_used_commitment",
    "ri_effective": "reservation_effective_cost",
    "ri_unused_upfront": "reservation_unused_amortized_upfront_fee_for_billing_period",
    "ri_unused_recurring": "reservation_unused_recurring_fee",
}


def _columns(columns: Mapping[str, str]) -> BillColumns:
    amounts = {
        key: f"coalesce(TRY_CAST({quoted(column)} AS DECIMAL(38,12)), 0)"
        if column in columns
        else "0::DECIMAL(38,12)"
        for key, column in _AMOUNTS.items()
    }
    service = (
        "line_item_product_code" if "line_item_product_code" in columns else "product_servicecode"
    )
    split = text_in("split_line_item_parent_resource_id", columns)
    return BillColumns(
        cost=_COST.format(
            type='"line_item_line_item_type"',
            ri_arn=text_in("reservation_reservation_a_r_n", columns),
            **amounts,
        ),
        currency='"line_item_currency_code"',
        start='"line_item_usage_start_date"',
        end='"line_item_usage_end_date"',
        period=text_in("bill_billing_period_start_date", columns),
        resource=text_in("line_item_resource_id", columns),
        service=text_in(service, columns),
        category='"line_item_line_item_type"',
        description=text_in("line_item_line_item_description", columns),
        tags=tags_in("resource_tags", columns),
        # AWS' own split of an instance among pods repeats what the instance's line says.
        where=f"{split} = ''",
    )


BACKEND: Final = BillFormat("AWS CUR 2.0", ("line_item_line_item_type",), _NEEDS, _columns)
