"""Whose a ledger entry is: the answer to ``--by``, for each distinct workload once."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Literal

from wattribute.accounting.chargeback.usage import IDLE, KERNEL, SPECIAL, SYSTEM, UNATTRIBUTED
from wattribute.accounting.ledger.ownership import DIMENSIONS, Ownership
from wattribute.core.errors import ConfigInvalid
from wattribute.core.units import DAY_S

AccountKind = Literal[
    "owner",
    "unowned",
    "shared",
    "platform",
    "system",
    "kernel",
    "idle",
    "unattributed",
    "not-covered",
    "not-joined",
    "too-small",
]
NOT_COVERED: Final = -5
"""A bill's line for a node that the ledger knows, in hours that it does not."""
NOT_JOINED: Final = -6
"""Lines of no node and no namespace; below it one account per service."""
OTHER_SERVICES: Final = "(not matched to a node: other services)"
TOO_SMALL: Final = -100
"""Rows of less than half a cent and a joule each, together."""
FIXED: Final[Mapping[int, tuple[str, AccountKind]]] = {
    IDLE: ("(idle)", "idle"),
    UNATTRIBUTED: ("(unattributed)", "unattributed"),
    SYSTEM: ("(node system)", "system"),
    KERNEL: ("(node kernel)", "kernel"),
    NOT_COVERED: ("(charges for hours without energy data)", "not-covered"),
}
UNOWNED_NAME: Final = "(unowned)"

_LEDGER_COLUMNS: Final = {
    "namespace": ("namespace",),
    "pod": ("namespace", "pod"),
    "container": ("namespace", "pod", "container"),
    "owner": ("owner_kind", "owner_name"),
    "node": ("node",),
    "cluster": ("cluster",),
    "kind": ("kind",),
}
_DIMENSION_WORDS: Final = {"cost_centre": "cost_center", "cost-center": "cost_center"}
_HOURS_PER_DAY: Final = 24


@dataclass(frozen=True, slots=True)
class Account:
    """Who is charged."""

    number: int
    name: str
    kind: AccountKind


@dataclass(frozen=True, slots=True)
class Pool:
    """What is shared by all and charged on: the workloads that match a pattern, and services."""

    name: str
    matches: Callable[[Mapping[str, str]], bool]
    """Whether a workload is in it, by its subjects."""
    subjects: tuple[str, ...]


def map_columns(subjects: Iterable[str]) -> dict[str, tuple[str, str]]:
    """Columns that the engine takes from labels and annotations: name -> (map, key)."""
    found: dict[str, tuple[str, str]] = {}
    for subject in subjects:
        prefix, colon, name = subject.partition(":")
        if colon:
            found[subject] = (f"{prefix}s", prometheus_name(name))
    return found


def prometheus_name(label: str) -> str:
    """A label as the ledger knows it: ``app.kubernetes.io/name`` is app_kubernetes_io_name."""
    return re.sub(r"[^a-zA-Z0-9_]", "_", label)


class Accounts:
    """The accounts of one statement, filled as workloads are seen."""

    def __init__(
        self, by: str, ownership: Ownership, *, dated: bool, pools: Sequence[Pool] = ()
    ) -> None:
        """Decide what to look at.

        Args:
            by: ``label:NAME``, ``annotation:NAME``, a dimension of ownership (``team``), or one of
                namespace, owner, pod, container, node, cluster.
            ownership: The rules; asked when ``by`` is one of their dimensions.
            dated: Some rule begins or ends on a day, so the day matters.
            pools: Shared costs; a workload in one belongs to it, not to its owner.

        Raises:
            ConfigInvalid: ``by`` is nothing that is known.
        """
        self.by = _DIMENSION_WORDS.get(by, by)
        self._ownership = ownership
        self._pools = pools
        needed = {"kind": None}
        if self.by in DIMENSIONS:
            needed.update(dict.fromkeys(ownership.subjects))
        elif self.by in _LEDGER_COLUMNS or self._map_key(self.by):
            needed[self.by] = None
        else:
            known = ", ".join((*DIMENSIONS, *_LEDGER_COLUMNS, "label:NAME", "annotation:NAME"))
            raise ConfigInvalid(f"--by {by}: not known; there are {known}")
        for pool in pools:
            needed.update(dict.fromkeys(pool.subjects))
        self.subjects = tuple(needed)
        self.dated = dated and self.by in DIMENSIONS
        self._numbers: dict[tuple[str, AccountKind], int] = {}

    @staticmethod
    def _map_key(by: str) -> bool:
        prefix, _, name = by.partition(":")
        return prefix in {"label", "annotation"} and bool(name)

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns of the ledger that tell the account, without those of ``maps``."""
        found: dict[str, None] = {}
        for subject in self.subjects:
            if subject not in self.maps:
                found.update(dict.fromkeys(_LEDGER_COLUMNS[subject]))
        return tuple(found)

    @property
    def maps(self) -> dict[str, tuple[str, str]]:
        """Columns from labels and annotations; see ``map_columns``."""
        return map_columns(self.subjects)

    def account_of(self, row: Mapping[str, str], day: int) -> int:
        """The number of a workload's account.

        Args:
            row: ``columns`` and ``maps`` of its entries.
            day: Days since 1970, UTC; looked at if ``dated``.
        """
        kind = row["kind"]
        subject = {name: self._value(name, row) for name in self.subjects}
        for pool in self._pools:
            if pool.matches(subject):
                return self._number(pool.name, "shared")
        if kind in SPECIAL:
            return SPECIAL[kind]
        if self.by in DIMENSIONS:
            then = datetime.fromtimestamp(day * DAY_S, UTC).date()
            name = getattr(self._ownership.owner_of(subject, then), self.by)
        else:
            name = subject[self.by]
        return self._number(name, "owner") if name else self._number(UNOWNED_NAME, "unowned")

    @staticmethod
    def _value(subject: str, row: Mapping[str, str]) -> str:
        if subject in row:
            return row[subject]
        return "/".join(filter(None, (row[column] for column in _LEDGER_COLUMNS[subject])))

    def number_of(self, name: str, kind: AccountKind) -> int:
        """The number of an account that no workload may have: a pool, the platform's."""
        return self._number(name, kind)

    def _number(self, name: str, kind: AccountKind) -> int:
        return self._numbers.setdefault((name, kind), len(self._numbers))

    def __iter__(self) -> Iterator[Account]:
        """All accounts that were numbered, and the fixed ones."""
        for number, (name, kind) in FIXED.items():
            yield Account(number, name, kind)
        for (name, kind), number in self._numbers.items():
            yield Account(number, name, kind)
