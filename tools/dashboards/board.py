"""A board: its variables, its rows of panels, and the JSON of it all."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from tools.dashboards.panel import DATASOURCE, Panel

SCHEMA_VERSION: Final = 39
WIDTH: Final = 24
Variable = dict[str, Any]


@dataclass(frozen=True)
class Row:
    """A titled row; its panels flow from left to right and wrap at the board's width."""

    title: str
    panels: Sequence[Panel]


@dataclass(frozen=True)
class Board:
    """One dashboard; ``name`` is its file's name and the end of its uid."""

    name: str
    title: str
    description: str
    variables: Sequence[Variable]
    rows: Sequence[Row]
    time_from: str = "now-6h"
    refresh: str = "1m"

    def json(self) -> dict[str, Any]:
        """What Grafana imports."""
        return {
            "uid": f"wattribute-{self.name}",
            "title": self.title,
            "description": self.description,
            "tags": ["wattribute"],
            "schemaVersion": SCHEMA_VERSION,
            "editable": True,
            "graphTooltip": 1,
            "timezone": "browser",
            "refresh": self.refresh,
            "time": {"from": self.time_from, "to": "now"},
            "templating": {"list": [DATASOURCE_VARIABLE, *self.variables]},
            "links": [_BOARDS],
            "panels": self._panels(),
        }

    def _panels(self) -> list[dict[str, Any]]:
        made: list[dict[str, Any]] = []
        y = 0
        for row in self.rows:
            made.append(_row(row.title, len(made) + 1, y))
            y += 1
            x = height = 0
            for panel in row.panels:
                if x + panel.width > WIDTH:
                    x, y, height = 0, y + height, 0
                made.append(panel.json(len(made) + 1, x, y))
                x += panel.width
                height = max(height, panel.height)
            y += height
        return made


def _row(title: str, number: int, y: int) -> dict[str, Any]:
    return {
        "id": number,
        "type": "row",
        "title": title,
        "collapsed": False,
        "gridPos": {"x": 0, "y": y, "w": WIDTH, "h": 1},
        "panels": [],
    }


def choice(name: str, label: str, query: str, *, several: bool = True, regex: str = "") -> Variable:
    """A variable whose values are a label's values: ``label_values(metric{...}, label)``."""
    made: Variable = {
        "type": "query",
        "name": name,
        "label": label,
        "datasource": DATASOURCE,
        "query": {"query": query, "refId": f"variable-{name}"},
        "refresh": 2,
        "sort": 1,
        "regex": regex,
        "multi": several,
        "includeAll": several,
    }
    if several:
        made["allValue"] = ".*"
        made["current"] = {"text": ["All"], "value": ["$__all"]}
    return made


def number(name: str, label: str, value: str, description: str) -> Variable:
    """A variable that the reader types."""
    return {
        "type": "textbox",
        "name": name,
        "label": label,
        "description": description,
        "query": value,
        "current": {"text": value, "value": value},
    }


DATASOURCE_VARIABLE: Final[Variable] = {
    "type": "datasource",
    "name": "datasource",
    "label": "Data source",
    "query": "prometheus",
    "refresh": 1,
}
_BOARDS: Final = {
    "type": "dashboards",
    "title": "Wattribute",
    "tags": ["wattribute"],
    "asDropdown": True,
    "includeVars": True,
    "keepTime": True,
    "targetBlank": False,
    "icon": "external link",
    "tooltip": "The other boards, with the same time and variables",
    "url": "",
}
