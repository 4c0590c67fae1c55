"""Small bills in the shapes of the standard's published examples: each is valid as it stands.

The shapes (corrections as delta and as ledger, commitments, tokens, a split whose charge stays with
zero cost) are those of FOCUS_Spec's example data; the figures are our own.
"""

import csv
import json
from pathlib import Path

import pytest

from wattribute.accounting.focus import columns_of, validate

Row = dict[str, str]
BASE: Row = {
    "BilledCost": "10",
    "BillingAccountId": "a-1",
    "BillingAccountName": "Acme",
    "BillingCurrency": "USD",
    "BillingPeriodStart": "2026-10-01T00:00:00Z",
    "BillingPeriodEnd": "2026-11-01T00:00:00Z",
    "ChargeCategory": "Usage",
    "ChargeClass": "",
    "ChargePeriodStart": "2026-10-01T00:00:00Z",
    "ChargePeriodEnd": "2026-10-01T01:00:00Z",
    "ContractedCost": "10",
    "EffectiveCost": "10",
    "InvoiceIssuerName": "Cloud",
    "ListCost": "10",
    "PricingQuantity": "1",
    "PricingUnit": "Hours",
    "ServiceCategory": "Compute",
    "ServiceName": "VM",
    "ServiceProviderName": "Cloud",
}


def costs(amount: str) -> Row:
    return dict.fromkeys(("BilledCost", "ContractedCost", "EffectiveCost", "ListCost"), amount)


def part(ratio: float, amount: str, resource: str) -> Row:
    details = {"Elements": [{"AllocatedRatio": ratio, "UsageUnit": "Core-Hours"}]}
    return {
        **costs(amount),
        "PricingQuantity": str(ratio),
        "AllocatedMethodId": "by-cores",
        "AllocatedMethodDetails": json.dumps(details),
        "AllocatedResourceId": resource,
        "AllocatedTags": json.dumps({"app": resource}) if resource else "",
    }


ZERO = {**costs("0"), "PricingQuantity": "0"}
EXAMPLES: dict[str, list[Row]] = {
    "a correction as the difference": [{}, {"ChargeClass": "Correction", **costs("-2.5")}],
    "a correction as a ledger": [
        {},
        {"ChargeClass": "Correction", **costs("-10")},
        {"ChargeClass": "Correction", **costs("7.5")},
    ],
    "a commitment bought, used and not used": [
        {"ChargeCategory": "Purchase", "EffectiveCost": "0", "BilledCost": "100"},
        {"BilledCost": "0", "CommitmentDiscountId": "sp-1", "CommitmentDiscountStatus": "Used"},
        {"BilledCost": "0", "CommitmentDiscountId": "sp-1", "CommitmentDiscountStatus": "Unused"},
    ],
    "tokens of a model": [
        {
            "ServiceCategory": "AI and Machine Learning",
            "ConsumedQuantity": "1500",
            "ConsumedUnit": "Tokens",
            "PricingQuantity": "1.5",
            "PricingUnit": "1000 Tokens",
        }
    ],
    "a tax and a credit": [
        {"ChargeCategory": "Tax", "PricingQuantity": "", "PricingUnit": ""},
        {"ChargeCategory": "Credit", **costs("-3")},
    ],
    "a split whose charge stays, at zero": [
        ZERO,
        part(0.5, "5", "pod-a"),
        part(0.3, "3", "pod-b"),
        part(0.2, "2", ""),
    ],
    "a split with a refund": [part(0.6, "-6", "pod-a"), part(0.4, "-4", "")],
}


def written(path: Path, rows: list[Row]) -> Path:
    extra = dict.fromkeys(name for row in rows for name in row)
    mandatory = [name for name, column in columns_of("1.4").items() if column.mandatory]
    names = list(dict.fromkeys([*mandatory, *extra]))
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, names, restval="")
        writer.writeheader()
        writer.writerows({**BASE, **row} for row in rows)
    return path


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_published_shape_is_valid(tmp_path: Path, name: str) -> None:
    report = validate(written(tmp_path / "bill.csv", EXAMPLES[name]))
    assert report.findings == []
    assert report.version == "1.4"


def test_a_quantity_of_nothing_and_a_status_of_no_commitment_are_found(tmp_path: Path) -> None:
    rows = [{"PricingQuantity": ""}, {"CommitmentDiscountStatus": "Used"}]
    rows[1]["CommitmentDiscountId"] = ""
    report = validate(written(tmp_path / "bill.csv", rows))
    assert {(finding.rule, finding.column) for finding in report.findings} == {
        ("unit", "PricingUnit"),
        ("alone", "CommitmentDiscountStatus"),
    }
