"""What a metric family is: its name, its words, and where its samples come from."""

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from wattribute.node.exporter.labels import block
from wattribute.node.exporter.layout import SeriesRows
from wattribute.node.exporter.scene import Scene

_MILLION: Final = 1_000_000


@dataclass(frozen=True, slots=True, eq=False)
class Samples:
    """The samples of one family."""

    values: NDArray[np.int64]
    labels: Callable[[], Iterable[str]]
    """Label text of each value; called only when ``key`` is new."""
    key: Hashable = None
    """Equal keys mean equal labels; None: always ask."""


@dataclass(frozen=True, slots=True)
class Family:
    """One line of the table."""

    name: str
    type: Literal["counter", "gauge"]
    help: str
    labels: tuple[str, ...]
    samples: Callable[[Scene], Samples | None]
    """None: this machine has no such thing."""
    decimals: Literal[0, 6] = 6
    """Six: values are millionths (of a joule, a watt, a second, 1). None: whole numbers."""
    unit: str = ""
    """For OpenMetrics; the name ends with it."""


def counter(
    name: str,
    text: str,
    labels: Sequence[str],
    samples: Callable[[Scene], Samples | None],
    *,
    decimals: Literal[0, 6] = 6,
) -> Family:
    """A family of counters; the name ends in ``_total``."""
    unit = _unit(name.removesuffix("_total"))
    return Family(name, "counter", text, tuple(labels), samples, decimals, unit)


def gauge(
    name: str,
    text: str,
    labels: Sequence[str],
    samples: Callable[[Scene], Samples | None],
    *,
    decimals: Literal[0, 6] = 6,
) -> Family:
    """A family of gauges."""
    return Family(name, "gauge", text, tuple(labels), samples, decimals, _unit(name))


def millionths(value: float) -> int:
    """Return a ratio as a family of six decimals takes it."""
    return round(value * _MILLION)


def crossed(
    series: SeriesRows, tails: Sequence[str], values: Sequence[NDArray[np.int64]]
) -> Samples:
    """Return samples of rows x tails: all rows with the first tail, then with the next.

    Args:
        series: the rows, with the beginning of each label text.
        tails: the ends of the label texts, without the comma before them.
        values: for each tail, one value per row.
    """
    return Samples(
        np.concatenate(values) if values else np.zeros(0, np.int64),
        lambda: [f"{labels},{tail}" for tail in tails for labels in series.labels],
        (series.key, tuple(tails)),
    )


def listed(pairs: Iterable[tuple[dict[str, str], int]]) -> Samples | None:
    """A few samples with labels of their own; of two with equal labels the first."""
    values: dict[str, int] = {}
    for labels, value in pairs:
        values.setdefault(block(labels.items()), value)
    if not values:
        return None
    texts = tuple(values)
    return Samples(np.array(list(values.values()), np.int64), lambda: texts, texts)


def single(value: int) -> Samples:
    """One sample without labels."""
    return Samples(np.array([value], np.int64), lambda: ("",), ())


def _unit(name: str) -> str:
    last = name.rpartition("_")[2]
    return last if last in ("joules", "watts", "seconds", "bytes", "ratio") else ""
