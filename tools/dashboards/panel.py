"""Panels of a Grafana board, as the JSON that Grafana 11 and later (schema 39) has for them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

DATASOURCE: Final = {"type": "prometheus", "uid": "${datasource}"}
BOARD_URL: Final = (
    "/d/wattribute-{board}?{var}&var-datasource=${{datasource}}&${{cluster:queryparam}}"
    "&${{__url_time_range}}"
)

WATT: Final = "watt"
KWH: Final = "kwatth"
JOULE: Final = "joule"
CO2E: Final = "si:gCO2e"  # si: scales, so that a thousand is 1 kgCO2e
RATIO: Final = "percentunit"
SECONDS: Final = "s"
BYTES: Final = "bytes"
NUMBER: Final = "short"
DAY: Final = "1d"


@dataclass(frozen=True)
class Query:
    """One PromQL query; ``legend`` names its series, or its column in a table."""

    expr: str
    legend: str = ""


@dataclass(frozen=True)
class Column:
    """A column of a table: a label, or the value of the query with this ``legend``."""

    name: str
    title: str
    unit: str = ""
    link: str = ""
    """The board to go to, as ``node?var-node=${__value.raw}``."""


@dataclass(frozen=True)
class Panel:
    """What is common to all; ``json`` is made when the board is laid out."""

    title: str
    description: str
    queries: Sequence[Query]
    kind: str
    width: int
    height: int
    unit: str
    options: Mapping[str, Any]
    custom: Mapping[str, Any] = field(default_factory=dict)
    defaults: Mapping[str, Any] = field(default_factory=dict)
    overrides: Sequence[Mapping[str, Any]] = ()
    transformations: Sequence[Mapping[str, Any]] = ()
    instant: bool = False
    interval: str = ""
    time_from: str = ""

    def json(self, number: int, x: int, y: int) -> dict[str, Any]:
        """The panel's JSON at a place of the grid, which is 24 wide."""
        made: dict[str, Any] = {
            "id": number,
            "type": self.kind,
            "title": self.title,
            "description": self.description,
            "datasource": DATASOURCE,
            "gridPos": {"x": x, "y": y, "w": self.width, "h": self.height},
            "fieldConfig": {
                "defaults": {"unit": self.unit, **self.defaults, "custom": dict(self.custom)},
                "overrides": list(self.overrides),
            },
            "options": dict(self.options),
            "targets": [self._target(place, query) for place, query in enumerate(self.queries)],
        }
        if not self.custom:
            del made["fieldConfig"]["defaults"]["custom"]
        if self.transformations:
            made["transformations"] = list(self.transformations)
        if self.interval:
            made["interval"] = self.interval
        if self.time_from:
            made["timeFrom"] = self.time_from
        return made

    def _target(self, place: int, query: Query) -> dict[str, Any]:
        return {
            "refId": chr(ord("A") + place),
            "datasource": DATASOURCE,
            "editorMode": "code",
            "expr": query.expr,
            "format": "table" if self.kind == "table" else "time_series",
            "instant": self.instant,
            "range": not self.instant,
            "legendFormat": query.legend or "__auto",
        }


def graph(
    title: str,
    description: str,
    *queries: Query,
    unit: str = WATT,
    width: int = 12,
    stacked: bool = True,
    dashed: Sequence[str] = (),
    interval: str = "",
) -> Panel:
    """Values over time; ``dashed`` series are bounds: lines that are not stacked."""
    return Panel(
        title, description, queries, "timeseries", width, 8, unit,
        options=_LEGEND_AND_TOOLTIP,
        custom={
            "drawStyle": "line",
            "fillOpacity": 25 if stacked else 0,
            "lineWidth": 1,
            "showPoints": "never",
            "spanNulls": False,
            "stacking": {"group": "A", "mode": "normal" if stacked else "none"},
        },
        defaults={"min": 0},
        overrides=[
            {
                "matcher": {"id": "byName", "options": name},
                "properties": [
                    {"id": "custom.stacking", "value": {"group": "A", "mode": "none"}},
                    {"id": "custom.fillOpacity", "value": 0},
                    {"id": "custom.lineStyle", "value": {"dash": [6, 6], "fill": "dash"}},
                ],
            }
            for name in dashed
        ],
        interval=interval,
    )  # fmt: skip


