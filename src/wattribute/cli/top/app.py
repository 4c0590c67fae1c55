"""The live table of ``top``."""

import asyncio
import re
from collections.abc import Callable
from dataclasses import replace
from typing import ClassVar, Final

from rich.text import Text
from textual import work
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.coordinate import Coordinate
from textual.message import Message
from textual.widgets import DataTable, Footer, Input, Static
from textual.worker import get_current_worker

from wattribute.cli.terminal import TerminalColumn, clean
from wattribute.cli.top.view import (
    SORTS,
    VIEWS,
    By,
    Choice,
    Picture,
    Sort,
    cells,
    chosen,
    columns,
    footing,
    heading,
)
from wattribute.core.errors import WattributeError

_ROWS: Final = 200
"""Rows that are kept in the live table unless told otherwise: more than anybody scrolls through,
and few enough to be drawn every second."""
_FONT_FACE: Final = re.compile(r"@font-face\s*\{[^}]*\}")
"""Fonts that rich's pictures load from a server; without them any monospaced font does."""
_NUMBER_WIDTH: Final = 10
"""Characters of a column of numbers: up to 9,999,999.9 J."""


class News(Message):
    """What the reading thread tells the screen."""

    def __init__(self, picture: Picture | None, problem: str = "") -> None:
        """A picture, or why there is none."""
        super().__init__()
        self.picture = picture
        self.problem = problem


class TopApp(App[None]):
    """Reads a picture every so often, in a thread, and shows it."""

    TITLE = "wattribute top"
    ENABLE_COMMAND_PALETTE = False
    CSS = """
    #heading { background: $primary; color: $text; padding: 0 1; text-style: bold; height: auto; }
    #footing { color: $text-muted; padding: 0 1; height: auto; }
    #filter { display: none; }
    #filter.open { display: block; }
    DataTable { height: 1fr; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("q", "quit", "Quit"),
        Binding("p", "view('process')", "Processes"),
        Binding("c", "view('container')", "Containers"),
        Binding("d", "view('pod')", "Pods"),
        Binding("g", "view('gpu')", "GPUs"),
        Binding("w", "order('watts')", "Watts"),
        Binding("j", "order('joules')", "Joules"),
        Binding("u", "order('cpu')", "CPU"),
        Binding("n", "order('name')", "Name"),
        Binding("slash", "filter", "Filter"),
        Binding("escape", "unfilter", "All", show=False),
    ]

    def __init__(self, read: Callable[[], Picture], choice: Choice, every_s: float) -> None:
        """``read`` may block; it is called in a thread, never twice at a time."""
        super().__init__()
        self._read = read
        self._choice = replace(choice, limit=choice.limit or _ROWS)
        self._every_s = every_s
        self._picture: Picture | None = None
        self._columns_of: tuple[TerminalColumn, ...] = ()

    def compose(self) -> ComposeResult:
        """Heading, filter, table, footing."""
        yield Static("waiting for the first numbers ...", id="heading", markup=False)
        yield Input(placeholder="part of a name", id="filter")
        yield DataTable(id="rows", cursor_type="row", zebra_stripes=True)
        yield Static("", id="footing", markup=False)
        yield Footer()

    def on_mount(self) -> None:
        """Start to read."""
        self.query_one(DataTable).focus()
        self._follow()

    @work(thread=True)
    def _follow(self) -> None:
        worker = get_current_worker()
        while not worker.is_cancelled:
            try:
                self.post_message(News(self._read()))
            except WattributeError as exc:
                self.post_message(News(None, str(exc)))
            if worker.cancelled_event.wait(self._every_s):
                return

    def on_news(self, news: News) -> None:
        """Show what the thread has read."""
        if not self.query(DataTable):  # quitting: the widgets have gone before the last news
            return
        if news.picture is None:
            self.query_one("#footing", Static).update(f"no news: {clean(news.problem)}")
        else:
            self.show(news.picture)

    def show(self, picture: Picture) -> None:
        """Draw a picture."""
        self._picture = picture
        self.query_one("#heading", Static).update(clean(heading(picture)))
        self.query_one("#footing", Static).update(
            f"{clean(footing(picture))}; sorted by {self._choice.sort}"
            + (f"; only {clean(self._choice.filter_text)!r}" if self._choice.filter_text else "")
        )
        table = self.query_one(DataTable)
        by, gpus, weights = self._choice.by, bool(picture.gpus), picture.has_weights
        shown = columns(by, gpus=gpus, weights=weights)
        if self._columns_of != shown:
            table.clear(columns=True)
            for column in shown:
                table.add_column(_cell(column.title, to_right=column.right))
            self._columns_of = shown
        rows = chosen(picture, self._choice)
        self._fill(table, [cells(row, by, gpus=gpus, weights=weights) for row in rows])

    def _fill(self, table: "DataTable[Text]", rows: list[tuple[str, ...]]) -> None:
        """Change cells in place, so that the cursor and the scroll bar stay where they are."""
        right = [column.right for column in self._columns_of]
        while table.row_count > len(rows):
            table.remove_row(table.coordinate_to_cell_key(Coordinate(len(rows), 0)).row_key)
        for at, row in enumerate(rows):
            texts = [
                _cell(clean(cell), to_right=to_right)
                for cell, to_right in zip(row, right, strict=True)
            ]
            if at == table.row_count:
                table.add_row(*texts)
                continue
            for column, text in enumerate(texts):
                if table.get_cell_at(place := Coordinate(at, column)) != text:
                    table.update_cell_at(place, text, update_width=True)

    def _choose(self, choice: Choice) -> None:
        self._choice = choice
        if self._picture is not None:
            self.show(self._picture)

    def action_view(self, by: By) -> None:
        """Rows by process, container, pod or GPU."""
        if by in VIEWS:
            self._choose(replace(self._choice, by=by))

    def action_order(self, sort: Sort) -> None:
        """Rows in another order."""
        if sort in SORTS:
            self._choose(replace(self._choice, sort=sort))

    def action_filter(self) -> None:
        """Ask for a part of a name."""
        field = self.query_one("#filter", Input)
        field.add_class("open")
        field.value = self._choice.filter_text
        field.focus()

    def action_unfilter(self) -> None:
        """Show all rows again."""
        self.query_one("#filter", Input).remove_class("open")
        self.query_one(DataTable).focus()
        self._choose(replace(self._choice, filter_text=""))

    def on_input_changed(self, event: Input.Changed) -> None:
        """Filter while it is typed."""
        self._choose(replace(self._choice, filter_text=event.value))

    def on_input_submitted(self) -> None:
        """Keep the filter, go back to the table."""
        self.query_one("#filter", Input).remove_class("open")
        self.query_one(DataTable).focus()


def _cell(text: str, *, to_right: bool) -> Text:
    """Never markup; a right edge of our own, because the table's moves with what it holds."""
    return Text(text.rjust(_NUMBER_WIDTH) if to_right else text)


def screenshot(picture: Picture, choice: Choice, size: tuple[int, int] = (120, 28)) -> str:
    """What the live table looks like with this picture, as SVG."""

    async def drawn() -> str:
        app = TopApp(lambda: picture, choice, every_s=3600)
        async with app.run_test(size=size) as pilot:
            app.show(picture)
            await pilot.pause()
            return app.export_screenshot(title="wattribute top")

    return _FONT_FACE.sub("", asyncio.run(drawn()))
