"""Totals by account, made into a statement: cents that add up, shares, bands, notes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Final

from wattribute.accounting.chargeback.accounts import TOO_SMALL, Account
from wattribute.accounting.chargeback.apportion import to_cents
from wattribute.accounting.chargeback.charges import Charges
from wattribute.accounting.chargeback.grams import Provenance
from wattribute.accounting.chargeback.methods import Method
from wattribute.accounting.chargeback.money import Currency
from wattribute.accounting.chargeback.request import StatementRequest
from wattribute.accounting.chargeback.statement import (
    EnergyBand,
    Statement,
    StatementRow,
    confidence_of,
    cost_band,
)
from wattribute.accounting.chargeback.totals import Totals
from wattribute.accounting.chargeback.usage import IDLE
from wattribute.core.units import MICROJOULES_PER_JOULE

_ALLOCATED: Final = frozenset({"owner", "unowned", "shared", "platform"})


@dataclass(frozen=True, slots=True)
class OwnerHistory:
    """What is known of an owner's month before."""

    energy_uj: int
    cost: Decimal | None


@dataclass(frozen=True, slots=True)
class _Floor:
    """The whole floor, and what is known of it."""

    energy_uj: int
    low_uj: int
    high_uj: int
    measured_uj: int
    integrated_uj: int

    def part(self, idle_uj: int, amount_uj: int) -> int:
        """An account's part of an amount of the floor, in proportion to what it pays."""
        return idle_uj * amount_uj // self.energy_uj if self.energy_uj else 0


def statement_of(
    *,
    request: StatementRequest,
    statement_id: str,
    method: Method,
    charges: Charges,
    accounts: Sequence[Account],
    totals: dict[int, Totals],
    before: Mapping[tuple[str, str], OwnerHistory],
    carbon: tuple[Provenance, ...],
    notes: Sequence[str],
    node_hours: int,
    shared_by: tuple[str, ...],
) -> Statement:
    """Round to cents by largest remainder, and put rows in order.

    Args:
        request: The question.
        statement_id: Names it.
        method: How it was split.
        charges: The bill.
        accounts: Everybody, by number.
        totals: By number; those with nothing at all get no row.
        before: The month before, by kind and owner.
        carbon: Where rates come from; none: no grams.
        notes: For the reader.
        node_hours: How much ledger it rests on.
        shared_by: By what energy was shared.
    """
    unit, floor = charges.currency, _floor(totals)
    priced, whole = _priced(charges, accounts, totals, floor)
    allocated = [item for item in priced if _is_allocated(item[0], method)]
    rest = [item for item in priced if not _is_allocated(item[0], method)]
    total = unit.of_cents(unit.cents(charges.total))
    rows = [
        _row(
            f"{statement_id}-{number}",
            *item,
            whole=whole,
            floor=floor,
            unit=unit,
            total=total,
            history=before.get((item[0].kind, item[0].name)),
            carbon=bool(carbon),
        )
        for number, item in enumerate([*allocated, *rest], 1)
    ]
    return Statement(
        id=statement_id,
        month=request.month.text,
        timezone=request.month.zone,
        by=request.by,
        method=method.id,
        method_text=method.text,
        floor_policy=method.policy,
        currency=unit,
        total=total,
        rows=tuple(rows[: len(allocated)]),
        rest=tuple(rows[len(allocated) :]),
        notes=tuple(notes),
        sources=charges.sources,
        carbon=carbon,
        ledger=request.ledger,
        engine=request.engine,
        node_hours=node_hours,
        shared_by=shared_by,
    )


def _priced(
    charges: Charges, accounts: Sequence[Account], totals: Mapping[int, Totals], floor: _Floor
) -> tuple[list[tuple[Account, Totals, Decimal, EnergyBand]], EnergyBand]:
    """Return accounts with rows, dearest first, with their cents and bands; and the summed band."""
    unit = charges.currency
    shown, sums = _shown(accounts, totals, unit)
    cents = to_cents([amounts.cost for amounts in sums], unit.cents(charges.total), unit.per_cent)
    bands = [
        _band(amounts, account.number, floor) for account, amounts in zip(shown, sums, strict=True)
    ]
    whole = EnergyBand(*map(sum, zip(*bands, strict=True))) if bands else EnergyBand(0, 0, 0)
    priced = [
        (account, amounts, unit.of_cents(cent), band)
        for account, amounts, cent, band in zip(shown, sums, cents, bands, strict=True)
    ]
    priced.sort(key=lambda item: (-item[2], -item[1].energy_uj, item[0].name))
    return priced, whole


