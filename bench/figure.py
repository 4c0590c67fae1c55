"""One measured number, its target, and whether it met it."""

import json
import platform
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table


@dataclass(frozen=True, slots=True)
class Figure:
    """One row of the table."""

    section: str
    name: str
    value: float | None
    """None: not measured, and ``note`` says why."""
    unit: str = ""
    target: str = ""
    """In words; "" where the number is only shown."""
    met: bool | None = None
    """None: no target."""
    note: str = ""

    @property
    def result(self) -> str:
        """``pass``, ``miss``, ``unmeasured`` or "" (only shown)."""
        if self.value is None:
            return "unmeasured"
        return "" if self.met is None else "pass" if self.met else "miss"


def within(
    section: str, name: str, value: float, *, low: float, high: float, unit: str, note: str = ""
) -> Figure:
    """A number that must lie between two bounds."""
    target = f"{low:g} to {high:g} {unit}".strip()
    return Figure(section, name, value, unit, target, low <= value <= high, note)


def at_most(
    section: str, name: str, value: float, *, most: float, unit: str, note: str = ""
) -> Figure:
    """A number that must not be larger."""
    return Figure(section, name, value, unit, f"<= {most:g} {unit}".strip(), value <= most, note)


def shown(section: str, name: str, value: float, unit: str, note: str = "") -> Figure:
    """A number without a target."""
    return Figure(section, name, value, unit, note=note)


def unmeasured(section: str, name: str, target: str, why: str) -> Figure:
    """A target that this machine cannot check."""
    return Figure(section, name, None, target=target, note=why)


def print_table(console: Console, figures: Iterable[Figure]) -> None:
    """The one table."""
    table = Table(title="wattribute bench", title_justify="left")
    for column in ("section", "figure", "value", "target", "result", "note"):
        table.add_column(column, justify="right" if column == "value" else "left")
    before = ""
    for figure in figures:
        colour = {"pass": "green", "miss": "red"}.get(figure.result, "yellow")
        value = "" if figure.value is None else f"{_readable(figure.value)} {figure.unit}".strip()
        table.add_row(
            figure.section if figure.section != before else "",
            figure.name,
            value,
            figure.target,
            f"[{colour}]{figure.result}[/]",
            figure.note,
            end_section=False,
        )
        before = figure.section
    console.print(table)


def write_json(file: Path, figures: Iterable[Figure], *, window_s: float) -> None:
    """The same for programs, with what it was measured on."""
    body = {
        "machine": {
            "kernel": platform.release(),
            "architecture": platform.machine(),
            "python": platform.python_version(),
            "cpu": cpu_name(),
        },
        "window_s": window_s,
        "figures": [asdict(figure) | {"result": figure.result} for figure in figures],
    }
    file.write_text(json.dumps(body, indent=1) + "\n")


def _readable(value: float) -> str:
    if value == int(value) and abs(value) < 1e9:
        return f"{value:.0f}"
    return f"{value:.4g}" if abs(value) < 1000 else f"{value:.0f}"


def cpu_name() -> str:
    """Return the name of this machine's processor; "" where the kernel does not say it."""
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return ""
