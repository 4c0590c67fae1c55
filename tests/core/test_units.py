"""The factors between units are in one module."""

import ast
from collections.abc import Iterator
from pathlib import Path

import wattribute

SOURCES = Path(wattribute.__file__).parent
FACTORS = {1e3, 1e6, 1e9, 3600, 3.6e6, 3.6e9, 3.6e12, 86_400}
ARITHMETIC = (ast.Mult, ast.Div, ast.FloorDiv, ast.Mod)


def _factors_in(path: Path) -> Iterator[int]:
    """Give the lines on which something is multiplied with, or divided by, a factor of units."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.BinOp) or not isinstance(node.op, ARITHMETIC):
            continue
        for operand in (node.left, node.right):
            if isinstance(operand, ast.Constant) and operand.value in FACTORS:
                yield node.lineno


def test_only_units_knows_the_factors() -> None:
    places = [
        f"{path.relative_to(SOURCES)}:{line}"
        for path in sorted(SOURCES.rglob("*.py"))
        for line in _factors_in(path)
    ]

    assert not places, f"use the names of core/units.py: {', '.join(places)}"
