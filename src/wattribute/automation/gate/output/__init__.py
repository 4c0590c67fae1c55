"""A report in the formats that CI systems read: one writer for each, one table of all."""

from types import FunctionType
from typing import TYPE_CHECKING, Final

from wattribute.core.registry import Registry

if TYPE_CHECKING:
    from wattribute.automation.gate.check import GateReport

FORMATS: Final = Registry(
    "report format",
    "wattribute.automation.gate.output",
    {
        "json": ("document:render", "Everything that is known."),
        "markdown": ("markdown:render", "A job summary, or a comment on a pull request."),
        "junit": ("junit:render", "Test cases in JUnit XML."),
        "sarif": ("sarif:render", "SARIF 2.1.0, for code scanning."),
        "github": ("annotations:github", "GitHub's workflow commands: notes beside the code."),
        "gitlab": ("annotations:gitlab", "GitLab's code quality report."),
        "benchmark": ("benchmark:render", "Points for github-action-benchmark's charts."),
        "openmetrics": ("openmetrics:render", "OpenMetrics text."),
    },
)
"""The formats by name. Each names a function that makes a text of a ``GateReport``."""


def render(name: str, report: "GateReport") -> str:
    """Write a report in one of ``FORMATS``. The text ends with a line feed, or is empty.

    Raises:
        ConfigInvalid: there is no format of this name.
    """
    text: str = FORMATS.load(name, FunctionType)(report)
    return text
