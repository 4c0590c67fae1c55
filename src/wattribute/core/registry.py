"""A table of everything of one kind (carbon sources, report formats, commands), by name.

A table has the names and one line about each. An entry is imported when it is loaded. So it costs
no import to list the names, and entries that are not used cost none either.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import TypeVar

from wattribute.core.errors import ConfigInvalid

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Registry:
    """The table of everything of one kind."""

    kind: str
    """The word for an entry in messages: ``carbon source``."""
    package: str
    """The package with the entries' modules: ``wattribute.accounting.carbon``."""
    entries: Mapping[str, tuple[str, str]]
    """By name: the place of the entry (``module:attribute``, the module in ``package``), and one
    line that says what it is. Lists for people have the same order."""

    @property
    def names(self) -> tuple[str, ...]:
        """The names, in the order of the table."""
        return tuple(self.entries)

    def load(self, name: str, expected: type[T]) -> T:
        """Import an entry.

        Args:
            name: One of ``names``.
            expected: The class of which every entry of this table is an instance.

        Raises:
            ConfigInvalid: The table has no such name.
            TypeError: The entry is not an instance of ``expected``, which is our bug.
        """
        if name not in self.entries:
            raise ConfigInvalid(f"{name}: no such {self.kind}; there are {', '.join(self.names)}")
        module, _, attribute = self.entries[name][0].partition(":")
        entry = getattr(import_module(f"{self.package}.{module}"), attribute)
        if not isinstance(entry, expected):
            raise TypeError(f"{self.package}.{module}:{attribute} is no {expected.__name__}")
        return entry
