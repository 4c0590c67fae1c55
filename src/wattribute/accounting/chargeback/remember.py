"""Statements that were made on this machine, so that ``explain`` knows what a row's id means."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from wattribute.accounting.chargeback.charges import Month
from wattribute.accounting.chargeback.request import StatementRequest
from wattribute.accounting.chargeback.statement import Statement
from wattribute.core.errors import DataInvalid
from wattribute.core.files import write_whole

_KEPT: Final = 100


@dataclass(frozen=True, slots=True)
class Remembered:
    """A question that was asked, and its rows."""

    statement: str
    asked: dict[str, object]
    config: str
    """Settings file; "" none."""
    rows: dict[str, tuple[str, str, str]]
    """Id -> kind, owner, cost."""

    @property
    def request(self) -> StatementRequest:
        """The question again."""
        asked = dict(self.asked)
        month = Month.parse(str(asked.pop("month")), str(asked.pop("timezone")))
        bills = asked.pop("bills")
        totals = asked.pop("totals")
        return StatementRequest(
            month=month,
            bills=tuple(Path(str(path)) for path in bills) if isinstance(bills, list) else (),
            totals=tuple(map(str, totals)) if isinstance(totals, list) else (),
            **{name: str(value) for name, value in asked.items()},
        )


def folder() -> Path:
    """Where they are: ``$XDG_STATE_HOME/wattribute/statements``."""
    state = os.environ.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
    return Path(state) / "wattribute" / "statements"


def note_of(statement: Statement, request: StatementRequest, config: Path | None) -> Remembered:
    """What is to be known of a statement, to explain its rows."""
    asked: dict[str, object] = {
        "ledger": request.ledger_place,
        "month": request.month.text,
        "timezone": request.month.zone,
        "by": request.by,
        "bills": [str(path.absolute()) for path in request.bills],
        "totals": list(request.totals),
        "method": request.method,
        "currency": request.currency,
        "tariff": request.tariff_place,
        "engine": request.engine,
        "master": request.master,
        "memory": request.memory,
    }
    rows: dict[str, tuple[str, str, str]] = {
        row.id: (row.kind, row.owner, str(row.cost)) for row in statement.everything
    }
    return Remembered(statement.id, asked, str(config.absolute()) if config else "", rows)


def remember(statement: Statement, request: StatementRequest, config: Path | None) -> None:
    """Write it down; the oldest beyond a hundred are removed.

    Raises:
        OSError: it cannot be written.
    """
    remembered = note_of(statement, request, config)
    place = folder()
    place.mkdir(parents=True, exist_ok=True, mode=0o700)
    write_whole(place / f"{statement.id}.json", msgspec.json.encode(remembered))
    for old in _newest_first(place)[_KEPT:]:
        old.unlink(missing_ok=True)


def recall(row: str) -> tuple[Remembered, str]:
    """The statement of a row, and the row's id.

    Args:
        row: An id as printed (``3f9a2c-1``), or an owner's name in the newest statement.

    Raises:
        DataInvalid: there is no such row.
    """
    place = folder()
    name, dash, _ = row.rpartition("-")
    exact = place / f"{name}.json"
    candidates = [exact] if dash and exact.is_file() else _newest_first(place)[:1]
    for path in candidates:
        try:
            remembered = msgspec.json.decode(path.read_bytes(), type=Remembered)
        except (OSError, msgspec.DecodeError) as exc:
            raise DataInvalid(f"{path}: cannot read it: {exc}; make the statement again") from exc
        if row in remembered.rows:
            return remembered, row
        for row_id, (_, owner, _) in remembered.rows.items():
            if owner == row:
                return remembered, row_id
        raise DataInvalid(
            f"{row}: no such row in statement {remembered.statement}; its owners are "
            + ", ".join(owner for _, owner, _ in list(remembered.rows.values())[:8])
        )
    raise DataInvalid(
        f"{row}: no statement has been made on this machine; `wattribute statement` first"
    )


def _newest_first(place: Path) -> list[Path]:
    if not place.is_dir():
        return []
    return sorted(place.glob("*.json"), key=lambda path: path.stat().st_mtime, reverse=True)
