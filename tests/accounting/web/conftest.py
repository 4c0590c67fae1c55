import asyncio
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import httpx
import pytest

from wattribute.accounting.settings import (
    AccountingSettings,
    BillsSettings,
    Budget,
    CarbonSettings,
    LedgerSettings,
    OwnershipRule,
    OwnershipSettings,
    WebSettings,
)
from wattribute.accounting.web.app import PageService
from wattribute.accounting.web.authentication import Authentication
from wattribute_testing.entries import MadeLedger

HOUR = 497_136  # 2026-09-18T00:00Z


class Client:
    """Requests to the service, without a socket; ``peer`` is where they come from."""

    def __init__(self, settings: AccountingSettings) -> None:
        self._app = PageService(settings, Authentication(settings.web)).app()

    def get(self, path: str, peer: str = "127.0.0.1", **headers: str) -> httpx.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}

        async def asked() -> httpx.Response:
            transport = httpx.ASGITransport(app=self._app, client=(peer, 1))
            async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as http:
                return await http.get(path, headers=named)

        return asyncio.run(asked())


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a ledger of two apps of two teams, and a bill of 100 USD for their nodes."""
    folder = tmp_path_factory.mktemp("served")
    made = MadeLedger()
    for node in ("i-1", "i-2"):
        made.floor(HOUR, node, 4_000_000)
        for name, uj, time_uj in (("shop", 3_000_000, 2_500_000), ("bot", 7_000_000, 7_500_000)):
            learned = {"time_uj": time_uj, "high_uj": uj + 500_000, "shared_by": "learned-1"}
            made.pod(HOUR, node, name, uj, cpu=(1, 0.5), gib=(4, 4), namespace=name, **learned)
        made.pod(HOUR, node, "<b>odd</b>", 500_000, cpu=(0.1, 0.1), gib=(1, 1), namespace="odd")
    made.write(folder / "ledger")
    (folder / "bill.csv").write_text(
        "BilledCost,EffectiveCost,BillingCurrency,ChargeCategory,ChargePeriodStart,"
        "ChargePeriodEnd,BillingPeriodStart,ServiceName,ResourceId,ChargeDescription,Tags\n"
        + "".join(
            f"{cost},{cost},USD,Usage,2026-09-18T00:00:00Z,2026-09-18T01:00:00Z,"
            f"2026-09-01T00:00:00Z,{service},{node},an hour,\n"
            for cost, service, node in (
                ("60", "EC2", "i-1"),
                ("30", "EC2", "i-2"),
                ("10", "S3", "bucket"),
            )
        )
    )
    return folder


@pytest.fixture(scope="session")
def client(files: Path) -> Callable[..., Client]:
    """A client of the service with these settings of ``web``; the one without any is kept."""

    @cache
    def plain() -> Client:
        return made()

    def make(**web: Any) -> Client:
        return made(**web) if web else plain()

    def made(**web: Any) -> Client:
        rules = (
            OwnershipRule(when={"namespace": "shop"}, team="sales"),
            OwnershipRule(when={"namespace": "bot"}, team="ai"),
        )
        budgets = (
            Budget(owner="sales", amount=10),
            Budget(owner="ai", amount=1000),
            Budget(owner="gone", amount=1, of="kwh"),
        )
        given = {"bills": (str(files / "*.csv"),), "by": "namespace", **web}
        return Client(
            AccountingSettings(
                ledger=LedgerSettings(path=str(files / "ledger")),
                ownership=OwnershipSettings(rules=rules),
                bills=BillsSettings(budgets=budgets),
                carbon=CarbonSettings(cache="none"),
                web=WebSettings(**given),
            )
        )

    return make
