"""The pages, each with its table: what is shown to one viewer as answer to one question."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec
from starlette.concurrency import run_in_threadpool

from wattribute.accounting.chargeback.budgets import Burn, burn
from wattribute.accounting.chargeback.methods import METHODS
from wattribute.accounting.chargeback.request import Request as Question
from wattribute.accounting.report import comparison, files, pdf
from wattribute.accounting.report.columns import Value
from wattribute.accounting.report.html import templates
from wattribute.accounting.report.tables import Table, json_of
from wattribute.accounting.settings import AccountingSettings
from wattribute.accounting.web import allocation
from wattribute.accounting.web.desk import Desk
from wattribute.accounting.web.viewers import Forbidden, Viewer, seen
from wattribute.core.errors import ConfigInvalid

if TYPE_CHECKING:
    from wattribute.accounting.chargeback.statement import Statement

PAGE_TEMPLATES: Final = templates(Path(__file__).with_name("templates"))
PAGES: Final = ("statement", "explain", "compare", "budgets", "reconciliation")


@dataclass(frozen=True, slots=True)
class Asked:
    """A request's parameters, checked for nothing yet."""

    month: str
    by: str
    method: str
    row: str = ""


@dataclass(frozen=True, slots=True)
class View:
    """A page and its twins."""

    page: str
    question: Question
    context: dict[str, Any]
    json: Callable[[], bytes]
    csv: Callable[[], bytes]
    parquet: Callable[[], bytes]


