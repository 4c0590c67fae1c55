"""Whose a workload is: ordered rules over what the ledger knew of it in that hour.

The ledger keeps labels as they were, so a label that changes today leaves last month's owner
alone. A rule itself may begin and end on a day.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import date
from fnmatch import translate
from typing import Final

from wattribute.accounting.settings import OwnershipRule
from wattribute.core.errors import ConfigInvalid

SUBJECTS: Final = (
    "namespace",
    "pod",
    "container",
    "owner",
    "node",
    "cluster",
    "kind",
)
"""What a rule can look at, beside ``label:NAME`` and ``annotation:NAME``. ``owner`` is
``Deployment/name``."""
_PREFIXES: Final = ("label:", "annotation:")
_REFERENCE: Final = re.compile(r"\{([^{}]+)\}")


@dataclass(frozen=True, slots=True)
class Owner:
    """Who pays; "" where no rule says."""

    team: str = ""
    product: str = ""
    environment: str = ""
    cost_center: str = ""

    @property
    def unowned(self) -> bool:
        """Whether no rule named anything."""
        return self == UNOWNED


UNOWNED: Final = Owner()
DIMENSIONS: Final[tuple[str, ...]] = tuple(field.name for field in fields(Owner))


@dataclass(frozen=True, slots=True)
class _Rule:
    place: int
    patterns: tuple[tuple[str, re.Pattern[str]], ...]
    names: tuple[tuple[str, str], ...]
    """Dimension and what it is set to, which may refer to subjects: ``{label:team}``."""
    since: date
    until: date
    text: str

    def matches(self, subject: Mapping[str, str], day: date) -> bool:
        return self.since <= day < self.until and all(
            pattern.match(subject.get(name, "")) for name, pattern in self.patterns
        )


class Ownership:
    """The rules, ready to be asked."""

    def __init__(self, rules: Sequence[OwnershipRule]) -> None:
        """Check and compile them.

        Raises:
            ConfigInvalid: a rule looks at something unknown, names nobody, or has a wrong day.
        """
        self._rules = tuple(_compiled(place, rule) for place, rule in enumerate(rules))
        self._used: set[int] = set()

    @property
    def subjects(self) -> tuple[str, ...]:
        """Return what the rules look at: ask once for each distinct combination of these."""
        names: dict[str, None] = {}
        for rule in self._rules:
            names.update(dict.fromkeys(name for name, _ in rule.patterns))
            for _, text in rule.names:
                names.update(dict.fromkeys(_REFERENCE.findall(text)))
        return tuple(names)

    def owner_of(self, subject: Mapping[str, str], day: date) -> Owner:
        """Return the owner on that day (UTC), dimension by dimension: the first rule that names it.

        Args:
            subject: ``namespace`` and so on, ``label:app``, ...; what is not there is "".
            day: the day of the entry.
        """
        names: dict[str, str] = {}
        for rule in self._rules:
            if len(names) == len(DIMENSIONS):
                break
            if not rule.matches(subject, day):
                continue
            self._used.add(rule.place)
            for dimension, text in rule.names:
                if dimension not in names and (value := _filled(text, subject)):
                    names[dimension] = value
        return Owner(**names)

    def unmatched(self) -> tuple[str, ...]:
        """Return the rules that matched nothing, one line each; mostly they have typing errors."""
        return tuple(
            f"ownership.rules[{rule.place}] matched nothing: {rule.text}"
            for rule in self._rules
            if rule.place not in self._used
        )


def _compiled(place: int, rule: OwnershipRule) -> _Rule:
    where = f"ownership.rules[{place}]"
    for name in rule.when:
        _check_subject(f"{where}.when", name)
    names = tuple((name, getattr(rule, name)) for name in DIMENSIONS if getattr(rule, name))
    if not names:
        raise ConfigInvalid(f"{where} names nobody: give it one of {', '.join(DIMENSIONS)}")
    for dimension, text in names:
        for name in _REFERENCE.findall(text):
            _check_subject(f"{where}.{dimension}", name)
    patterns = tuple((name, re.compile(translate(glob))) for name, glob in rule.when.items())
    text = ", ".join(f"{name}={glob}" for name, glob in rule.when.items()) or "everything"
    since = _day(f"{where}.since", rule.since, date.min)
    until = _day(f"{where}.until", rule.until, date.max)
    return _Rule(place, patterns, names, since, until, text)


def _check_subject(where: str, name: str) -> None:
    if name in SUBJECTS or (name.startswith(_PREFIXES) and name.partition(":")[2]):
        return
    known = ", ".join((*SUBJECTS, "label:NAME", "annotation:NAME"))
    raise ConfigInvalid(f"{where}: {name!r} is not known; a rule can look at {known}")


def _day(where: str, text: str, default: date) -> date:
    try:
        return date.fromisoformat(text) if text else default
    except ValueError:
        raise ConfigInvalid(f"{where}: {text!r} is not a day; write it as 2026-10-01") from None


def _filled(text: str, subject: Mapping[str, str]) -> str:
    """Return the text with its references filled in; "" if one has nothing to fill in."""
    missing = [name for name in _REFERENCE.findall(text) if not subject.get(name)]
    return "" if missing else _REFERENCE.sub(lambda match: subject[match[1]], text)
