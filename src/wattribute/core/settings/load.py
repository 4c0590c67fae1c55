"""Reads the settings: file < environment < flags. Each value is checked at its source."""

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from operator import attrgetter
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec
from msgspec import inspect

from wattribute.core.errors import ConfigInvalid
from wattribute.core.settings.keys import Key, keys
from wattribute.core.settings.section import SettingsTree

T = TypeVar("T", bound=SettingsTree)
Keys = Mapping[str, Key]

_VARIABLE: Final = re.compile(r"WATTRIBUTE_[A-Z0-9]+(_[A-Z0-9]+)*__\w*")
"""The double underscore distinguishes our variables from those that Kubernetes creates for a
Service of this name (``WATTRIBUTE_PORT=tcp://...``)."""
_SECONDS_OF: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}
_DURATION: Final = re.compile(r"(?:\d+(?:\.\d+)?(?:ms|s|m|h|d))+")
_DURATION_PART: Final = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")


@dataclass(frozen=True, slots=True)
class _Given:
    """One value, and the place that set it."""

    where: str
    key: Key
    value: object
    is_text: bool
    """Whether it comes from the environment or a flag, where numbers and lists are written as
    text."""


def load(
    tree: type[T], config: Path | None, environ: Mapping[str, str], flags: Mapping[str, object]
) -> T:
    """Load the settings of this program.

    Args:
        tree: What the keys are, and what is returned.
        config: A YAML file whose keys are those of the tree, or None.
        environ: Variables ``WATTRIBUTE_<SECTION>__<KEY>``; others are not looked at.
        flags: Values by the key that the flag stands for (``monitor.interval``);
            None and the empty tuple mean: not given.

    Raises:
        ConfigInvalid: a key that is not known, or a value that is not allowed.
    """
    known = keys(tree)
    values: dict[str, Any] = {}
    for given in (
        *_from_file(config, known),
        *_from_environment(environ, known),
        *_from_flags(flags, known),
    ):
        section = values
        for name in given.key.path:
            section = section.setdefault(name, {})
        section[given.key.field] = _converted(given)
    return msgspec.convert(values, tree)


def effective(settings: msgspec.Struct) -> str:
    """Return all settings in force, on one line for the log, with secrets as ``***``."""
    shown: list[str] = []
    for key in keys(type(settings)).values():
        value = getattr(attrgetter(".".join(key.path))(settings), key.field)
        hidden = key.secret and value
        text = '"***"' if hidden else msgspec.json.encode(value).decode()
        shown.append(f"{key.name}={text}")
    return " ".join(shown)


def _from_file(config: Path | None, known: Keys) -> Iterator[_Given]:
    if config is None:
        return
    document = _yaml(config)
    sections = {key.section for key in known.values()}
    for section, values in document.items():
        if section not in sections:
            nearest = _nearest(str(section), sections)
            raise ConfigInvalid(f"{config}: {section}: unknown key{nearest}")
        if values is None:  # a section whose keys are all commented out
            continue
        if not isinstance(values, dict):
            raise ConfigInvalid(
                f"{config}: {section}: {values!r} is not a mapping of keys to values"
            )
        for field, value in values.items():
            key = _key(f"{section}.{field}", str(config), known)
            yield _Given(str(config), key, value, is_text=False)


def _from_environment(environ: Mapping[str, str], known: Keys) -> Iterator[_Given]:
    by_variable = {key.variable: key for key in known.values()}
    for variable in sorted(filter(_VARIABLE.fullmatch, environ)):
        if variable not in by_variable:
            raise ConfigInvalid(f"{variable}: unknown variable{_nearest(variable, by_variable)}")
        yield _Given(variable, by_variable[variable], environ[variable], is_text=True)


def _from_flags(flags: Mapping[str, object], known: Keys) -> Iterator[_Given]:
    for name, value in flags.items():
        if value is None or value == ():
            continue
        key = _key(name, "flags", known)
        text = ",".join(value) if isinstance(value, tuple) else value
        yield _Given(key.flag or name, key, text, is_text=True)


def _key(name: str, where: str, known: Keys) -> Key:
    try:
        return known[name]
    except KeyError:
        raise ConfigInvalid(f"{where}: {name}: unknown key{_nearest(name, known)}") from None


def _nearest(word: str, known: Mapping[str, object] | set[str]) -> str:
    close = get_close_matches(word, known, n=1, cutoff=0.5)
    return f"; did you mean {close[0]}?" if close else f"; known are {', '.join(known)}"


def _yaml(path: Path) -> dict[object, object]:
    from wattribute.core.settings.yaml import parse  # noqa: PLC0415 - only a file needs PyYAML

    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as exc:
        reason = exc.strerror if isinstance(exc, OSError) else "not UTF-8 text"
        raise ConfigInvalid(f"{path}: cannot read the settings: {reason}") from exc
    return parse(text, str(path))


def _converted(given: _Given) -> object:
    key, value = given.key, given.value
    try:
        value = _structured(key, value)
        converted = msgspec.convert(value, key.annotation, strict=not given.is_text)
    except (msgspec.ValidationError, ValueError):
        raise _not_allowed(given) from None
    numbers = converted.values() if isinstance(converted, dict) else (converted,)
    if any(isinstance(number, float) and not math.isfinite(number) for number in numbers):
        raise _not_allowed(given)
    return converted


def _not_allowed(given: _Given) -> ConfigInvalid:
    shown = "***" if given.key.secret else repr(given.value)
    where = given.where if given.where == given.key.name else f"{given.where}: {given.key.name}"
    return ConfigInvalid(f"{where}: {shown} is not allowed; it must be {_sentence(given.key)}")


def _sentence(key: Key) -> str:
    return (
        f'{key.allowed}, or a text with units ("500ms", "5s", "2m")'
        if key.duration
        else key.allowed
    )


def _structured(key: Key, value: object) -> object:
    """Convert a text into the structure of its key: ``"a,b"``, ``"zone=1,zone=2"``, ``"1m30s"``.

    Raises:
        ValueError: it does not have that shape.
    """
    if not isinstance(value, str):
        return value
    if key.duration:
        return _seconds(value.strip())
    if isinstance(key.type, inspect.VarTupleType):
        return [part.strip() for part in value.split(",") if part.strip()]
    if isinstance(key.type, inspect.DictType):
        pairs = [part.partition("=") for part in value.split(",") if part.strip()]
        if not all(name.strip() and equals for name, equals, _ in pairs):
            raise ValueError(value)
        number = isinstance(_bare(key.type.value_type), inspect.FloatType)
        return {
            name.strip(): float(amount) if number else amount.strip() for name, _, amount in pairs
        }
    return value


def _bare(kind: inspect.Type) -> inspect.Type:
    return kind.type if isinstance(kind, inspect.Metadata) else kind


def _seconds(text: str) -> float:
    if _DURATION.fullmatch(text):
        parts = _DURATION_PART.findall(text)
        return math.fsum(float(amount) * _SECONDS_OF[unit] for amount, unit in parts)
    return float(text)
