"""One number, taken apart: invoice lines, ratios, the ledger's entries and their counters."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

import narwhals as nw
import pyarrow as pa
from pyarrow import compute

from wattribute.accounting.chargeback.accounts import NOT_COVERED, NOT_JOINED, OTHER_SERVICES
from wattribute.accounting.chargeback.build import Opened, Step, opened
from wattribute.accounting.chargeback.charges import hour_text
from wattribute.accounting.chargeback.engines import Span
from wattribute.accounting.chargeback.methods import Method, method_of
from wattribute.accounting.chargeback.other_weights import AS_SHARED, LEARNED_PREFIX
from wattribute.accounting.chargeback.period import entries_of
from wattribute.accounting.chargeback.remember import Remembered
from wattribute.accounting.chargeback.split import parts_of
from wattribute.accounting.chargeback.usage import IDLE
from wattribute.accounting.settings import AccountingSettings
from wattribute.core.errors import DataInvalid

_ENTRIES_SHOWN: Final = 8
_SUMS: Final = ("energy_uj", "low_uj", "high_uj", "time_uj", "cpu_ns", "cpu_request_mcore_s")


@dataclass(frozen=True, slots=True)
class InvoiceLine:
    """A line of the invoice, and the row's part of it."""

    source: str
    description: str
    service: str
    resource: str
    period: str
    cost: Decimal
    amount: Decimal
    """The line's cost, or in ``two-part`` what of it belongs to this part of the method."""
    basis: str
    """``energy`` or ``capacity``: what the weights are."""
    weight: int
    line_weight: int
    """Microjoules, or units of capacity: of the row, and of all rows."""
    part: Decimal

    @property
    def ratio(self) -> float:
        """0 to 1."""
        return self.weight / self.line_weight if self.line_weight else 0.0


@dataclass(frozen=True, slots=True)
class WattsPerCore:
    """What a CPU-second of a workload costs against the mean of its node, by learned weights."""

    cpu_ns: int
    """CPU time in the hours that were shared so."""
    ratio: float
    """Energy over what CPU time alone would give: the weight of those hours, weighted by energy."""
    low: float
    high: float
    """The ends of its 90 % band."""
    shared_by: str


