"""The desk: takes questions, computes one at a time, and keeps the answers while files stay."""

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
from wattribute.accounting.chargeback.charges import HOUR_S, Month
from wattribute.accounting.chargeback.explain import Explanation, explain
from wattribute.accounting.chargeback.methods import COMPARED
from wattribute.accounting.chargeback.reconcile import Reconciliation, reconcile
from wattribute.accounting.chargeback.remember import note_of
from wattribute.accounting.chargeback.request import Request, names_of_maps
from wattribute.accounting.chargeback.statement import Statement
from wattribute.accounting.ledger.ownership import DIMENSIONS
from wattribute.accounting.ledger.store import Store
from wattribute.accounting.settings import AccountingSettings
from wattribute.core.errors import ConfigInvalid, DataInvalid, WattributeError

_KEPT: Final = 64
_KEEP_S: Final = 3600.0
"""Carbon figures of the running month change without any file's change."""
_MOST_WAITING: Final = 16
_PLACES: Final = ("namespace", "owner", "node", "cluster")
_LINES: Final = 20
_T = TypeVar("_T")


class Busy(WattributeError):  # noqa: N818 - named for the state
    """Too many questions wait already."""


class Desk:
    """Questions and answers of one ledger and its bills."""

    def __init__(self, settings: AccountingSettings) -> None:
        """Nothing is read yet."""
        self._settings = settings
        self._lock = asyncio.Lock()
        self._answers: OrderedDict[object, tuple[float, asyncio.Task[Any]]] = OrderedDict()
        self._waiting = 0

    def question(self, month: str, by: str, method: str) -> Request:
        """A question with what the settings say for the rest; "" takes the newest month.

        Raises:
            ConfigInvalid: no month, or no bill.
            LedgerFailed: the ledger cannot be read.
        """
        web, bills = self._settings.web, self._settings.bills
        if not month:
            known = self.months()
            if not known:
                raise ConfigInvalid(f"{self._settings.ledger.path}: no entries yet")
            month = known[0]
        files = [Path(path) for text in web.bills for path in sorted(glob.glob(text))]  # noqa: PTH207 - absolute patterns too
        if not files and not web.totals:
            raise ConfigInvalid(
                "no bill: web.bills names no file that is there"
                + (f" ({', '.join(web.bills)})" if web.bills else "; or give web.totals")
            )
        return Request(
            ledger=self._settings.ledger.path,
            month=Month.parse(month, bills.timezone),
            by=by or web.by,
            bills=tuple(files),
            totals=web.totals,
            method=method or bills.method,
            tariff=bills.tariff,
        )

    def months(self) -> list[str]:
        """Months of which the ledger has something, the newest first.

        Raises:
            LedgerFailed: the ledger cannot be read.
        """
        first_s, end_s = Store.at(self._settings.ledger.path).days()
        found: list[str] = []
        if end_s:
            month = Month.parse(f"{datetime.fromtimestamp(first_s, UTC):%Y-%m}")
            while month.span.first * HOUR_S < end_s:
                found.append(month.text)
                month = month.after
        return found[::-1]

    def keys(self) -> list[str]:
        """What ``--by`` may be: places, dimensions of the rules, labels of the newest entries."""
        files = Store.at(self._settings.ledger.path).all_files()
        labels = [f"label:{name}" for name in names_of_maps(files[-1:], "labels")]
        return [*_PLACES, *(DIMENSIONS if self._settings.ownership.rules else ()), *labels]

    def elapsed(self, month: Month) -> float:
        """How much of a month is over and in the ledger, 0 to 1."""
        _, end_s = Store.at(self._settings.ledger.path).days()
        span = month.span
        until_s = min(end_s, time.time(), span.end * HOUR_S)
        return max(0.0, (until_s / HOUR_S - span.first) / (span.end - span.first))

    async def statement(self, question: Request) -> Statement:
        """The answer by one method; see ``make_statement`` for what is raised."""
        return await self._once(question, make_statement)

    async def compare(self, question: Request) -> list[Statement]:
        """By each of the methods that differ; see ``compare_methods``."""

        def compared(asked: Request, settings: AccountingSettings) -> list[Statement]:
            return compare_methods(asked, settings, COMPARED)

        return await self._once(question.but(method=""), compared, "compare")

    async def reconcile(self, question: Request) -> Reconciliation:
        """The invoice against the ledger; see ``reconcile``."""
        return await self._once(question.but(by="node", method=""), reconcile, "reconcile")

    async def explain(self, question: Request, row: str) -> Explanation:
        """One row of the statement, taken apart; see ``explain``."""
        statement = await self.statement(question)
        note = note_of(statement, question, None)

        def explained(_: Request, settings: AccountingSettings) -> Explanation:
            return explain(note, row, settings, _LINES)

        return await self._once(question, explained, row)

    async def _once(
        self, question: Request, make: Callable[[Request, AccountingSettings], _T], what: str = ""
    ) -> _T:
        """The answer, kept; whoever asks the same meanwhile waits for the same one."""
        key = (what, question, await run_in_threadpool(self._version, question))
        known = self._answers.get(key)
        if known is None or time.monotonic() - known[0] > _KEEP_S:
            if self._waiting >= _MOST_WAITING:
                raise Busy("many questions wait already; ask again in a minute")
            task = asyncio.create_task(self._computed(question, make))
            known = time.monotonic(), task
            self._answers[key] = known
            while len(self._answers) > _KEPT:
                self._answers.popitem(last=False)
        self._answers.move_to_end(key)
        try:
            return cast("_T", await asyncio.shield(known[1]))
        except Exception:  # whatever it is, the next one who asks gets another try
            self._answers.pop(key, None)
            raise

    async def _computed(
        self, question: Request, make: Callable[[Request, AccountingSettings], _T]
    ) -> _T:
        self._waiting += 1
        try:
            async with self._lock:
                return await run_in_threadpool(make, question, self._settings)
        finally:
            self._waiting -= 1

    def _version(self, question: Request) -> object:
        """Changes when a bill or the ledger's month does."""
        try:
            found = [(path, path.stat()) for path in question.bills]
        except OSError as exc:
            raise DataInvalid(f"{exc.filename}: cannot read the bill: {exc.strerror}") from exc
        stamps = [(path, status.st_mtime_ns, status.st_size) for path, status in found]
        span = question.month.span
        store = Store.at(question.ledger)
        return tuple(stamps), tuple(store.files(span.first * HOUR_S, span.end * HOUR_S))
