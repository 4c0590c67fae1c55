from collections.abc import Callable
from pathlib import Path

import pytest

from wattribute_testing.entries import MadeLedger

HOUR = 497_136  # 2026-09-18T00:00Z


@pytest.fixture
def aws_node(tmp_path: Path) -> Path:
    """The node of AWS' example: 4 vCPU, 16 GB, four pods in two namespaces, for one hour."""
    made = MadeLedger()
    made.floor(HOUR, "i-1", 1_000_000)
    pods = {
        "p1": ((1, 0.1), (4, 3), "ns1"),
        "p2": ((1, 1.9), (4, 6), "ns1"),
        "p3": ((1, 0.5), (2, 2), "ns2"),
        "p4": ((1, 0.5), (2, 2), "ns2"),
    }
    for name, (cpu, gib, namespace) in pods.items():
        made.pod(HOUR, "i-1", name, 2_000_000, cpu=cpu, gib=gib, namespace=namespace)
    return made.write(tmp_path / "ledger")


@pytest.fixture
def bill(tmp_path: Path) -> Callable[..., Path]:
    """Write a FOCUS bill of a few lines; each is a mapping of columns."""

    def write(*lines: dict[str, object], name: str = "focus.csv") -> Path:
        columns = {
            "BilledCost": "0",
            "EffectiveCost": "1",
            "BillingCurrency": "USD",
            "ChargeCategory": "Usage",
            "ChargePeriodStart": "2026-09-18T00:00:00Z",
            "ChargePeriodEnd": "2026-09-18T01:00:00Z",
            "BillingPeriodStart": "2026-09-01T00:00:00Z",
            "ServiceName": "EC2",
            "ResourceId": "i-1",
            "ChargeDescription": "an hour",
            "Tags": "",
        }
        rows = [columns | line for line in lines]
        quoted = [
            ",".join('"' + str(value).replace('"', '""') + '"' for value in row.values())
            for row in rows
        ]
        path = tmp_path / name
        path.write_text("\n".join([",".join(columns), *quoted]) + "\n")
        return path

    return write
