"""Offences that the tree still has: how many against each rule in each file.

The list may only shrink. A file with more offences than listed fails. A file with fewer fails too,
until the list has the lower number: else the next change could use up what this one saved.
"""

import tomllib
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final, TypeAlias

from tools.tidy.tree import Offence

PATH: Final = Path(__file__).with_name("known.toml")
_HEADER: Final = """\
# Offences against rules that are younger than the code: rule, file, number.
# This list may only shrink. `make tidy-shrink` writes it again after you mended some.
"""

Counts: TypeAlias = Mapping[str, Mapping[str, int]]  # rule -> path -> number of offences


def read(path: Path = PATH) -> Counts:
    """Read the list."""
    return tomllib.loads(path.read_text(encoding="utf-8"))


def count(offences: Mapping[str, Iterable[Offence]]) -> Counts:
    """Count the offences of each rule by file."""
    return {rule: Counter(offence.path for offence in group) for rule, group in offences.items()}


def outgrown(known: Counts, counts: Counts) -> dict[str, list[str]]:
    """Give the files that have more offences than listed, by rule."""
    return {
        rule: [path for path, number in files.items() if number > known.get(rule, {}).get(path, 0)]
        for rule, files in counts.items()
    }


def outdated(known: Counts, counts: Counts) -> list[str]:
    """Describe the entries that are higher than the truth."""
    return [
        f"{rule} in {path}: {number} listed in known.toml, {counts.get(rule, {}).get(path, 0)} now"
        for rule, files in known.items()
        for path, number in files.items()
        if counts.get(rule, {}).get(path, 0) < number
    ]


def shrink(known: Counts, counts: Counts) -> tuple[Counts, list[str]]:
    """Take the numbers of today for each rule whose sum has not grown.

    Files may have moved meanwhile, so the sum decides and not the file.

    Returns:
        The new list, and the rules that keep their old entries because their sum has grown.
    """
    grown = [rule for rule in counts if _sum(counts, rule) > _sum(known, rule)]
    return {rule: (known if rule in grown else counts).get(rule, {}) for rule in counts}, grown


def _sum(counts: Counts, rule: str) -> int:
    return sum(counts.get(rule, {}).values())


def render(counts: Counts) -> str:
    """Write a list as TOML, sorted; rules without offences have no section."""
    sections = (
        "\n".join((f"\n[{rule}]", *(f'"{path}" = {files[path]}' for path in sorted(files)), ""))
        for rule, files in sorted(counts.items())
        if files
    )
    return _HEADER + "".join(sections)
