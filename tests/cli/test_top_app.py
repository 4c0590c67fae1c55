import asyncio
import xml.etree.ElementTree as ET
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest
from textual.coordinate import Coordinate
from textual.pilot import Pilot
from textual.widgets import DataTable, Input, Static

from wattribute.cli.top.app import TopApp, screenshot
from wattribute.cli.top.view import Choice, ComponentPower, ConsumerRow, Picture
from wattribute.core.errors import ListenFailed

PROCESSES = (
    ConsumerRow(
        watts=5, joules=50, cpu_percent=100, command="burn", pid=7, container="web", pod="shop"
    ),
    ConsumerRow(watts=1, joules=90, cpu_percent=10, command="a[red]\x1b[2J", pid=8),
)
CONTAINERS = (ConsumerRow(watts=6, joules=140, cpu_percent=110, container="web", pod="shop"),)
PICTURE = Picture(
    node="n1", where="http://h:9102", activity="tasks", policy="none",
    time_s=0.0, age_s=0.0, interval_s=5.0,
    parts=(ComponentPower("cpu", "estimated", 6.0, 4.0, 8.0, 140.0),),
    processes=PROCESSES, containers=CONTAINERS,
)  # fmt: skip


def _table(app: TopApp) -> list[list[str]]:
    table = app.query_one(DataTable)
    return [[cell.plain.strip() for cell in table.get_row_at(at)] for at in range(table.row_count)]


def _text(app: TopApp, selector: str) -> str:
    return str(app.query_one(selector, Static).render())


def _play(
    script: Callable[[TopApp, Pilot[None]], Awaitable[None]],
    read: Callable[[], Picture] = lambda: PICTURE,
    choice: Choice = Choice(),  # noqa: B008 - frozen
) -> None:
    async def play() -> None:
        app = TopApp(read, choice, every_s=0.05)
        async with app.run_test(size=(120, 30)) as pilot, asyncio.timeout(30):
            while not _table(app) and "no news" not in _text(app, "#footing"):
                await pilot.pause(0.02)
            await script(app, pilot)

    asyncio.run(play())


def test_the_node_and_its_processes_are_shown() -> None:
    async def script(app: TopApp, _: Pilot[None]) -> None:
        assert _text(app, "#heading") == (
            "n1: 6.0 W, 140 J estimated | cpu 6.0 W estimated (4.0 to 8.0)"
        )
        assert _table(app)[0] == ["7", "5.00", "50.0", "100.0", "burn", "web", "shop", ""]

    _play(script)


def test_a_hostile_name_is_shown_and_not_obeyed() -> None:
    async def script(app: TopApp, _: Pilot[None]) -> None:
        assert _table(app)[1][4] == "a[red]\\x1b[2J"

    _play(script)


def test_keys_change_view_and_order() -> None:
    async def script(app: TopApp, pilot: Pilot[None]) -> None:
        await pilot.press("j")
        assert [row[0] for row in _table(app)] == ["8", "7"]
        await pilot.press("c")
        assert _table(app) == [["6.00", "140.0", "110.0", "web", "shop", "", ""]]
        await pilot.press("d")
        assert _table(app) == [["6.00", "140.0", "110.0", "shop", "", "1"]]
        await pilot.press("p", "w")
        assert [row[0] for row in _table(app)] == ["7", "8"]

    _play(script)


def test_a_filter_is_typed_kept_and_dropped() -> None:
    async def script(app: TopApp, pilot: Pilot[None]) -> None:
        await pilot.press("slash", *"bur", "enter")
        await pilot.pause()
        assert [row[0] for row in _table(app)] == ["7"]
        assert not app.query_one("#filter", Input).has_class("open")
        assert "'bur'" in _text(app, "#footing")
        await pilot.press("escape")
        await pilot.pause()
        assert len(_table(app)) == 2

    _play(script)


def test_new_numbers_change_cells_and_leave_the_cursor_where_it_is() -> None:
    now = [PICTURE]

    async def script(app: TopApp, pilot: Pilot[None]) -> None:
        table = app.query_one(DataTable)
        table.move_cursor(row=1)
        now[0] = replace(PICTURE, processes=(replace(PROCESSES[0], watts=9), PROCESSES[1]))
        while _table(app)[0][1] != "9.00":
            await pilot.pause(0.02)
        assert table.cursor_coordinate == Coordinate(1, 0)
        now[0] = replace(PICTURE, processes=PROCESSES[:1])
        while len(_table(app)) != 1:
            await pilot.pause(0.02)

    _play(script, lambda: now[0])


def test_an_agent_that_goes_away_leaves_the_last_numbers_and_is_said() -> None:
    pictures = [PICTURE]

    def read() -> Picture:
        if pictures:
            return pictures.pop()
        raise ListenFailed("http://h:9102: connection refused")

    async def script(app: TopApp, pilot: Pilot[None]) -> None:
        while "no news" not in _text(app, "#footing"):
            await pilot.pause(0.02)
        assert "connection refused" in _text(app, "#footing")
        assert len(_table(app)) == 2

    _play(script, read)


def test_q_quits() -> None:
    async def script(app: TopApp, pilot: Pilot[None]) -> None:
        await pilot.press("q")
        await pilot.pause()
        assert not app.is_running

    _play(script)


@pytest.mark.parametrize("by", ["process", "container", "pod"])
def test_a_screenshot_is_valid_svg_with_the_numbers(by: str) -> None:
    svg = screenshot(PICTURE, Choice(by=by))  # type: ignore[arg-type]

    assert ET.fromstring(svg).tag.endswith("svg")  # noqa: S314 - our own
    assert "shop" in svg


def test_a_screenshot_loads_nothing_from_elsewhere() -> None:
    svg = screenshot(PICTURE, Choice())

    assert "url(http" not in svg.replace('"', "").replace("'", "")
    assert "@font-face" not in svg