class Views:
    """Makes them."""

    def __init__(self, settings: AccountingSettings, desk: Desk) -> None:
        """``desk`` answers the questions."""
        self._settings, self._desk = settings, desk

    async def make(self, page: str, asked: Asked, viewer: Viewer) -> View:
        """A page of ``PAGES``.

        Raises:
            Forbidden: the viewer may not see any of it.
            WattributeError: the question cannot be answered.
        """
        by = asked.by or self._default_by(viewer)
        question = await run_in_threadpool(self._desk.question, asked.month, by, asked.method)
        viewer.patterns(question.by)
        match page:
            case "statement":
                return await self._statement(question, viewer)
            case "explain":
                return await self._explain(question, viewer, asked.row)
            case "compare":
                return await self._compare(question, viewer)
            case "budgets":
                return await self._budgets(question, viewer)
        return await self._reconciliation(question, viewer)

    async def choices(self, viewer: Viewer) -> dict[str, Sequence[str]]:
        """What a form offers."""
        months = await run_in_threadpool(self._desk.months)
        keys = await run_in_threadpool(self._desk.keys) if viewer.everything else viewer.sees
        methods = [m for m in METHODS if m != "two-part" or self._settings.bills.tariff]
        return {"months": months, "keys": list(keys), "methods": methods}

    async def allocation(self, query: dict[str, str], viewer: Viewer) -> bytes:
        """OpenCost's shape; raises as ``make``."""
        allocation.check(query)
        zone = self._settings.bills.timezone
        month = allocation.month_of(query.get("window", ""), zone, datetime.now(UTC))
        by = allocation.key_of(query.get("aggregate", ""))
        question = await run_in_threadpool(self._desk.question, month, by, query.get("method", ""))
        viewer.patterns(by)
        statement = seen(await self._desk.statement(question), viewer)
        idle = "true" in (query.get("includeIdle", "").lower(), query.get("idle", "").lower())
        return json_of(allocation.answer(statement, idle=idle))

    async def invoice(self, asked: Asked, viewer: Viewer) -> tuple[str, bytes]:
        """A file's name and the PDF of one row; raises as ``make``."""
        by = asked.by or self._default_by(viewer)
        question = await run_in_threadpool(self._desk.question, asked.month, by, asked.method)
        statement = seen(await self._desk.statement(question), viewer)
        row = next((row for row in statement.rows if row.id == asked.row), None)
        if row is None:
            raise ConfigInvalid(f"row={asked.row}: no such row in statement {statement.id}")

        def made() -> bytes:
            return pdf.as_pdf(statement, row, whole=viewer.everything)

        return pdf.file_name(row), await run_in_threadpool(made)

    def _default_by(self, viewer: Viewer) -> str:
        default = self._settings.web.by
        if viewer.everything or default in viewer.sees:
            return default
        return next(iter(viewer.sees), default)

    async def _statement(self, question: Question, viewer: Viewer) -> View:
        statement = seen(await self._desk.statement(question), viewer)
        return View(
            "statement",
            question,
            {"statement": statement},
            lambda: files.as_json(statement),
            lambda: files.as_csv(statement),
            lambda: files.as_parquet(statement),
        )

    async def _explain(self, question: Question, viewer: Viewer, row: str) -> View:
        statement = seen(await self._desk.statement(question), viewer)
        if not row and statement.rows:
            row = statement.rows[0].id
        chosen = next((one for one in statement.everything if one.id == row), None)
        if chosen is None:
            raise ConfigInvalid(f"row={row}: no such row in statement {statement.id}")
        made = await self._desk.explain(question, row)
        columns = (
            *("source", "service", "description", "resource", "period", "cost", "amount"),
            *("basis", "weight", "line_weight", "ratio", "part"),
        )
        lines = tuple(tuple(getattr(line, name) for name in columns) for line in made.lines)
        context = {"statement": statement, "row": chosen, "made": made}
        return _of_table(
            "explain", question, context, Table(columns, lines), msgspec.to_builtins(made)
        )

    async def _compare(self, question: Question, viewer: Viewer) -> View:
        made = [seen(one, viewer) for one in await self._desk.compare(question)]
        rows = comparison.costs_by_row(made)
        columns = ("owner", "kind", *(one.method for one in made))
        cells: list[tuple[Value, ...]] = [
            (owner, kind, *costs) for (kind, owner), costs in rows.items()
        ]
        context = {"statements": made, "rows": rows}
        body = comparison.as_object(made)
        return _of_table("compare", question, context, Table(columns, tuple(cells)), body)

    async def _budgets(self, question: Question, viewer: Viewer) -> View:
        elapsed = await run_in_threadpool(self._desk.elapsed, question.month)
        found: list[Burn] = []
        statements: dict[str, Statement] = {}
        for budget in self._settings.bills.budgets:
            if not viewer.everything and budget.by not in viewer.sees:
                continue
            if budget.by not in statements:
                asked = question.but(by=budget.by)
                statements[budget.by] = await self._desk.statement(asked)
            statement = statements[budget.by]
            rows = [row for row in statement.rows if viewer.may_see(row, budget.by)]
            if viewer.everything or any(row.owner == budget.owner for row in rows):
                found.append(burn(budget, rows, statement.currency.code, elapsed))
        columns = (
            *("owner", "by", "of", "unit", "amount", "used", "share", "elapsed", "rate"),
            *("expected", "state"),
        )
        cells = tuple(_budget_cells(one) for one in found)
        context = {"burns": found, "elapsed": elapsed, "month": question.month.text}
        return _of_table("budgets", question, context, Table(columns, cells))

    async def _reconciliation(self, question: Question, viewer: Viewer) -> View:
        if not viewer.everything:
            raise Forbidden("the invoice as a whole is not shown to a team")
        made = await self._desk.reconcile(question)
        statement = await self._desk.statement(question)
        columns = ("name", "lines", "cost", "placed", "not_covered", "not_joined")
        cells = tuple(tuple(getattr(one, name) for name in columns) for one in made.services)
        context = {"made": made, "statement": statement}
        body = {
            "allocated": str(statement.allocated),
            "unallocated": str(statement.unallocated),
            "invoice": str(statement.total),
            "difference": str(statement.difference),
            "rest": [{"why": row.kind, "cost": str(row.cost)} for row in statement.rest],
            **msgspec.to_builtins(made),
        }
        return _of_table("reconciliation", question, context, Table(columns, cells), body)


def _budget_cells(one: Burn) -> tuple[Value, ...]:
    budget = one.budget
    return (
        *(budget.owner, budget.by, budget.of, one.unit, budget.amount, one.used, one.share),
        *(one.elapsed, one.rate, one.expected, one.state),
    )


def _of_table(
    page: str, question: Question, context: dict[str, Any], table: Table, body: object = None
) -> View:
    """A view whose CSV and Parquet are a table; ``body`` None: its JSON too."""
    return View(
        page,
        question,
        context,
        table.as_json if body is None else lambda: json_of(body),
        table.as_csv,
        table.as_parquet,
    )


def render(view: View, **more: object) -> bytes:
    """The page, with what all pages have: who asks, choices, links."""
    template = PAGE_TEMPLATES.get_template(f"{view.page}_page.html")
    return template.render(view=view, pages=PAGES, **view.context, **more).encode()
