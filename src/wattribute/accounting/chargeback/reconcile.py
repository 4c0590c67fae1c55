"""The invoice, service by service: what found its nodes, and what did not."""

from dataclasses import dataclass
from decimal import Decimal

import numpy as np

from wattribute.accounting.chargeback.build import Step, opened
from wattribute.accounting.chargeback.methods import DEFAULT, METHODS
from wattribute.accounting.chargeback.request import StatementRequest
from wattribute.accounting.settings import AccountingSettings


@dataclass(frozen=True, slots=True)
class ServiceTotal:
    """Lines of one service; amounts are exact, before rounding to cents."""

    name: str
    lines: int
    cost: Decimal
    placed: Decimal
    """On nodes or namespaces of the ledger: this is what a method splits."""
    not_covered: Decimal
    """For hours that the ledger does not have."""
    not_joined: Decimal
    """For no node and no namespace that the ledger knows."""


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """A month's invoice against the ledger."""

    month: str
    currency: str
    total: Decimal
    services: tuple[ServiceTotal, ...]
    """The most expensive first."""
    nodes: int
    node_hours: int
    missing: tuple[tuple[str, int], ...]
    """Nodes with hours missing between their first and their last, and how many."""


def reconcile(
    request: StatementRequest, settings: AccountingSettings, step: Step = lambda _: None
) -> Reconciliation:
    """Join a month's bill with the ledger; no method is needed for it.

    Raises:
        ConfigInvalid: the question cannot be answered as asked.
        DataInvalid: a bill or the ledger is wrong.
        LedgerFailed: the ledger cannot be read.
    """
    with opened(request, settings, [METHODS[DEFAULT]], step) as month:
        unit = month.charges.currency
        costs = month.charges.table["cost"].to_numpy()
        where = np.zeros(len(costs), dtype=np.int64)
        where[month.placed.not_covered] = 1
        where[month.placed.not_joined] = 2
        by_service: dict[str, list[int]] = {}
        for at, service in enumerate(month.charges.table["service"].to_pylist()):
            by_service.setdefault(service or "no service", []).append(at)
        services = []
        for name, lines in by_service.items():
            sums = [int(costs[lines][where[lines] == place].sum()) for place in range(3)]
            whole, *parts = (unit.amount(amount) for amount in (sum(sums), *sums))
            services.append(ServiceTotal(name, len(lines), whole, *parts))
        return Reconciliation(
            month=request.month.text,
            currency=unit.code,
            total=month.charges.total,
            services=tuple(sorted(services, key=lambda one: (-one.cost, one.name))),
            nodes=len(month.period.facts),
            node_hours=month.period.node_hours,
            missing=month.period.missing,
        )
