"""The routes of ``wattribute serve``.

| | |
|---|---|
| ``/statement`` ``/explain`` ``/compare`` ``/budgets`` ``/reconciliation`` | pages; the same as data with ``.json``, ``.csv`` or ``.parquet`` |
| ``/invoice.pdf`` | the invoice of a row |
| ``/allocation`` ``/allocation/compute`` | OpenCost's allocations, with energy and carbon |
| ``/openapi.json`` | the description of the API, for programs |
| ``/healthz`` ``/readyz`` | for Kubernetes; open to all |
"""  # noqa: E501 - a table

import asyncio
import base64
import logging
from collections.abc import Awaitable, Callable
from hashlib import sha256
from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from wattribute.accounting.report.tables import json_of
from wattribute.accounting.settings import AccountingSettings
from wattribute.accounting.web.authentication import Authentication
from wattribute.accounting.web.desk import Busy, Desk
from wattribute.accounting.web.openapi import document
from wattribute.accounting.web.viewers import Forbidden, Viewer
from wattribute.accounting.web.views import PAGE_TEMPLATES, PAGES, Parameters, View, Views, render
from wattribute.core.errors import ConfigInvalid, WattributeError
from wattribute.http import credentials

if TYPE_CHECKING:
    from wattribute.accounting.chargeback.request import StatementRequest as Question

_LOG: Final = logging.getLogger(__name__)
_LONGEST: Final = 200
_MEDIA: Final = {
    "json": "application/json",
    "csv": "text/csv; charset=utf-8",
    "parquet": "application/vnd.apache.parquet",
}
_LOOPBACK: Final = ["localhost", "127.0.0.1", "[::1]", "::1"]
_Handler = Callable[[Request, Viewer], Awaitable[Response]]


class PageService:
    """The handlers of all routes."""

    def __init__(self, settings: AccountingSettings, authentication: Authentication) -> None:
        """Take the settings, and the authentication that finds out who asks."""
        self._authentication = authentication
        self._views = Views(settings, Desk(settings))
        style = str(PAGE_TEMPLATES.globals["style"]).encode()
        digest = base64.b64encode(sha256(style).digest()).decode()
        self._policy = (
            f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; "
            "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
        )

    def app(self) -> Starlette:
        """Return the ASGI application."""
        guarded = [
            Route("/", self._guarded(self._home)),
            Route("/allocation", self._guarded(self._allocation)),
            Route("/allocation/compute", self._guarded(self._allocation)),
            Route("/invoice.pdf", self._guarded(self._invoice)),
            Route("/openapi.json", self._guarded(self._openapi)),
        ]
        for page in PAGES:
            guarded.append(Route(f"/{page}", self._guarded(self._page(page))))
            guarded += [
                Route(f"/{page}.{ending}", self._guarded(self._data(page, ending)))
                for ending in _MEDIA
            ]
        # A page that was resolved to this address under another name must not read it (rebinding).
        hosts = ["*"] if self._authentication.is_needed else _LOOPBACK
        return Starlette(
            routes=[*guarded, Route("/healthz", _alive), Route("/readyz", _alive)],
            middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=hosts)],
        )

    def _guarded(self, handler: _Handler) -> Callable[[Request], Awaitable[Response]]:
        async def guarded(request: Request) -> Response:
            viewer = await run_in_threadpool(self._authentication.viewer, request)
            if viewer is None:
                await asyncio.sleep(credentials.FAILURE_DELAY_S)
                answer = _failed(request, 401, "who asks? A team's token, or a user's password")
                takes_passwords = self._authentication.takes_passwords
                scheme = 'Basic realm="wattribute"' if takes_passwords else "Bearer"
                answer.headers["WWW-Authenticate"] = scheme
            else:
                answer = await _answered(handler, request, viewer)
            for name, value in (
                ("Content-Security-Policy", self._policy),
                ("X-Content-Type-Options", "nosniff"),
                ("Referrer-Policy", "no-referrer"),
                ("Cache-Control", "private, no-cache"),
                ("Vary", "Authorization"),
                *self._authentication.access.headers,
            ):
                answer.headers[name] = value
            return answer

        return guarded

    def _page(self, page: str) -> _Handler:
        async def handler(request: Request, viewer: Viewer) -> Response:
            view = await self._views.make(page, _parameters(request), viewer)
            choices = await self._views.choices(viewer)
            body = await run_in_threadpool(
                lambda: render(view, viewer=viewer, links=_links(view), **choices)
            )
            return Response(body, media_type="text/html; charset=utf-8")

        return handler

    def _data(self, page: str, ending: str) -> _Handler:
        async def handler(request: Request, viewer: Viewer) -> Response:
            view = await self._views.make(page, _parameters(request), viewer)
            make = {"json": view.json, "csv": view.csv, "parquet": view.parquet}[ending]
            answer = Response(await run_in_threadpool(make), media_type=_MEDIA[ending])
            if ending != "json":
                name = f"{page}-{view.question.month.text}.{ending}"
                answer.headers["Content-Disposition"] = f'attachment; filename="{name}"'
            return answer

        return handler

    async def _home(self, request: Request, _: Viewer) -> Response:
        query = f"?{request.url.query}" if request.url.query else ""
        return RedirectResponse(f"statement{query}", 303)

    async def _allocation(self, request: Request, viewer: Viewer) -> Response:
        body = await self._views.allocation(dict(request.query_params), viewer)
        return Response(body, media_type=_MEDIA["json"])

    async def _invoice(self, request: Request, viewer: Viewer) -> Response:
        name, body = await self._views.invoice(_parameters(request), viewer)
        headers = {"Content-Disposition": f'inline; filename="{name}"'}
        return Response(body, media_type="application/pdf", headers=headers)

    async def _openapi(self, _: Request, __: Viewer) -> Response:
        return Response(json_of(document()), media_type=_MEDIA["json"])


