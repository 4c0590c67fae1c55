import re
from decimal import Decimal
from html.parser import HTMLParser
from pathlib import Path

import pytest

from wattribute.accounting.report import figures, files
from wattribute.accounting.report.html import as_html
from wattribute_testing.statements import made_row, made_statement

HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>{{ 7*7 }}"


class _Tags(HTMLParser):
    """Names of all elements, and of their attributes; the text."""

    def __init__(self, page: bytes) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: list[tuple[str, str]] = []
        self.text = ""
        self.feed(page.decode())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_data(self, data: str) -> None:
        self.text += data


def test_names_from_a_cluster_stay_text() -> None:
    page = _Tags(as_html(made_statement(made_row(HOSTILE, "10.00"), notes=(HOSTILE,))))
    assert {"script", "img"}.isdisjoint(page.tags)
    assert not [name for name, _ in page.attributes if name.startswith("on")]
    assert HOSTILE in page.text


def test_the_page_fetches_nothing() -> None:
    page = as_html(made_statement(made_row("a", "10.00")))
    told = _Tags(page)
    assert "link" in told.tags
    fetched = [v for n, v in told.attributes if n in {"src", "href"} and not v.startswith("data:")]
    assert fetched == []
    assert not re.search(rb"url\((?!#)", page)
    assert b"@import" not in page


def test_every_row_and_sum_is_there_and_reconciles() -> None:
    idle = made_row("(idle)", "2.50", "idle")
    statement = made_statement(made_row("red", "10.00"), made_row("blue", "7.25"), rest=(idle,))
    text = " ".join(_Tags(as_html(statement)).text.split())
    for part in ("red", "blue", "(idle)", "17.25", "2.50", "19.75 USD", "✓ exact", "kgCO₂e"):
        assert part in text
    assert "nobody had reserved" in text


def test_without_carbon_there_is_no_column_of_it() -> None:
    row = made_row("a", "1.00", carbon_ug=None, carbon_low_ug=None, carbon_high_ug=None)
    assert "CO₂" not in _Tags(as_html(made_statement(row, carbon=()))).text


def test_an_empty_statement_is_a_page() -> None:
    assert b"exact" in as_html(made_statement())


def test_parts_of_a_bar_add_up_to_its_cost() -> None:
    rows = (made_row("a", "100.00"), made_row("b", "50.00"))
    first, second = figures.bars(rows)
    assert first.energy + first.floor + first.unused == pytest.approx(100 / 1.1, abs=0.01)
    assert second.energy + second.floor + second.unused == pytest.approx(50 / 1.1, abs=0.01)
    assert first.high == 100
    assert first.has_band


def test_a_refund_has_no_bar_and_breaks_no_other() -> None:
    low = {"cost_low": Decimal(-5), "cost_high": Decimal(-5)}
    refund = made_row("a", "-5.00", cost_spare=Decimal(0), cost_idle=Decimal(0), **low)
    bar, other = figures.bars((refund, made_row("b", "1.00")))
    assert (bar.energy, bar.floor, bar.unused, bar.text) == (0, 0, 0, "-5.00")
    assert other.energy > 0
    assert figures.bars((refund,))[0].energy == 0


def test_out_with_html_writes_the_page(tmp_path: Path) -> None:
    files.write(made_statement(made_row("a", "1.00")), tmp_path / "page.html")
    assert (tmp_path / "page.html").read_bytes().startswith(b"<!doctype html>")
