"""A table of what there is of one kind (carbon sources, report formats, commands), by name.

A table knows names and one line about each; what a name stands for is imported when it is loaded.
So listing the words of a setting or of a flag costs no import, and neither do entries that are
not used.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import TypeVar

from wattribute.core.errors import ConfigInvalid

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Registry:
    """Everything of one kind."""

    kind: str
    """What one entry is, for messages: ``carbon source``."""
    package: str
    """Where the entries' modules are: ``wattribute.accounting.carbon``."""
    entries: Mapping[str, tuple[str, str]]
    """By name: where the entry is (``module:attribute``, the module in ``package``), and one line
    that says what it is. The order is that of lists for people."""

    @property
    def names(self) -> tuple[str, ...]:
        """The names, in the order of the table."""
        return tuple(self.entries)

    def load(self, name: str, expected: type[T]) -> T:
        """Import what a name stands for.

        Args:
            name: One of ``names``.
            expected: The class of which every entry of this table is an instance.

        Raises:
            ConfigInvalid: the table has no such name.
            TypeError: the entry is something else than expected, which is our bug.
        """
        if name not in self.entries:
            raise ConfigInvalid(f"{name}: no such {self.kind}; there are {', '.join(self.names)}")
        module, _, attribute = self.entries[name][0].partition(":")
        entry = getattr(import_module(f"{self.package}.{module}"), attribute)
        if not isinstance(entry, expected):
            raise TypeError(f"{self.package}.{module}:{attribute} is no {expected.__name__}")
        return entry
