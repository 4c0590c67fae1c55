"""The part of values.schema.json that describes `config`, from the agent's own settings.

A mistyped setting then stops `helm install`, and not the pods.
"""

import json
from collections.abc import Mapping
from typing import Any, get_args, get_origin

from msgspec import inspect
from tools.chart import CHART
from tools.chart.kepler import ignored

from wattribute.core.settings.keys import Key, keys
from wattribute.core.settings.reference import descriptions

PATH = CHART / "values.schema.json"
_SERVED = frozenset({"ledger", "ownership", "bills", "carbon", "web", "log"})
"""Rooms that `serve.config` may have; `web` is ours there, and Kepler's in `config`."""
_DURATION = r"^([0-9]+(\.[0-9]+)?(ms|s|m|h|d)?)+$"


def render() -> str:
    """The schema file with its generated part made anew."""
    document = json.loads(PATH.read_text(encoding="utf-8"))
    document["definitions"]["config"] = config()
    document["definitions"]["serveConfig"] = {
        **_mapping("The settings of `wattribute serve` and `ledger collect`."),
        "properties": {name: room for name, room in _rooms().items() if name in _SERVED},
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _rooms() -> dict[str, Any]:
    rooms: dict[str, Any] = {}
    for key in keys().values():
        room = rooms.setdefault(key.room, _mapping(descriptions()[key.room]))
        room["properties"][key.field] = {
            "description": descriptions()[key.name].replace("``", "`"),
            **_value(key),
        }
    return rooms


def config() -> dict[str, Any]:
    """The schema of the whole tree, with what values files of Kepler's chart have in it."""
    rooms = _rooms()
    for path in ignored("config"):
        room, _, field = path.partition(".")
        (rooms[room]["properties"] if field else rooms)[field or room] = {
            "$ref": "#/definitions/ignored"
        }
    return {**_mapping("The agent's settings."), "properties": rooms}


def _mapping(description: str) -> dict[str, Any]:
    return {
        "description": description.replace("``", "`"),
        "type": "object",
        "additionalProperties": False,
        "properties": {},
    }


def _value(key: Key) -> Mapping[str, Any]:
    if get_origin(key.annotation) is not None and all(
        isinstance(word, str) for word in get_args(key.annotation)
    ):
        words = list(get_args(key.annotation))
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
        case inspect.LiteralType():
            return {"enum": list(kind.values)}
        case inspect.VarTupleType():
            return {"type": "array", "items": _of(kind.item_type)}
        case inspect.DictType() | inspect.StructType():
            return {"type": "object", **_members(kind)}
    raise SystemExit(f"{kind}: tools/chart/schema.py does not know this kind of setting")


def _members(kind: inspect.DictType | inspect.StructType) -> dict[str, Any]:
    if isinstance(kind, inspect.DictType):
        return {"additionalProperties": _of(kind.value_type)}
    properties = {member.name: _of(member.type) for member in kind.fields}
    return {"additionalProperties": False, "properties": properties}
