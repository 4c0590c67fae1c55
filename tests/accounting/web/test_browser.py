"""The pages in a real browser: light and dark, wide and narrow, with the keyboard alone."""

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from wattribute.accounting.report.html import as_html
from wattribute.accounting.web.views import PAGES
from wattribute_testing.statements import made_row, made_statement

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.xdist_group("browser")]

_CONTRAST = """() => {
  const light = c => { c /= 255; return c <= .04045 ? c / 12.92 : ((c + .055) / 1.055) ** 2.4; };
  const numbers = text => text.match(/[\\d.]+/g).map(Number);
  const luminance = ([r, g, b]) => .2126 * light(r) + .7152 * light(g) + .0722 * light(b);
  const ground = at => {
    for (; at; at = at.parentElement) {
      const colour = numbers(getComputedStyle(at).backgroundColor);
      if (colour.length < 4 || colour[3] > 0) return luminance(colour);
    }
    return 1;
  };
  const weak = [];
  for (const at of document.querySelectorAll("body *:not(svg *):not(.skip)")) {
    if (![...at.childNodes].some(n => n.nodeType === 3 && n.textContent.trim())) continue;
    const pair = [luminance(numbers(getComputedStyle(at).color)), ground(at)].sort((a, b) => b - a);
    const ratio = (pair[0] + .05) / (pair[1] + .05);
    if (ratio < 4.5) weak.push(`${at.tagName} ${at.className} ${ratio.toFixed(2)}`);
  }
  return [...new Set(weak)];
}"""
"""Texts whose contrast is under 4.5 : 1 (WCAG 2, level AA)."""


@pytest.fixture(scope="module")
def address(files: Path) -> Iterator[str]:
    """Where the service listens, started as a user would."""
    config = files / "served.yaml"
    config.write_text(
        f"ledger: {{path: {files / 'ledger'}}}\n"
        "ownership: {rules: [{when: {namespace: '*?'}, team: '{namespace}'}]}\n"
        "bills: {budgets: [{owner: shop, amount: 10}, {owner: bot, amount: 1000}]}\n"
        f"carbon: {{cache: none}}\nweb: {{bills: ['{files}/*.csv'], by: namespace}}\n"
    )
    command = (sys.executable, "-m", "wattribute", "serve", "--config", str(config))
    environment = os.environ | {"PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(
        (*command, "--listen", "127.0.0.1:0"),
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    ) as process:
        assert process.stderr is not None
        line = process.stderr.readline()
        found = re.search(r"http://127\.0\.0\.1:\d+", line)
        assert found, line
        yield found[0]
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    sync_api = pytest.importorskip("playwright.sync_api")
    program = shutil.which("chromium")
    if program is None:
        pytest.skip("no chromium program; apt-get install chromium")
    with sync_api.sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield started
        started.close()


def _open(browser: Any, url: str, scheme: str = "light", width: int = 1280) -> tuple[Any, list]:
    """A page, and what its console and dialogs say."""
    context = browser.new_context(
        viewport={"width": width, "height": 800}, color_scheme=scheme, reduced_motion="reduce"
    )
    page = context.new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("dialog", lambda dialog: (said.append(dialog.message), dialog.dismiss()))
    page.goto(url)
    return page, said


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 400)])
def test_every_page_can_be_read(browser: Any, address: str, scheme: str, width: int) -> None:
    for name in PAGES:
        page, said = _open(browser, f"{address}/{name}", scheme, width)
        assert said == [], name
        assert page.evaluate("document.documentElement.scrollWidth") <= width, name
        assert page.evaluate(_CONTRAST) == [], name
        assert page.locator("h1").count() == 1, name
        assert page.locator("nav [aria-current=page]").inner_text() == name.capitalize()
        page.context.close()


def test_the_keyboard_reaches_everything(browser: Any, address: str) -> None:
    page, _ = _open(browser, f"{address}/statement")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    seen = set()
    for _ in range(40):
        page.keyboard.press("Tab")
        seen.add(page.evaluate("document.activeElement.outerHTML.slice(0, 40)"))
        outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert outline in {"solid", "auto"} or page.evaluate(
            "document.activeElement === document.body"
        )
    for part in ("<select", "<button", '<div class="scroll"', '<a href="explain?', "statement.csv"):
        assert any(part in text for text in seen), part


def test_another_key_is_chosen_and_a_row_explained_without_scripts(
    browser: Any, address: str
) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{address}/")
    page.select_option("select[name=by]", "team")
    page.click("button")
    assert "by=team" in page.url
    page.click("tbody a >> nth=0")
    assert "/explain?" in page.url
    assert page.locator("h1").inner_text().startswith("bot: ")
    page.click("text=Compare")
    assert page.locator("thead th").first.inner_text() == "team"
    context.close()


def test_a_mistake_is_a_page(browser: Any, address: str) -> None:
    page, _ = _open(browser, f"{address}/statement?by=colour")
    assert "colour" in page.locator(".notice").inner_text()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_file_runs_nothing_and_prints(browser: Any, tmp_path: Path, scheme: str) -> None:
    hostile = "<img src=x onerror=alert(1)>" * 3
    file = tmp_path / "page.html"
    rest = (made_row("(idle)", "3.00", "idle"),)
    file.write_bytes(as_html(made_statement(made_row(hostile, "9.00"), rest=rest)))
    page, said = _open(browser, file.as_uri(), scheme, 400)
    assert said == []
    assert page.evaluate(_CONTRAST) == []
    assert hostile in page.locator("tbody").inner_text()
    assert page.evaluate("document.documentElement.scrollWidth") <= 400
    assert page.pdf(prefer_css_page_size=True).startswith(b"%PDF")