def _shown(
    accounts: Sequence[Account], totals: Mapping[int, Totals], unit: Currency
) -> tuple[list[Account], list[Totals]]:
    """Return the accounts that get a row, and their totals; small ones share a row at the end."""
    shown, sums, small = [], [], Totals()
    for account in accounts:
        if account.number not in totals:
            continue
        if _matters(totals[account.number], unit):
            shown.append(account)
            sums.append(totals[account.number])
        elif account.number == IDLE:  # its band is that of the whole floor, a part of each row
            small.add(replace(totals[IDLE], low_uj=0, high_uj=0, measured_uj=0, integrated_uj=0))
        else:
            small.add(totals[account.number])
    if _matters(small, unit):  # thousands of owners with a part of a cent each
        shown.append(Account(TOO_SMALL, "(rows too small to show)", "too-small"))
        sums.append(small)
    return shown, sums


def _is_allocated(account: Account, method: Method) -> bool:
    return account.kind in _ALLOCATED or (account.kind == "idle" and method.floor.unpaid == "row")


def _matters(totals: Totals, unit: Currency) -> bool:
    """Not a few microjoules and a part of a cent that rounding left somewhere."""
    return abs(totals.cost) * 2 >= unit.per_cent or totals.energy_uj >= MICROJOULES_PER_JOULE


def _floor(totals: dict[int, Totals]) -> _Floor:
    idle = totals.get(IDLE, Totals())
    return _Floor(
        sum(one.idle_uj for one in totals.values()),
        idle.low_uj,
        idle.high_uj,
        idle.measured_uj,
        idle.integrated_uj,
    )


def _band(totals: Totals, number: int, floor: _Floor) -> EnergyBand:
    """A row's own band, and its part of the floor's."""
    low, high = (0, 0) if number == IDLE else (totals.low_uj, totals.high_uj)
    return EnergyBand(
        totals.energy_uj,
        low + floor.part(totals.idle_uj, floor.low_uj),
        high + floor.part(totals.idle_uj, floor.high_uj),
        totals.below_uj,
        totals.above_uj,
    )


def _row(
    row_id: str,
    account: Account,
    totals: Totals,
    cost: Decimal,
    band: EnergyBand,
    *,
    whole: EnergyBand,
    floor: _Floor,
    unit: Currency,
    total: Decimal,
    history: OwnerHistory | None,
    carbon: bool,
) -> StatementRow:
    energy, low, high = band.energy_uj, band.low_uj, band.high_uj
    idle = account.number == IDLE
    measured, integrated = (
        (0 if idle else own) + floor.part(totals.idle_uj, of_floor)
        for own, of_floor in (
            (totals.measured_uj, floor.measured_uj),
            (totals.integrated_uj, floor.integrated_uj),
        )
    )
    by_energy = _rounded(totals.cost_energy, unit)
    ends = cost_band(by_energy, band, whole, unit.places)
    fixed = cost - by_energy
    nobody = account.kind in {"unattributed", "not-covered", "not-joined"}
    reserved = totals.reserved_units
    return StatementRow(
        id=row_id,
        owner=account.name,
        kind=account.kind,
        dynamic_uj=totals.dynamic_uj,
        idle_uj=totals.idle_uj,
        spare_uj=totals.spare_uj,
        low_uj=low,
        high_uj=high,
        cost=cost,
        cost_idle=_rounded(totals.cost_idle, unit),
        cost_spare=_rounded(totals.cost_spare, unit),
        cost_shared=_rounded(totals.cost_shared, unit),
        cost_low=fixed + ends[0],
        cost_high=fixed + ends[1],
        carbon_ug=totals.carbon_ug if carbon else None,
        carbon_low_ug=_scaled(totals.carbon_ug, low, energy) if carbon else None,
        carbon_high_ug=_scaled(totals.carbon_ug, high, energy) if carbon else None,
        embodied_ug=totals.embodied_ug if carbon else None,
        share=float(cost / total) if total else 0.0,
        confidence="unattributable" if nobody else confidence_of(energy, measured, integrated),
        measured=min(measured / energy, 1.0) if energy > 0 else 0.0,
        efficiency=1 - totals.unused_units / reserved if reserved else None,
        energy_before_uj=history.energy_uj if history else None,
        cost_before=history.cost if history else None,
        band_of=band.reason,
    )


def _rounded(quanta: int, unit: Currency) -> Decimal:
    return unit.of_cents(unit.cents(unit.amount(quanta)))


def _scaled(amount: int, end: int, energy: int) -> int:
    return amount * end // energy if energy > 0 else amount
