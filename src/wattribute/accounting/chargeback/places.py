"""From lines of a bill to places and hours: the table that is joined with the ledger."""

from collections import defaultdict
from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from wattribute.accounting.chargeback.charges import EVERYWHERE, Charges
from wattribute.accounting.chargeback.engines import Span
from wattribute.accounting.chargeback.join import Nodes

Integers = NDArray[np.int64]
_NOWHERE: Final = -1


@dataclass(frozen=True, slots=True, eq=False)
class Placed:
    """Lines with the places and hours that they are for."""

    hours: pa.Table
    """``line``, ``place``, ``hour``, ``hour_cost`` (the line's cost, spread evenly)."""
    lines: pa.Table
    """``line``, ``cost``: those that are in ``hours``."""
    not_covered: Integers
    """Lines of a known place that is charged for hours outside the period."""
    not_joined: Integers
    """Lines of no known place."""


def namespaces_of(charges: Charges, nodes: Nodes) -> list[str]:
    """Namespaces that pay for volumes and load balancers, in order; of lines of no node."""
    found: dict[str, None] = {}
    table = charges.table.select(["resource", "namespace"]).group_by(
        ["resource", "namespace"], use_threads=False
    )
    for row in table.aggregate([]).to_pylist():
        if row["namespace"] and row["resource"] != EVERYWHERE and not nodes.find(row["resource"]):
            found[row["namespace"]] = None
    return sorted(found)


def place(charges: Charges, nodes: Nodes, namespaces: dict[str, int], span: Span) -> Placed:
    """Find every line's places, and spread it over its hours.

    Args:
        charges: The bill.
        nodes: The ledger's nodes.
        namespaces: Number of the place of each namespace that ``namespaces_of`` gave.
        span: The period; hours outside it are not known.
    """
    table = charges.table
    groups, group_of = _groups(table)
    where = [_places(group, nodes, namespaces) for group in groups]
    cost = table["cost"].to_numpy()
    first = np.maximum(table["first"].to_numpy(), span.first)
    end = np.minimum(table["end"].to_numpy(), span.end)
    hours = np.maximum(end - first, 0)
    counts = np.array([len(places) for places in where] or [0], dtype=np.int64)[group_of]
    joined = counts > 0
    inside = np.flatnonzero(joined & (hours > 0))
    return Placed(
        hours=_spread(
            inside,
            [where[at] for at in group_of[inside]],
            cost=cost,
            first=first,
            hours=hours,
            counts=counts,
        ),
        lines=pa.table({"line": inside, "cost": cost[inside]}),
        not_covered=np.flatnonzero(joined & (hours == 0)),
        not_joined=np.flatnonzero(~joined),
    )


def _groups(table: pa.Table) -> tuple[list[tuple[str, str]], Integers]:
    """Distinct (resource, namespace), and each line's number among them."""
    resource = table["resource"].combine_chunks().dictionary_encode()
    namespace = table["namespace"].combine_chunks().dictionary_encode()
    width = max(len(namespace.dictionary), 1)
    pairs = resource.indices.to_numpy().astype(np.int64) * width + namespace.indices.to_numpy()
    distinct, numbers = np.unique(pairs, return_inverse=True)
    resources, names = resource.dictionary.to_pylist(), namespace.dictionary.to_pylist()
    groups = [(resources[at // width], names[at % width]) for at in distinct.tolist()]
    return groups, numbers.astype(np.int64)


def _places(group: tuple[str, str], nodes: Nodes, namespaces: dict[str, int]) -> tuple[int, ...]:
    resource, namespace = group
    if resource == EVERYWHERE:
        return tuple(node.number for node in nodes.all)
    found = nodes.find(resource)
    if not found and namespace in namespaces:
        return (namespaces[namespace],)
    return found


def _spread(
    lines: Integers,
    where: list[tuple[int, ...]],
    *,
    cost: Integers,
    first: Integers,
    hours: Integers,
    counts: Integers,
) -> pa.Table:
    """One row per line, place and hour. The cost is spread evenly, to the quantum."""
    rows = hours[lines] * counts[lines]
    line = np.repeat(lines, rows)
    starts = np.repeat(np.cumsum(rows) - rows, rows)
    at = np.arange(len(line), dtype=np.int64) - starts
    hour = np.repeat(first[lines], rows) + at % np.repeat(hours[lines], rows)
    index = at // np.repeat(hours[lines], rows)
    flat, offset_of = _flattened(where)
    places = flat[np.repeat(offset_of, rows) + index] if len(line) else flat[:0]
    number = np.repeat(rows, rows)
    share, extra = np.divmod(cost[line], number) if len(line) else (line, line)
    return pa.table(
        {"line": line, "place": places, "hour": hour, "hour_cost": share + (at < extra)}
    )


def _flattened(where: list[tuple[int, ...]]) -> tuple[Integers, Integers]:
    """Tuples end to end, equal ones once, and where each begins."""
    offsets: dict[tuple[int, ...], int] = {}
    flat: list[int] = []
    for places in where:
        if places not in offsets:
            offsets[places] = len(flat)
            flat.extend(places)
    return (
        np.array(flat, dtype=np.int64),
        np.array([offsets[places] for places in where], dtype=np.int64),
    )


def cost_by(table: pa.Table, lines: Integers, column: str) -> dict[str, int]:
    """Summed cost of lines by the text of a column, in whole quanta."""
    sums: dict[str, int] = defaultdict(int)
    picked_lines = table.select([column, "cost"]).take(pa.array(lines))
    for row in picked_lines.group_by(column).aggregate([("cost", "sum")]).to_pylist():
        sums[row[column]] += row["cost_sum"]
    return dict(sums)
