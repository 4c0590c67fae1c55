"""The Helm chart's generated parts, and its packaging.

``python -m tools.chart docs`` writes the values page and the schema of `config`, with
``--check`` it exits 1 if one is stale. ``python -m tools.chart package FOLDER`` writes the
chart's archive, and an index of all archives there.
"""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CHART = ROOT / "charts" / "wattribute"
