"""The facts of a report format."""

from collections.abc import Callable
from dataclasses import dataclass

from wattribute.accounting.chargeback.statement import Statement


@dataclass(frozen=True, slots=True)
class ReportFormat:
    """The facts of a format of a statement's file, and how it is written."""

    ending: str
    """Of the file's name: ``.json``."""
    write: Callable[[Statement], bytes]
    """Return the content of the file."""
