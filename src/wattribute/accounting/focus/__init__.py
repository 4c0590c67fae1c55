"""FOCUS, the FinOps Foundation's format of bills: its columns, and whether a file keeps its rules.

The columns, their formats and the rules are those of the specification 1.0 to 1.4, dataset "Cost
and Usage" (https://focus.finops.org, CC BY 4.0), in our own words.
"""

from wattribute.accounting.focus.columns import VERSIONS, FocusColumn, columns_of
from wattribute.accounting.focus.findings import Finding, ValidationReport
from wattribute.accounting.focus.validate import validate

__all__ = ["VERSIONS", "Finding", "FocusColumn", "ValidationReport", "columns_of", "validate"]