@dataclass(frozen=True, slots=True)
class WorkloadEntries:
    """A workload's entries of the ledger, in the hours of one line."""

    component: str
    namespace: str
    pod: str
    container: str
    energy_uj: int
    cpu_ns: int
    cpu_request_mcore_s: int
    origin: str
    seals: tuple[str, ...]
    counter: str
    watts_per_core: WattsPerCore | None = None
    """None where energy is not of CPUs, or was not shared by learned weights."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """Where a number comes from."""

    row: str
    owner: str
    kind: str
    method: Method
    currency: str
    cost: Decimal
    shared: Decimal
    """What came from shared pools; it is not in ``lines``."""
    lines: tuple[InvoiceLine, ...]
    """The largest parts."""
    lines_all: int
    parts_sum: Decimal
    """Of all parts, before rounding to cents."""
    entries: tuple[WorkloadEntries, ...]
    """Of the first line; the largest."""
    entries_all: int
    watts_per_core: WattsPerCore | None = None
    """Of the row's workloads together in the whole month; None where no weights were learned. Bands
    add up: what is too high of one workload does not make up for what is too low of another."""


def explain(
    remembered: Remembered,
    row: str,
    settings: AccountingSettings,
    limit: int,
    step: Step = lambda _: None,
) -> Explanation:
    """Split the bill again, and follow one row.

    Args:
        remembered: The statement.
        row: Id of the row.
        settings: As when it was made.
        limit: How many lines.
        step: Told what is being done.

    Raises:
        DataInvalid: bills or rules are not what they were.
    """
    request = remembered.request
    method = method_of(request.method)
    kind, owner, cost = remembered.rows[row]
    with opened(request, settings, [method], step) as month:
        if request.id(settings, month.charges.sources) != remembered.statement:
            raise DataInvalid(
                f"statement {remembered.statement}: a bill, a rule or a setting has changed since; "
                "make the statement again"
            )
        step(f"the parts of {owner}")
        number = _number(month, settings, kind, owner)
        lines = (
            _unsplit(month, number, owner)
            if number <= NOT_COVERED
            else _parts(month, method, number)
        )
        lines.sort(key=lambda line: (-abs(line[0].part), line[0].source))
        entries = _entries(month, lines[0][1], number) if lines and number > NOT_COVERED else []
        unit = month.charges.currency
        whole = sum((line.part for line, _ in lines), Decimal(0))
        amount = Decimal(cost)
        return Explanation(
            row=row,
            owner=owner,
            kind=kind,
            method=method,
            currency=unit.code,
            cost=amount,
            shared=unit.of_cents(unit.cents(amount - whole)),
            lines=tuple(line for line, _ in lines[:limit]),
            lines_all=len(lines),
            parts_sum=whole,
            entries=tuple(entries[:_ENTRIES_SHOWN]),
            entries_all=len(entries),
            watts_per_core=_of_month(month, number) if number > NOT_COVERED else None,
        )


def _number(month: Opened, settings: AccountingSettings, kind: str, owner: str) -> int:
    if kind == "not-joined":
        return NOT_JOINED
    if kind == "owner" and owner == settings.bills.platform_owner:
        return IDLE
    if kind == "too-small":
        raise DataInvalid(
            f"{owner} is the sum of rows of less than half a cent and one joule each; "
            "there is no line of the bill to show for it"
        )
    for account in month.accounts:
        if (account.kind, account.name) == (kind, owner):
            return account.number
    raise DataInvalid(f"{owner}: nobody of this name in the ledger any more")


def _parts(month: Opened, method: Method, number: int) -> list[tuple[InvoiceLine, int]]:
    found = []
    frames = parts_of(month.engine, month.period, month.placed, method, month.tariff)
    for basis, frame in zip(method.parts, frames, strict=False):
        mine = month.engine.collect(
            frame.filter((nw.col("account") == number) & (nw.col("part") != 0)).select(
                "line", "amount", "weight", "line_weight", "part"
            )
        )
        found += [(_line(month, row["line"], basis, row), row["line"]) for row in mine.to_pylist()]
    return found


def _unsplit(month: Opened, number: int, owner: str) -> list[tuple[InvoiceLine, int]]:
    """Lines of no node, or of hours without ledger: they are a row's as a whole."""
    placed = month.placed
    lines = placed.not_covered if number == NOT_COVERED else placed.not_joined
    found = []
    for line in lines.tolist():
        made = _line(month, line, "none", None)
        name = f"(not matched to a node: {made.service or 'no service'})"
        if number == NOT_COVERED or owner in {name, OTHER_SERVICES}:
            found.append((made, line))
    return found


def _line(month: Opened, line: int, basis: str, row: dict[str, int] | None) -> InvoiceLine:
    charge = month.charges.table.slice(line, 1).to_pylist()[0]
    unit = month.charges.currency
    cost = unit.amount(charge["cost"])
    return InvoiceLine(
        source=charge["source"],
        description=charge["description"],
        service=charge["service"],
        resource=charge["resource"],
        period=f"{hour_text(charge['first'])} to {hour_text(charge['end'])}",
        cost=cost,
        amount=unit.amount(row["amount"]) if row else cost,
        basis=basis,
        weight=row["weight"] if row else 1,
        line_weight=row["line_weight"] if row else 1,
        part=unit.amount(row["part"]) if row else cost,
    )


