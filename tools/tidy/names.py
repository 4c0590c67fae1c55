"""Names that do not say what they name."""

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import PurePath

from tools.tidy.tree import Offence, Tree

# Participles and pronouns: each needs its noun. `found` is `missing_zones`, `one` is `container`.
_BARE = re.compile(
    r"""
    asked|begun|bought|brought|caught|chosen|done|drawn|fallen|felt|forgotten|found|given|gone|got|
    held|kept|known|laid|left|lent|lost|made|meant|met|named|paid|said|seen|sent|shown|spent|taken|
    thought|told|understood|used|wanted|worn|written|
    both|each|it|of|one|ones|other|others|that|them|these|they|this|those|what|which|who|whose
    """,
    re.VERBOSE,
)
_OPERATOR = re.compile(r"__\w+__")  # `other` is what Python itself calls that parameter
_VAGUE = {"common", "helper", "helpers", "manager", "misc", "util", "utils"}


def bare_names(tree: Tree) -> Iterator[Offence]:
    """Find functions, parameters and variables whose whole name is a participle or a pronoun."""
    for path, nodes in tree.python("src/", "testing/src/"):
        for node in nodes:
            for name, line in _named_by(node):
                if _BARE.fullmatch(name.strip("_")):
                    yield Offence(path, line, f"`{name}`")


def _named_by(node: ast.AST) -> Iterator[tuple[str, int]]:
    """Give the names that this syntax node itself brings into a scope, with their lines."""
    match node:
        case ast.Name(id=name, ctx=ast.Store()):
            yield name, node.lineno
        case ast.FunctionDef() | ast.AsyncFunctionDef():
            yield node.name, node.lineno
            if not _OPERATOR.fullmatch(node.name):
                arguments = node.args
                every = (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)
                yield from ((argument.arg, argument.lineno) for argument in every)


def vague_modules(tree: Tree) -> Iterator[Offence]:
    """Find modules and packages whose name would fit any content."""
    for path, _ in tree.python():
        for part in PurePath(path).with_suffix("").parts:
            if part in _VAGUE:
                yield Offence(path, 1, f"`{part}` would fit any content")


def repeated_classes(tree: Tree) -> Iterator[Offence]:
    """Find public classes of the product that share their name with another one."""
    places: dict[str, list[tuple[str, int]]] = defaultdict(list)
    for path, nodes in tree.python("src/"):
        if path.endswith("_pb2_grpc.py"):
            continue  # generated, under the names of the protocol
        for node in nodes:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                places[node.name].append((path, node.lineno))
    for name, definitions in sorted(places.items()):
        for path, line in definitions if len(definitions) > 1 else ():
            elsewhere = ", ".join(f"{at}:{row}" for at, row in definitions if at != path)
            yield Offence(path, line, f"class {name} is also in {elsewhere or 'this file'}")