def days(
    title: str, description: str, *queries: Query, unit: str, width: int = 12, span: str = "30d"
) -> Panel:
    """One bar per day over the last ``span``; "" takes the board's time range."""
    return Panel(
        title, description, queries, "timeseries", width, 8, unit,
        options=_LEGEND_AND_TOOLTIP,
        custom={
            "drawStyle": "bars",
            "barAlignment": 1,
            "fillOpacity": 80,
            "lineWidth": 0,
            "showPoints": "never",
            "stacking": {"group": "A", "mode": "normal"},
        },
        defaults={"min": 0},
        interval=DAY,
        time_from=span,
    )  # fmt: skip


def stat(
    title: str,
    description: str,
    expr: str,
    *,
    unit: str = WATT,
    width: int = 4,
    steps: Sequence[tuple[str, float]] = (),
    decimals: int | None = None,
) -> Panel:
    """One number, now; ``steps`` are colours from a value upwards, above green."""
    thresholds: list[dict[str, Any]] = [{"color": "green", "value": None}]
    thresholds += [{"color": color, "value": value} for color, value in steps]
    defaults: dict[str, Any] = {
        "color": {"mode": "thresholds"},
        "thresholds": {"mode": "absolute", "steps": thresholds},
        "noValue": "none",
    }
    if decimals is not None:
        defaults["decimals"] = decimals
    return Panel(
        title, description, [Query(expr)], "stat", width, 4, unit,
        options={
            "colorMode": "value",
            "graphMode": "none",
            "justifyMode": "auto",
            "orientation": "auto",
            "percentChangeColorMode": "standard",
            "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
            "showPercentChange": False,
            "textMode": "value",
            "wideLayout": True,
        },
        defaults=defaults,
        instant=True,
    )  # fmt: skip


def table(
    title: str,
    description: str,
    columns: Sequence[Column],
    *queries: Query,
    width: int = 12,
    height: int = 9,
    sort: str = "",
) -> Panel:
    """Rows by label; each query's value is the column named by its legend."""
    columns_of = {query.legend: f"Value #{chr(65 + n)}" for n, query in enumerate(queries)}
    if len(queries) == 1:
        columns_of = {queries[0].legend: "Value"}
    fields = [columns_of.get(column.name, column.name) for column in columns]
    return Panel(
        title, description, queries, "table", width, height, "",
        options={
            "cellHeight": "sm",
            "frameIndex": 0,
            "showHeader": True,
            "sortBy": [{"desc": True, "displayName": sort}] if sort else [],
        },
        custom={"align": "auto", "filterable": False, "inspect": False},
        overrides=[_column(column) for column in columns if column.unit or column.link],
        transformations=[
            {"id": "merge", "options": {}},
            {"id": "filterFieldsByName", "options": {"include": {"names": fields}}},
            {
                "id": "organize",
                "options": {
                    "indexByName": {name: place for place, name in enumerate(fields)},
                    "renameByName": {
                        name: column.title
                        for name, column in zip(fields, columns, strict=True)
                    },
                },
            },
        ],
        instant=True,
    )  # fmt: skip


def _column(column: Column) -> dict[str, Any]:
    properties: list[dict[str, Any]] = []
    if column.unit:
        properties.append({"id": "unit", "value": column.unit})
    if column.link:
        board, _, var = column.link.partition("?")
        url = BOARD_URL.format(board=board, var=var)
        properties.append(
            {"id": "links", "value": [{"title": f"Board {board.title()}", "url": url}]}
        )
    return {"matcher": {"id": "byName", "options": column.title}, "properties": properties}


_LEGEND_AND_TOOLTIP: Final = {
    "legend": {
        "calcs": ["mean", "max"],
        "displayMode": "table",
        "placement": "right",
        "showLegend": True,
    },
    "tooltip": {"mode": "multi", "sort": "desc"},
}