def _entries(month: Opened, line: int, number: int) -> list[WorkloadEntries]:
    """What the ledger holds of the account, at the places and in the hours of a line."""
    hours = month.placed.hours
    of_line = hours.filter(compute.equal(hours["line"], line))
    first, last = compute.min(of_line["hour"]).as_py(), compute.max(of_line["hour"]).as_py()
    engine = month.engine
    where = engine.frame(of_line.select(["place", "hour"]))
    extra = ("namespace", "pod", "seal_id", "shared_by", "time_uj")
    entries = entries_of(
        engine,
        month.files,
        Span(first, last + 1),
        month.accounts,
        facts=month.period.facts,
        energy=month.period.energy,
        extra=extra,
    )
    there = entries.filter(nw.col("account") == number)
    on_nodes = there.join(where, on=["place", "hour"], how="inner")
    keys = ("component", "kind", "namespace", "pod", "container", "origin", "seal_id", "shared_by")
    if any(place >= len(month.period.facts) for place in of_line["place"].to_pylist()):
        names = [
            name
            for name, at in month.period.namespaces.items()
            if at in of_line["place"].to_pylist()
        ]
        on_nodes = there.filter(nw.col("namespace").is_in(names))
    table = engine.collect(
        on_nodes.group_by(*keys).agg(
            *(nw.col(name).sum().cast(nw.Int64) for name in _SUMS),
        )
    )
    return _merged(table, learned=month.period.energy == AS_SHARED)


def _of_month(month: Opened, number: int) -> WattsPerCore | None:
    """Return the weight of an account's CPU time in the month.

    The first line may be of a node where nothing is learned, while others are not.
    """
    if month.period.energy != AS_SHARED:
        return None
    entries = entries_of(
        month.engine,
        month.files,
        month.period.span,
        month.accounts,
        facts=month.period.facts,
        energy=month.period.energy,
        extra=("shared_by", "time_uj"),
    )
    own = entries.filter((nw.col("account") == number) & (nw.col("component") == "cpu"))
    sums = (nw.col(name).sum().cast(nw.Int64) for name in _SUMS)
    return _watts_per_core(month.engine.collect(own.group_by("shared_by").agg(*sums)).to_pylist())


def _counter_of(*, component: str, kind: str) -> str:
    """Return the counter of Prometheus, and its labels, that such an entry was read from."""
    match kind:
        case "idle":
            name, mode = "wattribute_node_joules_total", ',mode="idle"'
        case "unattributed":
            name, mode = "wattribute_unattributed_joules_total", ""
        case _:
            name, mode = "wattribute_container_joules_total", ',mode="dynamic"'
    return f'{name}{{component="{component}"{mode}}}'


def _merged(table: pa.Table, *, learned: bool) -> list[WorkloadEntries]:
    """Return the entries by workload; ``learned``: their energy is that of the weights in use."""
    by_workload: dict[tuple[str, ...], list[dict[str, object]]] = {}
    for row in table.to_pylist():
        key = tuple(
            row[name] for name in ("component", "kind", "namespace", "pod", "container", "origin")
        )
        by_workload.setdefault(key, []).append(row)
    found = [
        WorkloadEntries(
            component=key[0],
            namespace=key[2],
            pod=key[3] or f"({key[1]})",
            container=key[4],
            energy_uj=_sum(rows, "energy_uj"),
            cpu_ns=_sum(rows, "cpu_ns"),
            cpu_request_mcore_s=_sum(rows, "cpu_request_mcore_s"),
            origin=key[5],
            seals=tuple(sorted({str(row["seal_id"]) for row in rows})),
            counter=_counter_of(component=key[0], kind=key[1]),
            watts_per_core=_watts_per_core(rows) if learned and key[0] == "cpu" else None,
        )
        for key, rows in by_workload.items()
    ]
    return sorted(found, key=lambda entry: (-entry.energy_uj, entry.pod, entry.component))


def _sum(rows: Sequence[Mapping[str, object]], name: str) -> int:
    return sum(int(str(row[name])) for row in rows)


def _watts_per_core(rows: Sequence[Mapping[str, object]]) -> WattsPerCore | None:
    """Return the weight of a workload, over those of its hours that learned weights shared."""
    learned = [row for row in rows if str(row["shared_by"]).startswith(LEARNED_PREFIX)]
    time_uj = _sum(learned, "time_uj")
    if time_uj <= 0:
        return None
    ratio, low, high = (
        _sum(learned, name) / time_uj for name in ("energy_uj", "low_uj", "high_uj")
    )
    names = sorted({str(row["shared_by"]) for row in learned})
    return WattsPerCore(_sum(learned, "cpu_ns"), ratio, low, high, ", ".join(names))
