"""Functions and modules that are too long to read at once."""

import ast
from collections.abc import Iterator
from typing import Final

from tools.tidy.tree import Offence, Tree

FUNCTION_LINES: Final = 70
MODULE_LINES: Final = 400  # 150 is usual


def long_functions(tree: Tree) -> Iterator[Offence]:
    """Find functions over 70 lines, from ``def`` to the last line; tests too."""
    for path, nodes in tree.python():
        for node in nodes:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = (node.end_lineno or node.lineno) - node.lineno + 1
                if lines > FUNCTION_LINES:
                    yield Offence(path, node.lineno, f"{node.name} has {lines} lines")


def long_modules(tree: Tree) -> Iterator[Offence]:
    """Find Python files over 400 lines; tests too."""
    for path, _ in tree.python():
        lines = tree.texts[path].count("\n")
        if lines > MODULE_LINES:
            yield Offence(path, 1, f"{lines} lines")
