"""The tables of backends: every carbon source, bill format and report format, by name.

This module knows names only, so settings and flags take their allowed words from here, and nothing
is imported for it. The facts of a backend stand in the backend's own module.
"""

from typing import Final

from wattribute.core.registry import Registry

CARBON_SOURCES: Final = Registry(
    "carbon source",
    "wattribute.accounting.carbon",
    {
        "electricity-maps": ("electricity_maps:BACKEND", "Electricity Maps, hourly, worldwide."),
        "watttime": ("watttime:BACKEND", "WattTime, the marginal plant every 5 minutes."),
        "uk": ("uk:BACKEND", "Great Britain's Carbon Intensity API, half-hourly, without a key."),
        "entsoe": ("entsoe:BACKEND", "ENTSO-E, the generation mix of European zones."),
        "csv": ("csvfile:BACKEND", "A file of your own."),
        "prometheus": ("prometheus:BACKEND", "A series in Prometheus."),
        "table": ("yearly:BACKEND", "The shipped table of yearly averages."),
    },
)
"""All carbon sources. The settings decide which are asked, and in which order."""

BILL_FORMATS: Final = Registry(
    "bill format",
    "wattribute.accounting.chargeback.bills",
    {
        "cur": ("cur:BACKEND", "AWS Cost and Usage Reports 2.0."),
        "focus": ("focus:BACKEND", "FOCUS 1.0 to 1.4, the format of the FinOps Foundation."),
    },
)
"""All formats of bills in tables. A file is read in the first whose columns it has."""

REPORT_FORMATS: Final = Registry(
    "report format",
    "wattribute.accounting.report",
    {
        ".json": ("json_file:FORMAT", "The whole statement, amounts of money as texts."),
        ".csv": ("csv_file:FORMAT", "The rows."),
        ".parquet": ("parquet_file:FORMAT", "The rows, with units and meanings of the columns."),
        ".html": ("html:FORMAT", "A page for people."),
    },
)
"""All formats of a statement's file, by the ending of its name."""
