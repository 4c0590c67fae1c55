"""What was found wrong: one finding per rule and column, with a count and the first rows."""

from dataclasses import dataclass, field
from typing import Final

_SHOWN: Final = 5


@dataclass(slots=True)
class Finding:
    """One rule that rows break."""

    rule: str
    """``missing-column``, ``null``, ``format``, ``words``, ``ratio-sum``, ..."""
    column: str
    message: str
    error: bool = True
    """False: a warning, which does not make a file invalid."""
    count: int = 0
    """How many rows, or groups of rows."""
    rows: list[int] = field(default_factory=list)
    """The first of them, counted from 1 after the header."""


@dataclass(slots=True)
class ValidationReport:
    """Everything found in one file."""

    version: str
    rows: int = 0
    split_groups: int = 0
    """Charges that the file holds in parts."""
    findings: list[Finding] = field(default_factory=list)

    @property
    def valid(self) -> bool:
        """No errors; there may be warnings."""
        return not any(finding.error for finding in self.findings)

    def add(
        self, rule: str, column: str, message: str, row: int | None = None, *, error: bool = True
    ) -> None:
        """Count one more; the message of the first stays."""
        for finding in self.findings:
            if (finding.rule, finding.column) == (rule, column):
                break
        else:
            finding = Finding(rule, column, message, error=error)
            self.findings.append(finding)
        finding.count += 1
        if row is not None and len(finding.rows) < _SHOWN:
            finding.rows.append(row)

    def count(self, rule: str, column: str, rows: int) -> None:
        """Count rows more of a finding that ``add`` has made."""
        for finding in self.findings:
            if (finding.rule, finding.column) == (rule, column):
                finding.count += rows
