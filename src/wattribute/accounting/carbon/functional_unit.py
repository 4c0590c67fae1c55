"""Functional units, the R of an SCI: requests, tokens, jobs, counted by any PromQL."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from math import isfinite
from typing import Final

from wattribute.accounting.promql.client import Prometheus
from wattribute.core.errors import ConfigInvalid, SourceFailed

_DAY: Final = timedelta(days=1)
_WINDOW: Final = "{window}"


def count_units(
    server: Prometheus, name: str, query: str, start: datetime, end: datetime
) -> Mapping[str, float]:
    """How many functional units there were, by owner; asked day by day, and added up.

    Args:
        server: Who is asked.
        name: What the unit is called, for messages.
        query: PromQL of what was done in a time that ends now, with ``{window}`` for the time:
            ``sum by (app) (increase(http_requests_total[{window}]))``. Each result has one label
            at most, whose value is the owner; without one it is the whole (owner "").
        start: Begin of the period.
        end: Its end.

    Raises:
        ConfigInvalid: the query has no ``{window}``.
        SourceFailed: results with several labels, or that are no counts; no answer.
    """
    if _WINDOW not in query:
        raise ConfigInvalid(
            f"carbon.units: {name}: {query!r} has no {_WINDOW}; write the time as "
            "increase(requests_total[{window}])"
        )
    sums: dict[str, float] = {}
    first = start
    while first < end:
        last = min(first + _DAY, end)
        seconds = round((last - first).total_seconds())
        question = query.replace(_WINDOW, f"{seconds}s")
        for labels, value in server.vector(question, last.timestamp()):
            own = {key: text for key, text in labels.items() if key != "__name__"}
            if len(own) > 1:
                raise SourceFailed(
                    f"carbon.units: {name}: results have the labels {', '.join(sorted(own))}; sum "
                    "by one of them, the owner's"
                )
            if not isfinite(value) or value < 0:
                raise SourceFailed(f"carbon.units: {name}: {value} is no count of units")
            owner = next(iter(own.values()), "")
            sums[owner] = sums.get(owner, 0.0) + value
        first = last
    return sums
