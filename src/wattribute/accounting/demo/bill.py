"""The demo's bill: a month in FOCUS, whose EC2 part is 50,000 US dollars exactly."""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import ROUND_DOWN, Decimal
from pathlib import Path
from typing import Final

import pyarrow as pa
from pyarrow import parquet

from wattribute.accounting.demo.cluster import END_S, NODES, START_S
from wattribute.core.errors import LedgerFailed
from wattribute.core.units import HOUR_S, MICROSECONDS_PER_SECOND

EC2: Final = "Amazon Elastic Compute Cloud"
EC2_TOTAL: Final = Decimal(50_000)
_STEP: Final = Decimal("0.0000000001")
_MONEY: Final = pa.decimal128(20, 10)
_INSTANT: Final = pa.timestamp("us", tz="UTC")
_TAGS: Final = pa.map_(pa.string(), pa.string())
_PROVIDER: Final = "Amazon Web Services"

_TYPES: Final[dict[str, pa.DataType]] = {
    **dict.fromkeys(
        ("BilledCost", "EffectiveCost", "ListCost", "ContractedCost", "ListUnitPrice",
         "ContractedUnitPrice", "PricingQuantity", "ConsumedQuantity"), _MONEY),
    **dict.fromkeys(
        ("BillingPeriodStart", "BillingPeriodEnd", "ChargePeriodStart", "ChargePeriodEnd"),
        _INSTANT),
    "Tags": _TAGS,
    **dict.fromkeys(
        ("BillingAccountId", "BillingAccountName", "BillingAccountType", "BillingCurrency",
         "ChargeCategory", "ChargeClass", "ChargeDescription", "ChargeFrequency", "ConsumedUnit",
         "HostProviderName", "InvoiceId", "InvoiceIssuerName", "PricingCategory", "PricingUnit",
         "ProviderName", "PublisherName", "RegionId", "RegionName", "ResourceId", "ResourceName",
         "ResourceType", "ServiceCategory", "ServiceName", "ServiceProviderName",
         "ServiceSubcategory", "SkuId", "SkuPriceId", "SubAccountId", "SubAccountName",
         "SubAccountType"),
        pa.string()),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Line:
    """One resource, charged by the hour."""

    service: str
    category: str
    subcategory: str
    kind: str
    resource_id: str
    description: str
    unit: str
    quantity: Decimal
    """In an hour."""
    unit_price: Decimal
    tags: tuple[tuple[str, str], ...] = ()


_CLUSTER: Final = (("aws:eks:cluster-name", "demo"),)
_OTHERS: Final = (
    _Line("Amazon Elastic Kubernetes Service", "Compute", "Containers", "Cluster",
          "arn:aws:eks:us-east-1:111122223333:cluster/demo", "Control plane", "Hours",
          Decimal(1), Decimal("0.10"), _CLUSTER),
    _Line("Amazon Elastic Block Store", "Storage", "Block Storage", "Volume",
          "vol-0aa11bb22cc33dd44", "gp3, vector-store", "GB-Months", Decimal(2000) / 744,
          Decimal("0.08"), (*_CLUSTER, ("kubernetes.io/created-for/pvc/namespace", "marketing"),
                            ("kubernetes.io/created-for/pvc/name", "data-vector-store-0"))),
    _Line("Amazon Elastic Block Store", "Storage", "Block Storage", "Volume",
          "vol-0ee55ff66aa77bb88", "gp3, session-store", "GB-Months", Decimal(1200) / 744,
          Decimal("0.08"), (*_CLUSTER, ("kubernetes.io/created-for/pvc/namespace", "support"),
                            ("kubernetes.io/created-for/pvc/name", "data-session-store-0"))),
    _Line("Elastic Load Balancing", "Networking", "Network Routing", "Load Balancer",
          "arn:aws:elasticloadbalancing:us-east-1:111122223333:loadbalancer/net/ingress/50dc6c495c",
          "Network load balancer", "Hours", Decimal(1), Decimal("0.0225"),
          (*_CLUSTER, ("kubernetes.io/service-name", "ingress-nginx/controller"))),
    _Line("Amazon Simple Storage Service", "Storage", "Object Storage", "Bucket",
          "arn:aws:s3:::demo-models", "Standard storage", "GB-Months", Decimal(4000) / 744,
          Decimal("0.023")),
)  # fmt: skip
"""What does not belong to a node."""


def write_bill(path: Path) -> int:
    """Write the bill as Parquet; the number of its rows.

    Raises:
        LedgerFailed: it could not be written.
    """
    rows = [*_instances(), *(row for line in _OTHERS for row in _charges(line, line.unit_price))]
    rows.sort(key=lambda row: (row["ChargePeriodStart"], row["ServiceName"], row["ResourceId"]))
    schema = pa.schema(sorted(_TYPES.items()))
    try:
        parquet.write_table(pa.Table.from_pylist(rows, schema), path, compression="zstd")
    except OSError as exc:
        raise LedgerFailed(f"{path}: cannot write the demo's bill: {exc}") from exc
    return len(rows)


def _instances() -> Iterator[dict[str, object]]:
    """EC2: list prices less a discount that makes the sum round; the last row takes the rest."""
    hours = (END_S - START_S) // HOUR_S
    listed = sum((Decimal(node.price_per_h) for node in NODES), Decimal(0)) * hours
    remaining = EC2_TOTAL
    rows: list[dict[str, object]] = []
    for node in NODES:
        line = _Line(EC2, "Compute", "Virtual Machines", "Instance", node.instance_id,
                     f"{node.instance_type}, Linux, on demand", "Hours", Decimal(1),
                     Decimal(node.price_per_h), (*_CLUSTER, ("Name", node.name)))  # fmt: skip
        price = (line.unit_price * EC2_TOTAL / listed).quantize(_STEP, ROUND_DOWN)
        rows += _charges(line, price)
        remaining -= price * hours
    last = Decimal(str(rows[-1]["BilledCost"])) + remaining
    rows[-1].update(
        BilledCost=last, EffectiveCost=last, ContractedCost=last, ContractedUnitPrice=last
    )  # of one hour
    yield from rows


def _charges(line: _Line, unit_price: Decimal) -> Iterator[dict[str, object]]:
    quantity = line.quantity.quantize(_STEP)
    cost = (quantity * unit_price).quantize(_STEP)
    for hour_s in range(START_S, END_S, HOUR_S):
        yield {
            **_COMMON,
            "BilledCost": cost,
            "EffectiveCost": cost,
            "ContractedCost": cost,
            "ListCost": (quantity * line.unit_price).quantize(_STEP),
            "ListUnitPrice": line.unit_price,
            "ContractedUnitPrice": unit_price,
            "PricingQuantity": quantity,
            "ConsumedQuantity": quantity,
            "ChargePeriodStart": hour_s * MICROSECONDS_PER_SECOND,
            "ChargePeriodEnd": (hour_s + HOUR_S) * MICROSECONDS_PER_SECOND,
            "ChargeDescription": line.description,
            "ConsumedUnit": line.unit,
            "PricingUnit": line.unit,
            "ResourceId": line.resource_id,
            "ResourceName": dict(line.tags).get("Name"),
            "ResourceType": line.kind,
            "ServiceCategory": line.category,
            "ServiceName": line.service,
            "ServiceSubcategory": line.subcategory,
            "SkuId": line.description.partition(",")[0],
            "SkuPriceId": line.description.partition(",")[0],
            "Tags": line.tags,
        }


_COMMON: Final[dict[str, object]] = {
    "BillingAccountId": "111122223333",
    "BillingAccountName": "Demo",
    "BillingAccountType": "Account",
    "BillingCurrency": "USD",
    "BillingPeriodStart": START_S * MICROSECONDS_PER_SECOND,
    "BillingPeriodEnd": END_S * MICROSECONDS_PER_SECOND,
    "ChargeCategory": "Usage",
    "ChargeFrequency": "Usage-Based",
    "HostProviderName": _PROVIDER,
    "InvoiceId": "DEMO-2026-10",
    "InvoiceIssuerName": _PROVIDER,
    "PricingCategory": "Standard",
    "ProviderName": _PROVIDER,
    "PublisherName": _PROVIDER,
    "RegionId": "us-east-1",
    "RegionName": "US East (N. Virginia)",
    "ServiceProviderName": _PROVIDER,
    "SubAccountId": "111122223333",
    "SubAccountName": "Demo",
    "SubAccountType": "Account",
}
