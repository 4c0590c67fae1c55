"""The part of values.schema.json that describes `config`, from the agent's own settings.

A mistyped setting then stops `helm install`, and not the pods.
"""

import json
from collections.abc import Mapping
from typing import Any

from msgspec import inspect
from tools.chart import CHART
from tools.chart.kepler import ignored

from wattribute.core.settings.keys import Key, keys
from wattribute.core.settings.reference import descriptions
from wattribute.settings import Settings

PATH = CHART / "values.schema.json"
_SERVED = frozenset({"ledger", "ownership", "bills", "carbon", "web", "log"})
"""Sections that `serve.config` may have; `web` is ours there, and Kepler's in `config`."""
_DURATION = r"^([0-9]+(\.[0-9]+)?(ms|s|m|h|d)?)+$"


def render() -> str:
    """The schema file with its generated part made anew."""
    document = json.loads(PATH.read_text(encoding="utf-8"))
    document["definitions"]["config"] = config()
    document["definitions"]["serveConfig"] = {
        **_mapping("The settings of `wattribute serve` and `ledger collect`."),
        "properties": {name: section for name, section in _sections().items() if name in _SERVED},
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _sections() -> dict[str, Any]:
    sections: dict[str, Any] = {}
    described = descriptions(Settings)
    for key in keys(Settings).values():
        section = sections.setdefault(key.section, _mapping(described[key.section]))
        section["properties"][key.field] = {
            "description": described[key.name].replace("``", "`"),
            **_value(key),
        }
    return sections


def config() -> dict[str, Any]:
    """The schema of the whole tree, with what values files of Kepler's chart have in it."""
    sections = _sections()
    for path in ignored("config"):
        section, _, field = path.partition(".")
        (sections[section]["properties"] if field else sections)[field or section] = {
            "$ref": "#/definitions/ignored"
        }
    return {**_mapping("The agent's settings."), "properties": sections}


def _mapping(description: str) -> dict[str, Any]:
    return {
        "description": description.replace("``", "`"),
        "type": "object",
        "additionalProperties": False,
        "properties": {},
    }


def _value(key: Key) -> Mapping[str, Any]:
    if key.words:
        words = list(key.words)
        return {"enum": [*words, False] if "off" in words else words}  # YAML 1.1: off is false
    plain = _of(key.type)
    if key.duration:
        return {"anyOf": [plain, {"type": "string", "pattern": _DURATION}]}
    if isinstance(key.type, inspect.VarTupleType):
        return {"anyOf": [plain, {"type": "string"}]}
    if isinstance(key.type, inspect.DictType):
        return {"anyOf": [plain, {"type": "string"}]}
    return plain


def _of(kind: inspect.Type) -> dict[str, Any]:
    if words := _words(kind):
        return {"enum": words}
    while isinstance(kind, inspect.Metadata):
        kind = kind.type
    match kind:
        case inspect.BoolType():
            return {"type": "boolean"}
        case inspect.IntType() | inspect.FloatType():
            bounds = {
                "minimum": kind.ge,
                "maximum": kind.le,
                "exclusiveMinimum": kind.gt,
                "exclusiveMaximum": kind.lt,
            }
            name = "integer" if isinstance(kind, inspect.IntType) else "number"
            return {"type": name, **{k: bound for k, bound in bounds.items() if bound is not None}}
        case inspect.StrType():
            return {"type": "string", **({"pattern": kind.pattern} if kind.pattern else {})}
        case inspect.VarTupleType():
            return {"type": "array", "items": _of(kind.item_type)}
        case inspect.DictType() | inspect.StructType():
            return {"type": "object", **_members(kind)}
    raise SystemExit(f"{kind}: tools/chart/schema.py does not know this kind of setting")


def _words(kind: inspect.Type) -> list[Any]:
    """The only words that a value may be; none: it may be others, too."""
    if isinstance(kind, inspect.Metadata):
        return list((kind.extra or {}).get("words", ()))
    return list(kind.values) if isinstance(kind, inspect.LiteralType) else []


def _members(kind: inspect.DictType | inspect.StructType) -> dict[str, Any]:
    if isinstance(kind, inspect.DictType):
        return {"additionalProperties": _of(kind.value_type)}
    properties = {member.name: _of(member.type) for member in kind.fields}
    return {"additionalProperties": False, "properties": properties}
