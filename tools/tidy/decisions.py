"""The records of decisions."""

import re
from collections.abc import Iterator
from pathlib import PurePath
from typing import Final

from tools.tidy.tree import Offence, Tree

FOLDER: Final = "docs/decisions/"
_HEADINGS = ("Context", "Decision", "Consequences")


def decision_records(tree: Tree) -> Iterator[Offence]:
    """Find records whose number, title, headings or place in the list are not the template's."""
    index = tree.texts.get(FOLDER + "README.md", "")
    records: dict[str, str] = {}
    for path, text in tree.matching(".md", FOLDER):
        name = PurePath(path).name
        if name == "README.md":
            continue
        number = name[:4]
        if not re.match(r"\d{4}-", name):
            yield Offence(path, 1, "the name begins with a number of four digits and a dash")
        if number in records:
            yield Offence(path, 1, f"{records[number]} has the same number")
        records[number] = path
        if f"]({name})" not in index:
            yield Offence(path, 1, f"not listed in {FOLDER}README.md")
        if not text.startswith(f"# {number} "):
            yield Offence(path, 1, f"the title begins with `# {number} `")
        for heading in _HEADINGS:
            if f"\n## {heading}\n" not in text:
                yield Offence(path, 1, f"no heading `## {heading}`")
