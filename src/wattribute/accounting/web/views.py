"""Builds the pages, and the same content as data, for one viewer and one question."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec
from starlette.concurrency import run_in_threadpool

from wattribute.accounting.chargeback.budgets import Burn, burn
from wattribute.accounting.chargeback.methods import METHODS
from wattribute.accounting.chargeback.request import StatementRequest as Question
from wattribute.accounting.report import comparison, pdf
from wattribute.accounting.report.columns import Value
from wattribute.accounting.report.csv_file import as_csv
from wattribute.accounting.report.html import templates
from wattribute.accounting.report.json_file import as_json
from wattribute.accounting.report.parquet_file import as_parquet
from wattribute.accounting.report.tables import ReportTable, json_of
from wattribute.accounting.settings import AccountingSettings
from wattribute.accounting.web import allocation
from wattribute.accounting.web.desk import Desk
from wattribute.accounting.web.viewers import Forbidden, Viewer, visible_part
from wattribute.core.errors import ConfigInvalid

if TYPE_CHECKING:
    from wattribute.accounting.chargeback.statement import Statement

PAGE_TEMPLATES: Final = templates(Path(__file__).with_name("templates"))
PAGES: Final = ("statement", "explain", "compare", "budgets", "reconciliation")


@dataclass(frozen=True, slots=True)
class Parameters:
    """The parameters of a request, not checked yet."""

    month: str
    by: str
    method: str
    row: str = ""


@dataclass(frozen=True, slots=True)
class View:
    """A page, and its content as JSON, CSV and Parquet."""

    page: str
    question: Question
    context: dict[str, Any]
    json: Callable[[], bytes]
    csv: Callable[[], bytes]
    parquet: Callable[[], bytes]


class Views:
    """Builds each page and its JSON, CSV and Parquet forms."""

    def __init__(self, settings: AccountingSettings, desk: Desk) -> None:
        """Take the settings, and the desk that answers questions."""
        self._settings, self._desk = settings, desk

    async def make(self, page: str, parameters: Parameters, viewer: Viewer) -> View:
        """Build a page of ``PAGES``.

        Raises:
            Forbidden: The viewer may not see any of it.
            WattributeError: The question cannot be answered.
        """
        question = await self._question(parameters, viewer)
        viewer.patterns(question.by)
        match page:
            case "statement":
                return await self._statement(question, viewer)
            case "explain":
                return await self._explain(question, viewer, parameters.row)
            case "compare":
                return await self._compare(question, viewer)
            case "budgets":
                return await self._budgets(question, viewer)
        return await self._reconciliation(question, viewer)

    async def choices(self, viewer: Viewer) -> dict[str, Sequence[str]]:
        """Return the choices of the form: months, keys and methods."""
        months = await run_in_threadpool(self._desk.months)
        keys = await run_in_threadpool(self._desk.keys) if viewer.everything else viewer.sees
        methods = [m for m in METHODS if m != "two-part" or self._settings.bills.tariff]
        return {"months": months, "keys": list(keys), "methods": methods}

    async def allocation(self, query: dict[str, str], viewer: Viewer) -> bytes:
        """Return a statement in OpenCost's form; raises the errors of ``make``."""
        allocation.check(query)
        zone = self._settings.bills.timezone
        month = allocation.month_of(query.get("window", ""), zone, datetime.now(UTC))
        by = allocation.key_of(query.get("aggregate", ""))
        question = await run_in_threadpool(self._desk.question, month, by, query.get("method", ""))
        viewer.patterns(by)
        statement = visible_part(await self._desk.statement(question), viewer)
        idle = "true" in (query.get("includeIdle", "").lower(), query.get("idle", "").lower())
        return json_of(allocation.answer(statement, idle=idle))

    async def invoice(self, parameters: Parameters, viewer: Viewer) -> tuple[str, bytes]:
        """Return the file name and the PDF of a row's invoice; raises the errors of ``make``."""
        question = await self._question(parameters, viewer)
        statement = visible_part(await self._desk.statement(question), viewer)
        row = next((row for row in statement.rows if row.id == parameters.row), None)
        if row is None:
            raise ConfigInvalid(f"row={parameters.row}: no such row in statement {statement.id}")

        def render_pdf() -> bytes:
            return pdf.as_pdf(statement, row, whole=viewer.everything)

        return pdf.file_name(row), await run_in_threadpool(render_pdf)

    async def _question(self, parameters: Parameters, viewer: Viewer) -> Question:
        by = parameters.by or self._default_by(viewer)
        month, method = parameters.month, parameters.method
        return await run_in_threadpool(self._desk.question, month, by, method)

    def _default_by(self, viewer: Viewer) -> str:
        default = self._settings.web.by
        if viewer.everything or default in viewer.sees:
            return default
        return next(iter(viewer.sees), default)

    async def _statement(self, question: Question, viewer: Viewer) -> View:
        statement = visible_part(await self._desk.statement(question), viewer)
        return View(
            "statement",
            question,
            {"statement": statement},
            lambda: as_json(statement),
            lambda: as_csv(statement),
            lambda: as_parquet(statement),
        )

    async def _explain(self, question: Question, viewer: Viewer, row: str) -> View:
        statement = visible_part(await self._desk.statement(question), viewer)
        if not row and statement.rows:
            row = statement.rows[0].id
        statement_row = next((line for line in statement.everything if line.id == row), None)
        if statement_row is None:
            raise ConfigInvalid(f"row={row}: no such row in statement {statement.id}")
        explanation = await self._desk.explain(question, row)
        columns = (
            *("source", "service", "description", "resource", "period", "cost", "amount"),
            *("basis", "weight", "line_weight", "ratio", "part"),
        )
        lines = tuple(tuple(getattr(line, name) for name in columns) for line in explanation.lines)
        context = {"statement": statement, "row": statement_row, "explanation": explanation}
        return _of_table(
            "explain",
            question,
            context,
            ReportTable(columns, lines),
            msgspec.to_builtins(explanation),
        )

    async def _compare(self, question: Question, viewer: Viewer) -> View:
        compared = await self._desk.compare(question)
        statements = [visible_part(statement, viewer) for statement in compared]
        rows = comparison.costs_by_row(statements)
        columns = ("owner", "kind", *(statement.method for statement in statements))
        cells: list[tuple[Value, ...]] = [
            (owner, kind, *costs) for (kind, owner), costs in rows.items()
        ]
        context = {"statements": statements, "rows": rows}
        body = comparison.as_object(statements)
        return _of_table("compare", question, context, ReportTable(columns, tuple(cells)), body)

    async def _budgets(self, question: Question, viewer: Viewer) -> View:
        elapsed = await run_in_threadpool(self._desk.elapsed, question.month)
        burns: list[Burn] = []
        statements: dict[str, Statement] = {}
        for budget in self._settings.bills.budgets:
            if not viewer.everything and budget.by not in viewer.sees:
                continue
            if budget.by not in statements:
                by_budget = question.but(by=budget.by)
                statements[budget.by] = await self._desk.statement(by_budget)
            statement = statements[budget.by]
            rows = [row for row in statement.rows if viewer.may_see(row, budget.by)]
            if viewer.everything or any(row.owner == budget.owner for row in rows):
                burns.append(burn(budget, rows, statement.currency.code, elapsed))
        columns = (
            *("owner", "by", "of", "unit", "amount", "used", "share", "elapsed", "rate"),
            *("expected", "state"),
        )
        cells = tuple(_budget_cells(burn_of_budget) for burn_of_budget in burns)
        context = {"burns": burns, "elapsed": elapsed, "month": question.month.text}
        return _of_table("budgets", question, context, ReportTable(columns, cells))

    async def _reconciliation(self, question: Question, viewer: Viewer) -> View:
        if not viewer.everything:
            raise Forbidden("the invoice as a whole is not shown to a team")
        reconciliation = await self._desk.reconcile(question)
        statement = await self._desk.statement(question)
        columns = ("name", "lines", "cost", "placed", "not_covered", "not_joined")
        cells = tuple(
            tuple(getattr(service, name) for name in columns) for service in reconciliation.services
        )
        context = {"reconciliation": reconciliation, "statement": statement}
        body = {
            "allocated": str(statement.allocated),
            "unallocated": str(statement.unallocated),
            "invoice": str(statement.total),
            "difference": str(statement.difference),
            "rest": [{"why": row.kind, "cost": str(row.cost)} for row in statement.rest],
            **msgspec.to_builtins(reconciliation),
        }
        return _of_table("reconciliation", question, context, ReportTable(columns, cells), body)


def _budget_cells(state: Burn) -> tuple[Value, ...]:
    budget = state.budget
    return (
        *(budget.owner, budget.by, budget.of, state.unit, budget.amount, state.used, state.share),
        *(state.elapsed, state.rate, state.expected, state.state),
    )


def _of_table(
    page: str, question: Question, context: dict[str, Any], table: ReportTable, body: object = None
) -> View:
    """Build a view whose CSV and Parquet are a table; so is its JSON if ``body`` is None."""
    return View(
        page,
        question,
        context,
        table.as_json if body is None else lambda: json_of(body),
        table.as_csv,
        table.as_parquet,
    )


def render(view: View, **more: object) -> bytes:
    """Render a page. ``more`` has what all pages need: the viewer, choices and links."""
    template = PAGE_TEMPLATES.get_template(f"{view.page}_page.html")
    return template.render(view=view, pages=PAGES, **view.context, **more).encode()
