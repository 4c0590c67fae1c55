"""Habits of tests that make them slow, flaky, or tied to the inside of what they test."""

import ast
import re
from collections.abc import Iterator

from tools.tidy.tree import Offence, Tree

_OWN = {"self", "cls"}
_PRIVATE = re.compile(r"_[^_].*")


def test_sleeps(tree: Tree) -> Iterator[Offence]:
    """Find tests that sleep; a child program, which is a string, may."""
    for path, nodes in _tests_with(tree, r"\bsleep\("):
        for node in nodes:
            match node:
                case ast.Call(args=[ast.Constant(value=0)]):
                    continue  # asyncio.sleep(0) lets others run, and waits for nothing
                case ast.Call(func=ast.Name(id="sleep") | ast.Attribute(attr="sleep")):
                    yield Offence(path, node.lineno, ast.unparse(node))


def private_reads(tree: Tree) -> Iterator[Offence]:
    """Find uses of private members of other objects and modules, imports included."""
    for path, nodes in _tests_with(tree, r"\._[^\W_]|\bimport .*\b_[^\W_]"):
        for node in nodes:
            match node:
                case ast.Attribute(value=ast.Name(id="os"), attr="_exit"):
                    continue  # public, whatever its name looks like
                case ast.Attribute(value=value, attr=name) if _PRIVATE.fullmatch(name):
                    if not (isinstance(value, ast.Name) and value.id in _OWN):
                        yield Offence(path, node.lineno, ast.unparse(node))
                case ast.ImportFrom(names=names):
                    for name in names:
                        if _PRIVATE.fullmatch(name.name):
                            yield Offence(path, node.lineno, f"import {name.name}")


def _tests_with(tree: Tree, pattern: str) -> Iterator[tuple[str, Iterator[ast.AST]]]:
    """Give the syntax nodes of each test whose text has the pattern; few have."""
    for path, text in tree.matching(".py", "tests/"):
        if re.search(pattern, text):
            yield path, ast.walk(ast.parse(text, path))
