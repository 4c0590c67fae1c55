"""Answers questions one at a time, and keeps the answers until a file changes."""

import asyncio
import glob
import time
from collections import OrderedDict
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, TypeVar, cast

from starlette.concurrency import run_in_threadpool

from wattribute.accounting.chargeback.build import compare_methods, make_statement
from wattribute.accounting.chargeback.charges import Month
from wattribute.accounting.chargeback.explain import Explanation, explain
from wattribute.accounting.chargeback.methods import COMPARED
from wattribute.accounting.chargeback.reconcile import Reconciliation, reconcile
from wattribute.accounting.chargeback.remember import note_of
from wattribute.accounting.chargeback.request import StatementRequest, names_of_maps
from wattribute.accounting.chargeback.statement import Statement
from wattribute.accounting.ledger.ownership import DIMENSIONS
from wattribute.accounting.ledger.store import Store
from wattribute.accounting.settings import AccountingSettings
from wattribute.core.errors import ConfigInvalid, DataInvalid, WattributeError
from wattribute.core.units import HOUR_S

_KEPT: Final = 64
_KEEP_S: Final = HOUR_S
"""Seconds for which an answer is kept, because carbon figures change without any file changing."""
_MOST_WAITING: Final = 16
_PLACES: Final = ("namespace", "owner", "node", "cluster")
_LINES: Final = 20
_T = TypeVar("_T")


class Busy(WattributeError):  # noqa: N818 - named for the state
    """Too many questions are waiting."""


class Desk:
    """Answers questions about one ledger and its bills."""

    def __init__(self, settings: AccountingSettings) -> None:
        """Take the settings; nothing is read yet."""
        self._settings = settings
        self._lock = asyncio.Lock()
        self._answers: OrderedDict[object, tuple[float, asyncio.Task[Any]]] = OrderedDict()
        self._waiting = 0

    def question(self, month: str, by: str, method: str) -> StatementRequest:
        """Build a question; the settings supply what is "", and the newest month if it is.

        Raises:
            ConfigInvalid: There is no month or no bill.
            LedgerFailed: The ledger cannot be read.
        """
        web, bills = self._settings.web, self._settings.bills
        if not month:
            months = self.months()
            if not months:
                raise ConfigInvalid(f"{self._settings.ledger.path}: no entries yet")
            month = months[0]
        files = [Path(path) for text in web.bills for path in sorted(glob.glob(text))]  # noqa: PTH207 - absolute patterns too
        if not files and not web.totals:
            raise ConfigInvalid(
                "no bill: web.bills names no file that is there"
                + (f" ({', '.join(web.bills)})" if web.bills else "; or give web.totals")
            )
        return StatementRequest(
            ledger=self._settings.ledger.path,
            month=Month.parse(month, bills.timezone),
            by=by or web.by,
            bills=tuple(files),
            totals=web.totals,
            method=method or bills.method,
            tariff=bills.tariff,
        )

    def months(self) -> list[str]:
        """Return the months for which the ledger has entries, the newest first.

        Raises:
            LedgerFailed: The ledger cannot be read.
        """
        first_s, end_s = Store.at(self._settings.ledger.path).days()
        months: list[str] = []
        if end_s:
            month = Month.parse(f"{datetime.fromtimestamp(first_s, UTC):%Y-%m}")
            while month.span.first * HOUR_S < end_s:
                months.append(month.text)
                month = month.after
        return months[::-1]

    def keys(self) -> list[str]:
        """Return the keys for ``--by``: places, dimensions of the rules, labels of new entries."""
        files = Store.at(self._settings.ledger.path).all_files()
        labels = [f"label:{name}" for name in names_of_maps(files[-1:], "labels")]
        return [*_PLACES, *(DIMENSIONS if self._settings.ownership.rules else ()), *labels]

    def elapsed(self, month: Month) -> float:
        """Return the part of a month that is over and in the ledger, 0 to 1."""
        _, end_s = Store.at(self._settings.ledger.path).days()
        span = month.span
        until_s = min(end_s, time.time(), span.end * HOUR_S)
        return max(0.0, (until_s / HOUR_S - span.first) / (span.end - span.first))

    async def statement(self, question: StatementRequest) -> Statement:
        """Return the statement by one method; raises the errors of ``make_statement``."""
        return await self._once(question, make_statement)

    async def compare(self, question: StatementRequest) -> list[Statement]:
        """Return a statement for each of the methods that differ, as ``compare_methods`` does."""

        def compare(request: StatementRequest, settings: AccountingSettings) -> list[Statement]:
            return compare_methods(request, settings, COMPARED)

        return await self._once(question.but(method=""), compare, "compare")

    async def reconcile(self, question: StatementRequest) -> Reconciliation:
        """Compare the invoice with the ledger, as ``reconcile`` does."""
        return await self._once(question.but(by="node", method=""), reconcile, "reconcile")

    async def explain(self, question: StatementRequest, row: str) -> Explanation:
        """Explain a row of the statement, as ``explain`` does."""
        statement = await self.statement(question)
        note = note_of(statement, question, None)

        def explain_row(_: StatementRequest, settings: AccountingSettings) -> Explanation:
            return explain(note, row, settings, _LINES)

        return await self._once(question, explain_row, row)

    async def _once(
        self,
        question: StatementRequest,
        make: Callable[[StatementRequest, AccountingSettings], _T],
        kind: str = "",
    ) -> _T:
        """Return a kept answer or compute it; the same question twice is computed once."""
        key = (kind, question, await run_in_threadpool(self._version, question))
        answer = self._answers.get(key)
        if answer is None or time.monotonic() - answer[0] > _KEEP_S:
            if self._waiting >= _MOST_WAITING:
                raise Busy("many questions wait already; ask again in a minute")
            task = asyncio.create_task(self._computed(question, make))
            answer = time.monotonic(), task
            self._answers[key] = answer
            while len(self._answers) > _KEPT:
                self._answers.popitem(last=False)
        self._answers.move_to_end(key)
        try:
            return cast("_T", await asyncio.shield(answer[1]))
        except Exception:  # the next request tries again, whatever failed
            self._answers.pop(key, None)
            raise

    async def _computed(
        self, question: StatementRequest, make: Callable[[StatementRequest, AccountingSettings], _T]
    ) -> _T:
        self._waiting += 1
        try:
            async with self._lock:
                return await run_in_threadpool(make, question, self._settings)
        finally:
            self._waiting -= 1

    def _version(self, question: StatementRequest) -> object:
        """A value that changes when a bill or the ledger's month changes."""
        try:
            statuses = [(path, path.stat()) for path in question.bills]
        except OSError as exc:
            raise DataInvalid(f"{exc.filename}: cannot read the bill: {exc.strerror}") from exc
        stamps = [(path, status.st_mtime_ns, status.st_size) for path, status in statuses]
        span = question.month.span
        store = Store.at(question.ledger)
        return tuple(stamps), tuple(store.files(span.first * HOUR_S, span.end * HOUR_S))
