"""Who asks, and what of a statement they see."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from fnmatch import fnmatchcase
from glob import escape

from wattribute.accounting.chargeback.statement import Row, Statement
from wattribute.accounting.settings import Team
from wattribute.core.errors import WattributeError

ALL = "*"


class Forbidden(WattributeError):  # noqa: N818 - named for the state
    """Whoever asks may not see this; the message says what they may."""


@dataclass(frozen=True, slots=True)
class Viewer:
    """Whoever asks."""

    name: str
    """For the page's corner."""
    sees: Mapping[str, tuple[str, ...]]
    """By what ``--by`` says: patterns of owners; ``*``: everything there is."""

    @property
    def everything(self) -> bool:
        """Whether nothing is hidden."""
        return ALL in self.sees

    def patterns(self, by: str) -> Sequence[str]:
        """Which owners, by this key.

        Raises:
            Forbidden: none.
        """
        if self.everything:
            return (ALL,)
        if by not in self.sees:
            known = ", ".join(self.sees) or "nothing"
            raise Forbidden(f"by {by}: you may see statements by {known}")
        return self.sees[by]

    def may_see(self, row: Row, by: str) -> bool:
        """Whether this row is theirs; rows of no owner are nobody's."""
        if self.everything:
            return True
        owned = row.kind == "owner"
        return owned and any(fnmatchcase(row.owner, one) for one in self.patterns(by))


EVERYBODY = Viewer("", {ALL: (ALL,)})
"""Where nobody is asked who they are."""


def viewer_of(name: str, teams: Iterable[str], settings: Mapping[str, Team]) -> Viewer:
    """What members of these teams see together.

    A team that the settings do not name, or for which they say nothing, sees the row of its own
    name in statements by team, taken literally.
    """
    sees: dict[str, tuple[str, ...]] = {}
    for team in teams:
        known = settings.get(team)
        told = dict(known.sees) if known and known.sees else {"team": (escape(team),)}
        for by, patterns in told.items():
            sees[by] = sees.get(by, ()) + patterns
    return Viewer(name, sees)


def seen(statement: Statement, viewer: Viewer) -> Statement:
    """The statement as this viewer may see it: of others not even the sum.

    Raises:
        Forbidden: nothing of it.
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
