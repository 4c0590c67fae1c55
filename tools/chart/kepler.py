"""What the chart accepts of Kepler's values without effect: the tables in templates/_kepler.tpl."""

import re
from collections.abc import Mapping

import yaml
from tools.chart import CHART


def ignored(of: str) -> Mapping[str, str]:
    """Path and reason of each; ``of`` is ``values`` or ``config``."""
    text = (CHART / "templates" / "_kepler.tpl").read_text(encoding="utf-8")
    start = re.escape(f'{{{{- define "wattribute.kepler.{of}" -}}}}')
    found = re.search(rf"{start}\n(.*?)\{{\{{- end -\}}\}}", text, re.DOTALL)
    if found is None:
        raise SystemExit(f"_kepler.tpl: no table wattribute.kepler.{of}")
    table: Mapping[str, str] = yaml.safe_load(found[1])
    return table
