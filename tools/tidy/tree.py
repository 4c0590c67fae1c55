"""The files that the rules read, and what a rule says about one line of them."""

import ast
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Self

PROGRAMS = ("src/", "testing/src/", "tools/", "bench/")  # Python that is not a test
_NODES = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef, ast.Name)


@dataclass(frozen=True, order=True)
class Offence:
    """One place that breaks a rule: a path from the root, a line, and what is wrong there."""

    path: str
    line: int
    problem: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.problem}"


class Tree:
    """The text files of one checkout, read once and kept."""

    def __init__(self, root: Path, paths: Iterable[str]) -> None:
        """Take the paths, which are relative to the root; files that are not text are left out."""
        self.root = root
        self.texts: dict[str, str] = {}
        for path in sorted(paths):
            try:
                self.texts[path] = (root / path).read_bytes().decode()
            except (UnicodeDecodeError, OSError):  # an image; a file that was deleted
                continue
        self.nodes = cache(self._nodes)

    @classmethod
    def of_checkout(cls, root: Path) -> Self:
        """Take all files that git tracks, or would track after ``git add``."""
        # CI may run as another user than the one that owns the checkout.
        git = ("git", "-c", f"safe.directory={root}", "-C", str(root))
        listing = subprocess.run(
            (*git, "ls-files", "-z", "--cached", "--others", "--exclude-standard"),
            check=True,
            capture_output=True,
            text=True,
        )
        return cls(root, listing.stdout.split("\0")[:-1])

    def matching(self, suffix: str, under: str | tuple[str, ...] = "") -> Iterator[tuple[str, str]]:
        """Give path and text of each file with this suffix in these folders."""
        for path, text in self.texts.items():
            if path.endswith(suffix) and path.startswith(under):
                yield path, text

    def python(self, *under: str) -> Iterator[tuple[str, Sequence[ast.AST]]]:
        """Give path and syntax nodes of each Python file in these folders.

        The nodes are the module, its definitions at any depth, and all names that are used.
        Generated files are left out.
        """
        for path, _ in self.matching(".py", under or ""):
            if "_pb2" not in path:
                yield path, self.nodes(path)

    def _nodes(self, path: str) -> Sequence[ast.AST]:
        return [
            node for node in _walk(ast.parse(self.texts[path], path)) if isinstance(node, _NODES)
        ]


def _walk(module: ast.AST) -> Iterator[ast.AST]:
    """Give a node and all below it, as ``ast.walk`` does, in half of its time."""
    stack = [module]
    while stack:
        node = stack.pop()
        yield node
        for value in vars(node).values():
            if isinstance(value, list):
                stack += [item for item in value if isinstance(item, ast.AST)]
            elif isinstance(value, ast.AST):
                stack.append(value)
