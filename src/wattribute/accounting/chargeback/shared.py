"""Shared costs, charged on: pools that form a graph without cycles.

A pool is what everybody uses and nobody owns: the control plane, ingress, monitoring. What its
workloads cost, and bill lines of its services, go on to owners or to other pools by a key. Money,
energy and grams go together.
"""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from fnmatch import fnmatchcase
from typing import Final

from wattribute.accounting.chargeback.accounts import Account, Pool
from wattribute.accounting.chargeback.totals import Totals
from wattribute.accounting.settings import SharedCost
from wattribute.core.errors import ConfigInvalid
from wattribute.core.shares import apportion_list

_CHARGED: Final = ("owner", "unowned", "platform")


def pools_of(shared: Sequence[SharedCost]) -> tuple[Pool, ...]:
    """The pools of the settings, ready to be asked who belongs to them.

    Raises:
        ConfigInvalid: two have one name, one matches nothing by construction, or they go round in
            a circle (the message has the path).
    """
    names = [pool.name for pool in shared]
    for name in names:
        if names.count(name) > 1:
            raise ConfigInvalid(f"bills.shared: two are named {name!r}")
    for pool in shared:
        if not pool.when and not pool.services:
            raise ConfigInvalid(f"bills.shared: {pool.name}: needs `when` or `services`")
    in_order(shared)
    return tuple(_pool(pool) for pool in shared)


def _pool(pool: SharedCost) -> Pool:
    patterns = tuple(pool.when.items())

    def matches(subject: Mapping[str, str]) -> bool:
        return bool(patterns) and all(
            fnmatchcase(subject.get(name, ""), glob) for name, glob in patterns
        )

    return Pool(pool.name, matches, tuple(pool.when))


def in_order(shared: Sequence[SharedCost]) -> list[SharedCost]:
    """The pools so that each comes after all that charge it.

    Raises:
        ConfigInvalid: they go round in a circle.
    """
    by_name = {pool.name: pool for pool in shared}
    finished: dict[str, None] = {}
    path: list[str] = []

    def visit(name: str) -> None:
        if name in path:
            circle = " -> ".join([*path[path.index(name) :], name])
            raise ConfigInvalid(f"bills.shared: costs go round in a circle: {circle}")
        if name in finished:
            return
        path.append(name)
        for target in by_name[name].to:
            for other in by_name:
                if fnmatchcase(other, target) and (other != name or target == name):
                    visit(other)
        path.pop()
        finished[name] = None

    for pool in shared:
        visit(pool.name)
    return [by_name[name] for name in reversed(finished)]


def charge_on(
    shared: Sequence[SharedCost], accounts: Sequence[Account], totals: dict[int, Totals]
) -> list[str]:
    """Move every pool's totals to those whom it charges, in place.

    Args:
        shared: The pools.
        accounts: All accounts, with numbers.
        totals: By number; a pool that could be charged on is not in it afterwards.

    Returns:
        Notes: pools that are empty, or that nobody could be charged for.
    """
    notes = []
    number_of = {(account.kind, account.name): account.number for account in accounts}
    for pool in in_order(shared):
        number = number_of.get(("shared", pool.name))
        own = totals.get(number) if number is not None else None
        if number is None or own is None:
            notes.append(f"bills.shared: {pool.name} matched no workload and no line of the bill")
            continue
        targets = _targets(pool, accounts, totals)
        if not targets:
            notes.append(f"bills.shared: {pool.name}: nobody to charge; it stays a row")
            continue
        weights = [_weight(pool.key, totals[target]) for target in targets]
        for field in fields(own):
            if field.name == "cost_shared":
                continue
            parts = apportion_list(getattr(own, field.name), weights)
            for target, part in zip(targets, parts, strict=True):
                target_totals = totals[target]
                setattr(target_totals, field.name, getattr(target_totals, field.name) + part)
                if field.name == "cost":
                    target_totals.cost_shared += part
        del totals[number]
    return notes


def _targets(
    pool: SharedCost, accounts: Sequence[Account], totals: Mapping[int, Totals]
) -> list[int]:
    """Numbers of those charged, in order: ``to``'s patterns, or every owner."""
    patterns = pool.to or ("*",)
    kinds = (*_CHARGED, "shared") if pool.to else _CHARGED
    return sorted(
        account.number
        for account in accounts
        if account.kind in kinds
        and account.number in totals
        and (account.kind, account.name) != ("shared", pool.name)
        and any(fnmatchcase(account.name, glob) for glob in patterns)
    )


def _weight(key: str, totals: Totals) -> int:
    amount = {
        "cost": totals.cost,
        "energy": totals.energy_uj,
        "requests": totals.reserved_units,
        "even": 1,
    }[key]
    return max(amount, 0)
