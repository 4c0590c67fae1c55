"""A row of one version of FOCUS -> a row of another: columns that came, went or were renamed."""

import re
from collections.abc import Mapping, Sequence
from typing import Final

from wattribute.accounting.focus.columns import ALLOCATED, VERSIONS, columns_of
from wattribute.accounting.focus.custom import CUSTOM
from wattribute.accounting.focus.formats import custom_name_problem
from wattribute.accounting.focus.split import Row

_RENAMED: Final = {
    "ServiceProviderName": ("ServiceProviderName", "ProviderName"),
    "HostProviderName": ("HostProviderName", "PublisherName", "ProviderName"),
    "ProviderName": ("ProviderName", "ServiceProviderName"),
    "PublisherName": ("PublisherName", "HostProviderName", "ServiceProviderName"),
}
"""What a column is taken from, where the file does not have it (1.3 renamed the providers)."""
_LOOSE_INSTANT: Final = re.compile(r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(?:\.0+)?(?:Z|\+00:?00)?")
_WORD: Final = re.compile(r"[A-Za-z0-9]+")


class Converter:
    """From the columns of one file to those of a version."""

    def __init__(self, names: Sequence[str], version: str) -> None:
        """``names``: of the file; ``version``: to write, 1.2 to 1.4."""
        self._target = columns_of(version)
        standard_columns = {name for edition in VERSIONS for name in columns_of(edition)}
        self._own = {name: _own_name(name) for name in names if name not in standard_columns}
        self._sources = {
            column: next((name for name in _RENAMED.get(column, (column,)) if name in names), None)
            for column in self._target
        }
        split = [name if name in self._target else f"x_{name}" for name in ALLOCATED]
        columns = [
            name
            for name, column in self._target.items()
            if self._sources[name] or column.mandatory or name in ALLOCATED
        ]
        own = [column.name for column in CUSTOM]
        self.columns = tuple(dict.fromkeys([*columns, *split, *own, *self._own.values()]))
        """Of the file to write, in order."""

    def row(self, row: Mapping[str, str | None]) -> Row:
        """Convert one row of the bill."""
        converted: Row = dict.fromkeys(self.columns)
        for column, source in self._sources.items():
            if source and column in converted:
                text = row[source]
                if text is not None and self._target[column].format == "instant":
                    text = _instant(text)
                converted[column] = text
        for name, own in self._own.items():
            converted[own] = row[name]
        return converted

    def part(self, row: Row) -> Row:
        """A part: where the version has no columns for it (1.2), they are our own."""
        if ALLOCATED[0] in self._target:
            return row
        return {(f"x_{name}" if name in ALLOCATED else name): text for name, text in row.items()}


def _instant(text: str) -> str:
    """A time as the standard wants it, if it is one in UTC; else as it is."""
    match = _LOOSE_INSTANT.fullmatch(text)
    return f"{match[1]}T{match[2]}Z" if match else text


def _own_name(name: str) -> str:
    """A name that the standard allows for a column that it does not know."""
    if not custom_name_problem(name):
        return name
    words = _WORD.findall(name.removeprefix("x_"))
    return ("x_" + "".join(word[0].upper() + word[1:] for word in words))[:50]
