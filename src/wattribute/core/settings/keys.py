"""The keys of a tree of settings: how each key is named, written and described.

Loading, the command line's flags and the reference page all read this table.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Literal, get_args, get_origin

import msgspec
from msgspec import inspect
from msgspec.structs import FieldInfo, fields

from wattribute.core.settings.section import SettingsTree


@dataclass(frozen=True, slots=True)
class Key:
    """One setting: its names, its type, its default, and the values that it may have."""

    section: str
    field: str
    path: tuple[str, ...]
    """The fields of the tree that lead to the section. The last one is the section's."""
    type: inspect.Type
    annotation: object
    """The field's type as written in the tree. msgspec converts values to it."""
    default: object
    extra: Mapping[str, object]
    """``unit``, ``secret``, ``allowed``, ``words`` and ``flag``, if the tree sets them."""

    @property
    def name(self) -> str:
        """Return the dotted name, ``monitor.interval``."""
        return f"{self.section}.{self.field}"

    @property
    def variable(self) -> str:
        """Return the name of the environment variable, ``WATTRIBUTE_MONITOR__INTERVAL``."""
        return f"WATTRIBUTE_{self.section}__{self.field}".upper()

    @property
    def flag(self) -> str | None:
        """Return the flag of the command line (``--interval``), or None if the key has none."""
        return str(self.extra["flag"]) if "flag" in self.extra else None

    @property
    def duration(self) -> bool:
        """Tell whether the value is a time in seconds, which may be written with a unit."""
        return self.extra.get("unit") == "seconds"

    @property
    def secret(self) -> bool:
        """Tell whether the value must never be shown in logs."""
        return bool(self.extra.get("secret"))

    @property
    def words(self) -> tuple[str, ...]:
        """Return the words that the value may be, in their written order; () allows any value."""
        if "words" in self.extra:
            return _words(self.extra)
        written = self.annotation
        if get_origin(written) is Annotated:
            written = get_args(written)[0]
        return tuple(map(str, get_args(written))) if get_origin(written) is Literal else ()

    @property
    def allowed(self) -> str:
        """Describe the values that are allowed, for messages and for the reference."""
        if self.words:
            return "one of " + ", ".join(self.words)
        return _allowed(self.type, self.extra)


@cache
def keys(tree: type[msgspec.Struct]) -> Mapping[str, Key]:
    """Return every key by its dotted name (``monitor.interval``), in the tree's order."""
    return {key.name: key for key in _walk(tree, ())}


def _walk(tree: type[msgspec.Struct], path: tuple[str, ...]) -> Iterator[Key]:
    for branch in fields(tree):
        here = (*path, branch.name)
        if issubclass(branch.type, SettingsTree):
            yield from _walk(branch.type, here)
            continue
        for field in fields(branch.type):
            kind, extra = _bare(inspect.type_info(field.type))
            yield Key(branch.name, field.name, here, kind, field.type, _default(field), extra)


def _bare(kind: inspect.Type) -> tuple[inspect.Type, Mapping[str, object]]:
    if isinstance(kind, inspect.Metadata):
        return kind.type, kind.extra or {}
    return kind, {}


def _default(field: FieldInfo) -> object:
    if field.default_factory is not msgspec.NODEFAULT:
        return field.default_factory()
    return field.default


def _allowed(kind: inspect.Type, extra: Mapping[str, object]) -> str:
    match kind:
        case _ if "allowed" in extra:
            words = str(extra["allowed"])
        case _ if "words" in extra:
            words = ", ".join(_words(extra))
        case inspect.BoolType():
            words = "true or false"
        case inspect.FloatType() | inspect.IntType():
            words = _number(kind, extra)
        case inspect.VarTupleType():
            item = _allowed(*_bare(kind.item_type))
            words = "a list, or one text with commas" + (f", of {item}" if item != "text" else "")
        case inspect.DictType():
            value = _allowed(*_bare(kind.value_type))
            noun = "TEXT" if value == "text" else "NUMBER"
            words = f"a mapping, or a text NAME={noun},...: {value}"
        case _:
            words = "text"
    return words


def _words(extra: Mapping[str, object]) -> tuple[str, ...]:
    words = extra["words"]
    return tuple(map(str, words)) if isinstance(words, tuple) else ()


def _number(kind: inspect.FloatType | inspect.IntType, extra: Mapping[str, object]) -> str:
    noun = "a whole number" if isinstance(kind, inspect.IntType) else "a number"
    of = f" of {extra['unit']}" if "unit" in extra else ""
    if kind.gt is not None:
        low = f"more than {kind.gt}"
    else:
        low = f"at least {kind.ge}" if kind.ge is not None else ""
    high = f"at most {kind.le}" if kind.le is not None else ""
    return noun + of + "".join(f", {bound}" for bound in (low, high) if bound)
