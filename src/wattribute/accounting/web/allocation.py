"""Answers OpenCost's ``/allocation``, with energy and carbon added.

Parameters and answers have the names and forms of OpenCost's API (docs of its ``/allocation``).
Costs by resource (``cpuCost``, ``ramCost``, ...) are left out, because a split by energy has none.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final

from wattribute.accounting.chargeback.charges import Month
from wattribute.accounting.chargeback.statement import Statement, StatementRow
from wattribute.accounting.report.columns import kwh
from wattribute.core.errors import ConfigInvalid
from wattribute.core.units import HOUR_S, MICROGRAMS_PER_GRAM

KEYS: Final = {"controller": "owner", "department": "team", "env": "environment"}
"""Our keys for OpenCost's values of ``aggregate``, where they differ."""
_IDLE: Final = "__idle__"
_NAMES: Final = {"idle": _IDLE, "unowned": "__unallocated__"}
_UNSUPPORTED: Final = ("filter", "shareIdle", "idleByNode", "accumulateBy", "sharelb")
_NO: Final = ("", "false", "none", "0")
_SECONDS: Final = 60


def key_of(aggregate: str) -> str:
    """Return our ``by`` for a value of ``aggregate``.

    Raises:
        ConfigInvalid: The value is a list of several keys.
    """
    if "," in aggregate:
        raise ConfigInvalid(
            f"aggregate={aggregate}: one key at a time; `pod` and `container` tell their namespace"
        )
    return KEYS.get(aggregate, aggregate) or "container"


def check(query: Mapping[str, str]) -> None:
    """Refuse parameters that we cannot obey, because the numbers would be wrong.

    Raises:
        ConfigInvalid: There is such a parameter.
    """
    for name in _UNSUPPORTED:
        if query.get(name, "").lower() not in _NO:
            raise ConfigInvalid(
                f"{name}: not supported; `method` says who pays the floor, see /compare"
            )
    if query.get("step") not in (None, "", query.get("window")):
        raise ConfigInvalid("step: statements are of whole months; leave it out")


def month_of(window: str, zone: str, now: datetime) -> str:
    """Return the month of a window: ``month``, ``lastmonth``, ``2026-10``, or a whole interval.

    Raises:
        ConfigInvalid: The window is not a whole calendar month.
    """
    current = Month(now.year, now.month, zone)
    words = {"month": current.text, "lastmonth": current.before.text}
    if window in words:
        return words[window]
    first, comma, end = window.partition(",")
    if not comma:
        return Month.parse(window, zone).text
    instants = [_instant(text, window) for text in (first, end)]
    at = datetime.fromtimestamp(instants[0] + 15 * 24 * HOUR_S, UTC)  # the middle, in any zone
    month = Month(at.year, at.month, zone)
    if [month.span.first * HOUR_S, month.span.end * HOUR_S] != instants:
        raise ConfigInvalid(
            f"window={window}: statements are of whole calendar months ({zone}), such as "
            f"window={month.text}"
        )
    return month.text


def _instant(text: str, window: str) -> int:
    if text.isascii() and text.isdigit():
        return int(text[:12])
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise ConfigInvalid(
            f"window={window}: write month, lastmonth, 2026-10, or START,END (RFC 3339 or Unix)"
        ) from None
    return int((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp())


def answer(statement: Statement, *, idle: bool) -> dict[str, object]:
    """Return the body of the answer, with one set of allocations by name.

    Args:
        statement: The statement to show.
        idle: Whether the part that nobody reserved is shown, as ``__idle__``.
    """
    month = Month.parse(statement.month, statement.timezone)
    allocations = {
        _NAMES.get(row.kind, row.owner): _allocation(row, statement, month)
        for row in statement.everything
        if idle or row.kind != "idle"
    }
    return {"code": 200, "status": "success", "data": [allocations], "message": ""}


def _allocation(row: StatementRow, statement: Statement, month: Month) -> dict[str, object]:
    start, end = (
        f"{datetime.fromtimestamp(hour * HOUR_S, UTC):%Y-%m-%dT%H:%M:%SZ}"
        for hour in (month.span.first, month.span.end)
    )
    return {
        "name": _NAMES.get(row.kind, row.owner),
        "properties": _properties(row, statement),
        "window": {"start": start, "end": end},
        "start": start,
        "end": end,
        "minutes": (month.span.end - month.span.first) * HOUR_S // _SECONDS,
        "sharedCost": _number(row.cost_shared),
        "externalCost": _number(row.cost if row.kind == "not-joined" else Decimal(0)),
        "totalCost": _number(row.cost),
        "totalEfficiency": row.efficiency,
        "totalCostIdle": _number(row.cost_idle),
        "totalCostLow": _number(row.cost_low),
        "totalCostHigh": _number(row.cost_high),
        "currency": statement.currency.code,
        "energyKWh": kwh(row.energy_uj),
        "energyDynamicKWh": kwh(row.dynamic_uj),
        "energyIdleKWh": kwh(row.idle_uj),
        "energyLowKWh": kwh(row.low_uj),
        "energyHighKWh": kwh(row.high_uj),
        "carbonGrams": _grams(row.carbon_ug),
        "carbonLowGrams": _grams(row.carbon_low_ug),
        "carbonHighGrams": _grams(row.carbon_high_ug),
        "carbonEmbodiedGrams": _grams(row.embodied_ug),
        "energyBandOf": row.band_of,
        "sharedBy": list(statement.shared_by),
        "confidence": row.confidence,
        "measured": row.measured,
        "method": statement.method,
        "row": row.id,
    }


def _properties(row: StatementRow, statement: Statement) -> dict[str, object]:
    if row.kind != "owner":
        return {}
    prefix, colon, name = statement.by.partition(":")
    if colon:
        return {f"{prefix}s": {name: row.owner}}
    parts = row.owner.split("/")
    match statement.by:
        case "owner":
            return {"controllerKind": parts[0].lower(), "controller": parts[-1]}
        case "pod" | "container":
            names = ("namespace", "pod", "container")[: len(parts)]
            return dict(zip(names, parts, strict=False))
        case "namespace" | "node" | "cluster":
            return {statement.by: row.owner}
    return {"labels": {statement.by: row.owner}}


def _number(amount: Decimal) -> float:
    """An amount as JSON number, as in OpenCost. ``/statement.json`` has exact amounts."""
    return float(amount)


def _grams(carbon_ug: int | None) -> float | None:
    return None if carbon_ug is None else carbon_ug / MICROGRAMS_PER_GRAM
