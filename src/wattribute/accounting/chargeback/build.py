"""From a question to statements: read the ledger once, split the bill, round to cents."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from types import MappingProxyType
from typing import Final, assert_never

import narwhals as nw
import pyarrow as pa

from wattribute.accounting.chargeback.accounts import (
    FIXED,
    NOT_COVERED,
    NOT_JOINED,
    OTHER_SERVICES,
    Account,
    Accounts,
)
from wattribute.accounting.chargeback.bills.files import NoLineOfMonth, read_files
from wattribute.accounting.chargeback.bills.prices import price_in, read_prices
from wattribute.accounting.chargeback.bills.total import read_totals
from wattribute.accounting.chargeback.carbon_rates import GridRates
from wattribute.accounting.chargeback.charges import Charges, hour_text
from wattribute.accounting.chargeback.engines import FrameEngine, open_engine
from wattribute.accounting.chargeback.grams import Rates
from wattribute.accounting.chargeback.methods import (
    DEFAULT,
    METHODS,
    Method,
    method_of,
    policies_of,
)
from wattribute.accounting.chargeback.money import Currency
from wattribute.accounting.chargeback.other_weights import AS_SHARED, OTHER_WEIGHTS, shared_names
from wattribute.accounting.chargeback.period import Period, read_period
from wattribute.accounting.chargeback.places import Placed, cost_by, namespaces_of, place
from wattribute.accounting.chargeback.request import StatementRequest, ledger_files, names_of_maps
from wattribute.accounting.chargeback.rows import OwnerHistory, statement_of
from wattribute.accounting.chargeback.shared import charge_on, pools_of
from wattribute.accounting.chargeback.split import split_by_account
from wattribute.accounting.chargeback.statement import Statement
from wattribute.accounting.chargeback.totals import Totals, totals_by_account
from wattribute.accounting.chargeback.usage import IDLE
from wattribute.accounting.ledger.ownership import DIMENSIONS, Ownership
from wattribute.accounting.settings import AccountingSettings
from wattribute.core.errors import ConfigInvalid, DataInvalid, WattributeError

Step = Callable[[str], None]
_SERVICES_SHOWN: Final = 8
"""Services whose lines did not join get a row each up to so many; the others one together."""


@dataclass(frozen=True, slots=True, eq=False)
class Opened:
    """A month that was read: what every method starts from."""

    engine: FrameEngine
    files: list[str]
    accounts: Accounts
    ownership: Ownership
    period: Period
    charges: Charges
    placed: Placed
    rates: Rates | None
    carbon_problems: tuple[str, ...]
    tariff: pa.Table | None


def make_statement(
    request: StatementRequest, settings: AccountingSettings, step: Step = lambda _: None
) -> Statement:
    """The answer by one method, with the month before where it is known.

    Raises:
        ConfigInvalid: the question cannot be answered as asked.
        DataInvalid: a bill or the ledger is wrong.
        LedgerFailed: the ledger cannot be read.
    """
    method = method_of(request.method)
    with opened(request, settings, [method], step) as month:
        before, notes = _before(request, settings, method, step)
        return _one(month, request, settings, method, before=before, notes=notes, step=step)


def compare_methods(
    request: StatementRequest,
    settings: AccountingSettings,
    methods: Sequence[str],
    step: Step = lambda _: None,
) -> list[Statement]:
    """The same month by several methods; the ledger is read once for each way to share energy.

    ``two-part`` is left out when there is no tariff, and so are methods by other weights where the
    ledger knows no other energy by them. Raises as ``make_statement``.
    """
    used_methods = [method_of(name) for name in methods]
    if not (request.tariff or settings.bills.tariff or request.price_list):
        used_methods = [method for method in used_methods if method.id != "two-part"]
    # Energy as it was shared comes first: that read tells which other weights there are.
    columns = dict.fromkeys((AS_SHARED, *(method.energy for method in used_methods)))
    statements: dict[str, Statement] = {}
    known_columns = frozenset[str](OTHER_WEIGHTS)
    for column in columns:
        of_column = [method for method in used_methods if method.energy == column]
        if not of_column or (column != AS_SHARED and column not in known_columns):
            continue
        with opened(request, settings, of_column, step) as month:
            known_columns = month.period.weights.other_energies
            for method in of_column:
                statements[method.id] = _one(month, request, settings, method, step=step)
    return [statements[method.id] for method in used_methods if method.id in statements]


@contextmanager
def opened(
    request: StatementRequest,
    settings: AccountingSettings,
    methods: Sequence[Method],
    step: Step,
    *,
    charges: Charges | None = None,
) -> Iterator[Opened]:
    """Read a month.

    Args:
        request: The question.
        settings: Of the accounting.
        methods: By which it will be split; at least one, all with the same ``energy``.
        step: Called with what is read now.
        charges: The bill; None reads the one that the request names.

    Raises:
        ConfigInvalid, DataInvalid, LedgerFailed: As ``make_statement``.
    """
    if charges is None:
        request.check()
    pools = pools_of(settings.bills.shared)
    rules = settings.ownership.rules
    ownership = Ownership(rules)
    dated = any(rule.since or rule.until for rule in rules)
    accounts = Accounts(request.by, ownership, dated=dated, pools=pools)
    step("the bill")
    charges = charges or _charges(request)
    with ledger_files(request, request.month) as files:
        if not files.chunks:
            raise DataInvalid(
                f"{request.ledger}: no entries of {request.month.text}; "
                "`wattribute ledger collect`, or name the ledger with --ledger"
            )
        with open_engine(
            request.engine, [files.folder], memory=request.memory, master=request.master
        ) as engine:
            period = read_period(
                engine,
                files.chunks,
                request.month.span,
                accounts,
                policies_of([*methods, METHODS[DEFAULT]]),
                capacity=any("capacity" in method.parts for method in methods),
                energy=methods[0].energy,
                namespaces_for=lambda nodes: namespaces_of(charges, nodes) if charges else (),
                step=step,
            )
            _refuse_unknown_label(request, accounts, files.all)
            if charges is None:
                charges = _priced(engine, request, period, methods[0])
            step("the bill's lines and their nodes")
            placed = place(charges, period.nodes, period.namespaces, period.span)
            step("carbon")
            source = GridRates(settings)
            rates = source.rates(period.facts, period.span)
            yield Opened(
                *(engine, files.all, accounts, ownership, period, charges, placed),
                rates if rates.provenance else None,
                tuple(source.problems),
                _tariff(request, settings, charges.currency, methods),
            )


def _charges(request: StatementRequest) -> Charges | None:
    """The bill; None where it is a price list, which needs the ledger first."""
    if request.totals:
        return read_totals(request.totals, request.month)
    if request.price_list:
        return None
    return read_files(request.bills, request.month, request.currency)


def _priced(
    engine: FrameEngine, request: StatementRequest, period: Period, method: Method
) -> Charges:
    if request.price_list is None:
        raise ValueError("no price list")
    energy = nw.col("dynamic_uj") + nw.col(f"paid_{method.policy}")
    hours = (
        period.rows.filter(nw.col("place") < len(period.facts))
        .with_columns(energy.alias("uj"))
        .group_by("place", "hour")
        .agg(nw.col("uj").sum().cast(nw.Int64))
    )
    table = engine.collect(hours.select("place", "hour", "uj"))
    return read_prices(request.price_list).charges(period.facts, table, period.span)


def _tariff(
    request: StatementRequest,
    settings: AccountingSettings,
    currency: Currency,
    methods: Sequence[Method],
) -> pa.Table | None:
    if not any(len(method.parts) > 1 for method in methods):
        return None
    text = request.tariff or settings.bills.tariff or str(request.price_list or "")
    span = request.month.span
    if text.endswith((".yaml", ".yml")):
        prices = read_prices(Path(text))
        if prices.currency.code != currency.code:
            raise ConfigInvalid(
                f"{text} is in {prices.currency.code} and the bill in {currency.code}; "
                "give the tariff in the bill's currency"
            )
        if not prices.energy:
            raise ConfigInvalid(f"{text}: has no `energy` prices, which two-part needs")
        table = prices.tariff(span)
        scale = prices.currency.per_unit // currency.per_unit
        scaled = [price // scale for price in table["per_kwh"].to_pylist()]
        return pa.table({"hour": table["hour"], "per_kwh": pa.array(scaled, pa.int64())})
    try:
        price = currency.quanta(price_in(text))
    except ValueError:
        price = -1
    if price < 0:
        raise ConfigInvalid(
            f"--method two-part needs the price of a kWh: --tariff 0.31, or a price list; "
            f"not {text!r}"
        )
    hours = pa.array(range(span.first, span.end), pa.int64())
    return pa.table({"hour": hours, "per_kwh": pa.array([price] * len(hours), pa.int64())})


def _refuse_unknown_label(request: StatementRequest, accounts: Accounts, files: list[str]) -> None:
    """A label that nobody has would make one row of everything."""
    prefix, _, name = accounts.by.partition(":")
    if not name or any(account.kind == "owner" for account in accounts):
        return
    listed = ", ".join(names_of_maps(files, f"{prefix}s")) or "none at all"
    raise ConfigInvalid(
        f"--by {accounts.by}: no workload of {request.month.text} has this {prefix}; the ledger "
        f"has {listed}. Agents export those that exporter.pod_{prefix}s allows"
    )


def _before(
    request: StatementRequest, settings: AccountingSettings, method: Method, step: Step
) -> tuple[dict[tuple[str, str], OwnerHistory], tuple[str, ...]]:
    """Return energy and cost by owner of the month before, and notes on what is not known of it.

    The cost is known if the given bills hold that month too, or if a price list is given. An error
    in that month does not stop this one's statement; it becomes a note.
    """
    month = request.month.before
    try:
        with ledger_files(request, month) as files:
            if not files.chunks:
                return {}, ()
    except WattributeError as exc:
        return {}, (f"not compared with the energy of {month.text}: {exc}",)
    step(f"{month.text}, to compare")
    notes = []
    for charges in (Charges.none(),) if request.totals else (None, Charges.none()):
        question = request.but(month=month, tariff=request.tariff if charges is None else "0")
        try:
            with opened(question, settings, [method], lambda _: None, charges=charges) as read:
                statement = _one(read, question, settings, method, step=lambda _: None)
        except NoLineOfMonth:
            continue
        except WattributeError as exc:
            compared = "cost" if charges is None else "energy"
            notes.append(f"not compared with the {compared} of {month.text}: {exc}")
            continue
        return {
            (row.kind, row.owner): OwnerHistory(
                row.energy_uj, row.cost if charges is None else None
            )
            for row in statement.everything
        }, tuple(notes)
    return {}, tuple(notes)


def _one(
    read: Opened,
    request: StatementRequest,
    settings: AccountingSettings,
    method: Method,
    *,
    before: Mapping[tuple[str, str], OwnerHistory] = MappingProxyType({}),
    notes: Sequence[str] = (),
    step: Step,
) -> Statement:
    step(f"the split by {method.id}")
    totals = totals_by_account(read.engine, read.period, method.policy, read.rates)
    costs = split_by_account(read.engine, read.period, read.placed, method, read.tariff)
    for number, cost in costs.items():
        totals.setdefault(number, Totals()).pay(cost)
    services = _not_joined(read, settings, totals)
    match method.floor.unpaid:
        case "platform" if IDLE in totals:
            payer = read.accounts.number_of(settings.bills.platform_owner, "owner")
            totals.setdefault(payer, Totals()).add(totals.pop(IDLE))
        case "platform" | "idle" | "row":
            pass
        case _:
            assert_never(method.floor.unpaid)
    accounts = [*read.accounts, *services]
    of_bill = (*read.charges.notes, *charge_on(settings.bills.shared, accounts, totals))
    return statement_of(
        request=request,
        statement_id=request.but(method=method.id).id(settings, read.charges.sources),
        method=method,
        charges=read.charges,
        accounts=accounts,
        totals=totals,
        before=before,
        carbon=read.rates.provenance if read.rates else (),
        notes=(*of_bill, *_notes(read, request), *notes),
        node_hours=read.period.node_hours,
        shared_by=shared_names(method.energy, read.period.weights),
    )


def _not_joined(
    read: Opened, settings: AccountingSettings, totals: dict[int, Totals]
) -> list[Account]:
    """Book the lines that found no node: to pools by their service, else to rows of the rest."""
    table = read.charges.table
    outside = cost_by(table, read.placed.not_covered, "service")
    if outside:
        totals.setdefault(NOT_COVERED, Totals()).cost += sum(outside.values())
    by_service = cost_by(table, read.placed.not_joined, "service")
    unpooled: dict[str, int] = {}
    for service, cost in by_service.items():
        pool = next(
            (
                pool
                for pool in settings.bills.shared
                if any(fnmatchcase(service, glob) for glob in pool.services)
            ),
            None,
        )
        if pool is None:
            unpooled[service] = cost
        else:
            number = read.accounts.number_of(pool.name, "shared")
            totals.setdefault(number, Totals()).cost += cost
    order = sorted(unpooled, key=lambda service: (-abs(unpooled[service]), service))
    accounts = []
    for at, service in enumerate(order):
        own_row = at < _SERVICES_SHOWN
        number = NOT_JOINED - min(at, _SERVICES_SHOWN)
        name = f"(not matched to a node: {service or 'no service'})" if own_row else OTHER_SERVICES
        totals.setdefault(number, Totals()).cost += unpooled[service]
        if at <= _SERVICES_SHOWN:
            accounts.append(Account(number, name, "not-joined"))
    return accounts


def _notes(read: Opened, request: StatementRequest) -> Iterator[str]:
    period = read.period
    where = (
        "the sum is split by the others"
        if request.totals
        else f"their charges are in {FIXED[NOT_COVERED][0]}"
    )
    if period.missing:
        hours = sum(count for _, count in period.missing)
        names = ", ".join(f"{node} ({count} h)" for node, count in period.missing[:3])
        more = ", ..." if len(period.missing) > 3 else ""
        yield (
            f"the ledger lacks {hours} hours between the first and the last of {names}{more}; "
            f"their energy is in no row, {where}"
        )
    first, end = period.known
    if first > period.span.first or end < period.span.end:
        yield (
            f"the ledger knows {request.month.text} from {hour_text(first)} to {hour_text(end)} "
            f"only; of the month's other hours no energy is in any row, {where}"
        )
    if read.accounts.by in DIMENSIONS:
        if not read.ownership.subjects and not request.by.startswith("label"):
            yield f"no rule names a {read.accounts.by}: see ownership.rules in the settings"
        yield from read.ownership.unmatched()
    yield from read.carbon_problems
