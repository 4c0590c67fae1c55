"""A bar chart of errors as SVG: CPU time against learned weights, world by world."""

from collections.abc import Mapping
from typing import Final
from xml.sax.saxutils import escape

from bench.accuracy.results import Summary
from bench.accuracy.targets import LEARNED, TIME

_LEFT, _WIDTH, _RIGHT = 210, 560, 50
_ROW, _BAR, _TOP = 24, 8, 44
_GRID: Final = 10
"""Percent between two lines of the grid."""
_FONT: Final = 'font-family="sans-serif" font-size="12"'
_COLOURS: Final = {TIME: "#b9bec6", LEARNED: "#1f6f8b"}
_NAMES: Final = {TIME: "CPU time", LEARNED: "learned weights"}


def render_chart(summaries: Mapping[str, Mapping[str, Summary]]) -> str:
    """Return the chart; as tall as there are worlds."""
    errors = {
        world: {method: by_method[method].score.error for method in _COLOURS}
        for world, by_method in summaries.items()
    }
    most = max((max(own.values()) for own in errors.values()), default=0.0)
    most = _GRID * max(1, -int(-most // _GRID))
    height = _TOP + _ROW * len(errors) + 24
    width = _LEFT + _WIDTH + _RIGHT
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" {_FONT}>',
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
        *_legend(),
        *_grid(most, height),
    ]
    for number, (world, own) in enumerate(errors.items()):
        lines += _bars(_TOP + _ROW * number, world, own, most)
    return "\n".join([*lines, "</svg>"]) + "\n"


def _legend() -> list[str]:
    lines = [f'<text x="{_LEFT}" y="18" font-weight="bold">Sum of errors, % of the energy</text>']
    for number, (method, colour) in enumerate(_COLOURS.items()):
        x = _LEFT + 250 + 110 * number
        lines.append(f'<rect x="{x}" y="9" width="10" height="10" fill="{colour}"/>')
        lines.append(f'<text x="{x + 15}" y="18">{_NAMES[method]}</text>')
    return lines


def _grid(most: int, height: int) -> list[str]:
    lines = []
    for percent in range(0, most + 1, _GRID):
        x = _x(percent, most)
        lines.append(
            f'<line x1="{x}" x2="{x}" y1="{_TOP - 8}" y2="{height - 20}" stroke="#dddddd"/>'
            f'<text x="{x}" y="{height - 6}" text-anchor="middle" fill="#555555">{percent}</text>'
        )
    return lines


def _bars(y: int, world: str, own: Mapping[str, float], most: int) -> list[str]:
    lines = [f'<text x="{_LEFT - 8}" y="{y + 12}" text-anchor="end">{escape(world)}</text>']
    for number, (method, error) in enumerate(own.items()):
        top = y + (_BAR + 1) * number
        length = _x(error, most) - _LEFT
        lines.append(
            f'<rect x="{_LEFT}" y="{top}" width="{length:.1f}" height="{_BAR}" '
            f'fill="{_COLOURS[method]}"/>'
            f'<text x="{_LEFT + length + 4:.1f}" y="{top + 8}" font-size="9">{error:.1f}</text>'
        )
    return lines


def _x(percent: float, most: int) -> float:
    return round(_LEFT + _WIDTH * percent / most, 1)
