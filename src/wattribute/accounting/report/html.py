"""A statement as one HTML file: nothing is fetched, nothing runs in it, and it prints."""

from functools import cache
from pathlib import Path
from typing import Final

import jinja2
from markupsafe import Markup

from wattribute.accounting.chargeback.statement import Statement
from wattribute.accounting.report import figures
from wattribute.accounting.report.columns import COLUMNS
from wattribute.accounting.report.formats import ReportFormat
from wattribute.accounting.report.terminal import band_text, money, shared_text, watts_per_core

TEMPLATES: Final = Path(__file__).with_name("templates")


@cache
def templates(*more: Path) -> jinja2.Environment:
    """Ours, with what they may call; every value is escaped, and one that is missing is an error.

    Names come from a cluster, so they are hostile: only the style sheet is put in as it is.

    Args:
        more: Folders with further ones, which may extend ours.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader([TEMPLATES, *more]),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(
        style=Markup((TEMPLATES / "style.css").read_text(encoding="utf-8")),  # noqa: S704 - our own file
        bars=figures.bars,
        line=figures.line,
        sums=figures.sums,
        money=money,
        band_text=band_text,
        shared_text=shared_text,
        watts_per_core=watts_per_core,
        columns=COLUMNS,
    )
    return environment


def as_html(statement: Statement) -> bytes:
    """The page, UTF-8."""
    return templates().get_template("statement.html").render(statement=statement).encode()


FORMAT: Final = ReportFormat(".html", as_html)
