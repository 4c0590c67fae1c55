"""Viewers, and the part of a statement that each may see."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from fnmatch import fnmatchcase
from glob import escape

from wattribute.accounting.chargeback.statement import Statement, StatementRow
from wattribute.accounting.settings import Team
from wattribute.core.errors import WattributeError

ALL = "*"


class Forbidden(WattributeError):  # noqa: N818 - named for the state
    """The viewer may not see this; the message says what the viewer may see."""


@dataclass(frozen=True, slots=True)
class Viewer:
    """A person or program that asks for statements, and what it may see."""

    name: str
    """The name that pages show."""
    sees: Mapping[str, tuple[str, ...]]
    """Patterns of owners, by the key of ``--by``. The key ``*`` stands for everything."""

    @property
    def everything(self) -> bool:
        """Whether the viewer may see everything."""
        return ALL in self.sees

    def patterns(self, by: str) -> Sequence[str]:
        """Return the patterns of the owners that the viewer may see, by a key of ``--by``.

        Raises:
            Forbidden: The viewer may see no owners by this key.
        """
        if self.everything:
            return (ALL,)
        if by not in self.sees:
            keys = ", ".join(self.sees) or "nothing"
            raise Forbidden(f"by {by}: you may see statements by {keys}")
        return self.sees[by]

    def may_see(self, row: StatementRow, by: str) -> bool:
        """Whether the viewer may see a row; rows without owner need a viewer of everything."""
        if self.everything:
            return True
        has_owner = row.kind == "owner"
        return has_owner and any(fnmatchcase(row.owner, text) for text in self.patterns(by))


EVERYBODY = Viewer("", {ALL: (ALL,)})
"""The viewer where nobody must say who they are."""


def viewer_of(name: str, teams: Iterable[str], settings: Mapping[str, Team]) -> Viewer:
    """Return the viewer that sees what these teams see together.

    A team without rules in the settings sees the row of its own name in statements by team. Its
    name is taken literally, not as a pattern.
    """
    sees: dict[str, tuple[str, ...]] = {}
    for team in teams:
        rules = settings.get(team)
        of_team = dict(rules.sees) if rules and rules.sees else {"team": (escape(team),)}
        for by, patterns in of_team.items():
            sees[by] = sees.get(by, ()) + patterns
    return Viewer(name, sees)


def visible_part(statement: Statement, viewer: Viewer) -> Statement:
    """Return the part of a statement that a viewer may see, without even the sum of the rest.

    Raises:
        Forbidden: The viewer may see nothing of it.
    """
    if viewer.everything:
        return statement
    viewer.patterns(statement.by)
    rows = [row for row in statement.rows if viewer.may_see(row, statement.by)]
    total = sum((row.cost for row in rows), Decimal(0))
    return replace(
        statement,
        rows=tuple(replace(row, share=float(row.cost / total) if total else 0.0) for row in rows),
        rest=(),
        total=total,
        notes=(),
        ledger="",
        node_hours=0,
        sources=(),
    )
