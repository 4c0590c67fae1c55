"""Docstrings that say nothing."""

import ast
from collections.abc import Iterator

from tools.tidy.tree import PROGRAMS, Offence, Tree

_DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
_FEWEST_WORDS = 3


def short_docstrings(tree: Tree) -> Iterator[Offence]:
    """Find docstrings of one or two words."""
    for path, nodes in tree.python(*PROGRAMS):
        for node in nodes:
            if isinstance(node, _DOCUMENTED):
                docstring = ast.get_docstring(node)
                if docstring and len(docstring.split()) < _FEWEST_WORDS:
                    name = getattr(node, "name", "the module")
                    yield Offence(path, getattr(node, "lineno", 1), f'{name}: "{docstring}"')
