"""A report in the formats that CI systems read: one file for each, one table of all."""

from collections.abc import Callable, Mapping
from typing import Final

from wattribute.automation.gate.check import Report
from wattribute.automation.gate.output import (
    annotations,
    benchmark,
    junit,
    markdown,
    openmetrics,
    sarif,
)
from wattribute.automation.gate.output.document import render as json

FORMATS: Final[Mapping[str, Callable[[Report], str]]] = {
    "json": json,
    "markdown": markdown.render,
    "junit": junit.render,
    "sarif": sarif.render,
    "github": annotations.github,
    "gitlab": annotations.gitlab,
    "benchmark": benchmark.render,
    "openmetrics": openmetrics.render,
}
"""Name to what renders it; each ends with a line feed, or is empty."""
