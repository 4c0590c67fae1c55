"""Draw a simulation as an SVG without scripts, fonts or external resources."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from html import escape
from typing import Final

from wattribute.automation.scaler.simulate import HourlyMeans, Simulation
from wattribute.core.units import GRAMS_PER_KILOGRAM, HOUR_S

_WIDTH: Final = 960
_LEFT, _RIGHT = 64, 20
_PANEL, _GAP, _TOP = 150, 44, 74
_BLUE, _GREY, _GREEN, _BROWN = "#1f5fa8", "#9aa3ad", "#2e7d4f", "#8a5a1c"
_Pick = Callable[[HourlyMeans], float | None]


def svg(simulation: Simulation, title: str) -> str:
    """Draw intensity, replicas and waiting work over time as an SVG."""
    hours = simulation.hours
    panels: list[tuple[str, list[tuple[str, str, _Pick]]]] = [
        ("Carbon intensity, gCO2e/kWh", [("", _BROWN, lambda hour: hour.g_per_kwh)]),
        (
            "Replicas",
            [
                ("run at once", _GREY, lambda hour: hour.replicas_now),
                ("with the policy", _BLUE, lambda hour: hour.replicas),
            ],
        ),
        ("Waiting work, units", [("with the policy", _GREEN, lambda hour: hour.waiting)]),
    ]
    height = _TOP + len(panels) * (_PANEL + _GAP)
    parts = [
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" '
            f'width="{_WIDTH}" height="{height}" font-family="sans-serif" font-size="12">'
        ),
        f'<rect width="{_WIDTH}" height="{height}" fill="#ffffff"/>',
        f'<text x="{_LEFT}" y="26" font-size="17" font-weight="bold">{escape(title)}</text>',
        f'<text x="{_LEFT}" y="46" fill="#444">{escape(summary(simulation))}</text>',
    ]
    for number, (name, lines) in enumerate(panels):
        parts += _panel(hours, name, lines, _TOP + number * (_PANEL + _GAP))
    return "\n".join([*parts, "</svg>", ""])


def html(simulation: Simulation, title: str) -> str:
    """Return an HTML page with the picture."""
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f"<title>{escape(title)}</title></head>\n<body>\n{svg(simulation, title)}</body></html>\n"
    )


def summary(simulation: Simulation) -> str:
    """Summarise the result in one line."""
    policy, now = simulation.policy, simulation.run_now
    return (
        f"{policy.grams / GRAMS_PER_KILOGRAM:.2f} kgCO2e instead of "
        f"{now.grams / GRAMS_PER_KILOGRAM:.2f}; "
        f"{avoided(simulation)}; mean delay {policy.delay_mean_s / HOUR_S:.1f} h instead of "
        f"{now.delay_mean_s / HOUR_S:.1f} h, longest {policy.delay_max_s / HOUR_S:.1f} h; "
        f"{policy.units_left:.0f} units left"
    )


def avoided(simulation: Simulation) -> str:
    """Describe the avoided or added grams in words, with their share."""
    grams = simulation.avoided_g
    base = grams + simulation.policy.grams
    part = f" ({100 * abs(grams) / base:.1f} %)" if base > 0 else ""
    return f"{abs(grams) / GRAMS_PER_KILOGRAM:.2f} kg {'avoided' if grams >= 0 else 'added'}{part}"


def _panel(
    hours: Sequence[HourlyMeans], name: str, lines: Sequence[tuple[str, str, _Pick]], top: int
) -> list[str]:
    values = [value for _, _, pick in lines for hour in hours if (value := pick(hour)) is not None]
    most = _round_up(max(values, default=0.0))
    inner = _WIDTH - _LEFT - _RIGHT
    parts = [f'<text x="{_LEFT}" y="{top + 12}" font-weight="bold">{escape(name)}</text>']
    floor_y, ceiling_y = top + _PANEL, top + 22

    def at(number: int, value: float) -> tuple[float, float]:
        x = _LEFT + inner * number / max(1, len(hours))
        return x, floor_y - (floor_y - ceiling_y) * value / most

    for tick in (0.0, 0.5, 1.0):
        y = at(0, most * tick)[1]
        parts.append(
            f'<line x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}" stroke="#dde"/>'
            f'<text x="{_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end" fill="#555">'
            f"{most * tick:g}</text>"
        )
    for number in _ticks(hours):
        x = at(number, 0)[0]
        parts.append(
            f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{floor_y}" y2="{floor_y + 4}" stroke="#555"/>'
            f'<text x="{x:.1f}" y="{floor_y + 17}" text-anchor="middle" fill="#555">'
            f"{_when(hours, number)}</text>"
        )
    legend_x = _WIDTH - _RIGHT
    for label, colour, _ in reversed(lines):
        if label and len(lines) > 1:
            parts.append(
                f'<text x="{legend_x}" y="{top + 12}" text-anchor="end" fill="{colour}">'
                f"&#9632; {escape(label)}</text>"
            )
            legend_x -= 8 * len(label) + 30
    parts += [_steps(hours, pick, colour, at) for _, colour, pick in lines]
    return parts


def _steps(
    hours: Sequence[HourlyMeans],
    pick: _Pick,
    colour: str,
    at: Callable[[int, float], tuple[float, float]],
) -> str:
    """Draw a step line, with a gap where a value is not known."""
    path, pen_up = [], True
    for number, hour in enumerate(hours):
        value = pick(hour)
        if value is None:
            pen_up = True
            continue
        x, y = at(number, value)
        path.append(f"{'M' if pen_up else 'L'}{x:.1f} {y:.1f}H{at(number + 1, 0)[0]:.1f}")
        pen_up = False
    return f'<path d="{"".join(path)}" fill="none" stroke="{colour}" stroke-width="1.6"/>'


def _ticks(hours: Sequence[HourlyMeans]) -> range:
    days = len(hours) / 24
    every = 6 if days <= 3 else 24 * max(1, round(days / 10))
    first = next(
        (number for number, hour in enumerate(hours[:24]) if (hour.start_s // HOUR_S) % 24 == 0), 0
    )
    return range(first % every, len(hours), every)


def _when(hours: Sequence[HourlyMeans], number: int) -> str:
    start = datetime.fromtimestamp(hours[number].start_s, UTC)
    return f"{start:%d %b}" if start.hour == 0 or len(hours) > 72 else f"{start:%H:%M}"


def _round_up(value: float) -> float:
    """Return the next larger number that is suitable as the end of an axis."""
    if value <= 0:
        return 1.0
    step = 1.0
    while step < value:
        step *= 10
    return next(step * part for part in (0.1, 0.2, 0.4, 0.5, 0.8, 1.0) if step * part >= value)
