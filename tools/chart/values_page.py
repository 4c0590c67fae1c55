"""docs/reference/values.md, from the comments of values.yaml.

A comment that begins with ``# --`` right above a key explains it; a comment of one line with an
empty line on each side is a heading. A mapping that is explained, and none of whose keys is, is
one row.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass

import yaml
from tools.chart import CHART, ROOT
from tools.chart.kepler import ignored

PATH = ROOT / "docs" / "reference" / "values.md"
_INTRODUCTION = """\
# Values of the chart

<!-- Generated from charts/wattribute by `make docs`; do not edit. -->

`helm install ... --set NAME=VALUE`, or `--values FILE`. A name that is not in this table is an
error, and so is a setting below `config` that the agent does not know.
"""
_KEPLER = """
## From Kepler's charts

A values file of Kepler's chart, old or new, is accepted, once `image` is taken out. What means the
same works: `nameOverride`, `fullnameOverride`, `labels`, `annotations`, `podLabels`,
`podAnnotations`, `podSecurityContext`, `nodeSelector`, `tolerations`, `affinity`, `resources`,
`service`, `rbac`, `serviceAccount`, `serviceMonitor`, `networkPolicy`, `config.log`,
`config.monitor.interval`, and `daemonset.{hostPID,tolerations,nodeSelector,affinity,resources}`.
These have no effect, and `helm install` says so:

| value | because |
|---|---|
"""
_WIDTH = 60


@dataclass(frozen=True, slots=True)
class _Row:
    name: str
    default: str
    text: str


def render() -> str:
    """Return the page of values as Markdown."""
    source = (CHART / "values.yaml").read_text(encoding="utf-8")
    lines = source.splitlines()
    parts = [_INTRODUCTION]
    headings = {
        number: line.removeprefix("# ")
        for number, line in enumerate(lines)
        if line.startswith("# ") and _empty(lines, number - 1) and _empty(lines, number + 1)
    }
    document = yaml.compose(source)
    assert document is not None  # noqa: S101 - it is not empty
    after = -1
    for key, value in document.value:
        for number, heading in headings.items():
            if after < number < key.start_mark.line:
                parts.append(f"\n## {heading}\n\n| value | default | |\n|---|---|---|\n")
        after = key.start_mark.line
        parts.extend(_line(row) for row in _rows(key, value, "", lines))
    parts.append(_KEPLER)
    for of, above in (("values", ""), ("config", "config.")):
        parts.extend(f"| `{above}{path}` | {why} |\n" for path, why in ignored(of).items())
    return "".join(parts)


def _empty(lines: list[str], number: int) -> bool:
    return number < 0 or number >= len(lines) or not lines[number].strip()


def _rows(key: yaml.ScalarNode, value: yaml.Node, above: str, lines: list[str]) -> Iterator[_Row]:
    name = f"{above}{key.value}"
    text = _comment(lines, key.start_mark.line)
    if isinstance(value, yaml.MappingNode) and value.value and not value.flow_style:
        below = [
            row for child, inner in value.value for row in _rows(child, inner, f"{name}.", lines)
        ]
        if not text or any(row.text for row in below):
            yield from below
            return
    yield _Row(name, _shown(value), text)


def _comment(lines: list[str], number: int) -> str:
    found: list[str] = []
    while number and lines[number - 1].strip().startswith("#"):
        number -= 1
        line = lines[number].strip().removeprefix("#").strip()
        found.insert(0, line.removeprefix("--").strip())
        if line.startswith("--"):
            return " ".join(found)
    return ""


def _shown(value: yaml.Node) -> str:
    text = json.dumps(yaml.safe_load(yaml.serialize(value)))
    return f"`{text}`" if len(text) <= _WIDTH else "in values.yaml"


def _line(row: _Row) -> str:
    return f"| `{row.name}` | {row.default} | {row.text.replace('|', chr(92) + '|')} |\n"
