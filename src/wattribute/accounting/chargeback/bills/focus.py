"""FOCUS, the format of bills of the FinOps Foundation, versions 1.0 to 1.4."""

from collections.abc import Mapping
from typing import Final

from wattribute.accounting.chargeback.bills.columns import BillColumns, BillFormat, tags_in, text_in

_NEEDS: Final = (
    "EffectiveCost",
    "BillingCurrency",
    "ChargePeriodStart",
    "ChargePeriodEnd",
    "ServiceName",
)


def _columns(columns: Mapping[str, str]) -> BillColumns:
    return BillColumns(
        cost='"EffectiveCost"',
        currency='"BillingCurrency"',
        start='"ChargePeriodStart"',
        end='"ChargePeriodEnd"',
        period=text_in("BillingPeriodStart", columns),
        resource=text_in("ResourceId", columns),
        service=text_in("ServiceName", columns),
        category=text_in("ChargeCategory", columns),
        description=text_in("ChargeDescription", columns),
        tags=tags_in("Tags", columns),
    )


BACKEND: Final = BillFormat("FOCUS", ("EffectiveCost", "BilledCost"), _NEEDS, _columns)
