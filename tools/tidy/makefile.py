"""Targets of the Makefile."""

import re
from collections.abc import Iterator

from tools.tidy.tree import Offence, Tree

_TARGET = re.compile(r"^([a-z0-9][a-z0-9 -]*):(?!=)")


def targets(tree: Tree) -> dict[str, int]:
    """Give every target of the Makefile, and its line."""
    lines = tree.texts.get("Makefile", "").splitlines()
    return {
        name: number
        for number, line in enumerate(lines, 1)
        if (match := _TARGET.match(line))
        for name in match[1].split()
    }


def phony_targets(tree: Tree) -> Iterator[Offence]:
    """Compare ``.PHONY`` with the targets: none of ours makes a file of its own name."""
    text = tree.texts.get("Makefile", "").replace("\\\n", " ")
    phony = set(" ".join(re.findall(r"^\.PHONY:(.*)$", text, re.MULTILINE)).split())
    rules = targets(tree)
    for name, line in rules.items():
        if name not in phony:
            yield Offence("Makefile", line, f"{name} is not in .PHONY")
    for name in sorted(phony - rules.keys()):
        yield Offence("Makefile", 1, f".PHONY names {name}, which is no target")