async def _alive(_: Request) -> Response:
    return PlainTextResponse("ok\n")


async def _answered(handler: _Handler, request: Request, viewer: Viewer) -> Response:
    try:
        return await handler(request, viewer)
    except Forbidden as exc:
        return _failed(request, 403, str(exc), viewer)
    except Busy as exc:
        answer = _failed(request, 503, str(exc), viewer)
        answer.headers["Retry-After"] = "60"
        return answer
    except ConfigInvalid as exc:
        return _failed(request, 400, str(exc), viewer)
    except WattributeError as exc:
        _LOG.error("%s: %s", request.url.path, exc)
        text = str(exc) if viewer.everything else "it cannot be answered; the server's log says why"
        return _failed(request, 503, text, viewer)


def _failed(request: Request, status: int, text: str, viewer: Viewer | None = None) -> Response:
    """The answer to a request that failed: a page for browsers, else a line of JSON."""
    if "text/html" in request.headers.get("accept", ""):
        page = PAGE_TEMPLATES.get_template("error_page.html")
        body = page.render(pages=PAGES, text=text, status=status, viewer=viewer).encode()
        return Response(body, status, media_type="text/html; charset=utf-8")
    return Response(json_of({"code": status, "message": text}), status, media_type=_MEDIA["json"])


def _parameters(request: Request) -> Parameters:
    values = {name: request.query_params.get(name, "") for name in ("month", "by", "method", "row")}
    for name, value in values.items():
        if len(value) > _LONGEST or not value.isprintable():
            raise ConfigInvalid(f"{name}: not one line of {_LONGEST} characters")
    return Parameters(**values)


def _links(view: View) -> dict[str, str]:
    """Queries for links: for the question, and for the question with the row that is shown."""
    question: Question = view.question
    query = {"month": question.month.text, "by": question.by, "method": question.method}
    row = view.context.get("row")
    whole = query if row is None else query | {"row": row.id}
    return {"question": urlencode(query), "whole": urlencode(whole)}
