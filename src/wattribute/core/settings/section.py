"""Sections of the settings, and the types of values that several sections use."""

import re
from typing import Annotated, Final

from msgspec import Meta, Struct

SECONDS: Final = {"unit": "seconds"}
_PORT = r"(6553[0-5]|655[0-2]\d|65[0-4]\d\d|6[0-4]\d{3}|[1-5]\d{4}|\d{1,4})"

Interval = Annotated[float, Meta(ge=0.2, le=60, extra=SECONDS)]
Seconds = Annotated[float, Meta(ge=0, extra=SECONDS)]
Watts = Annotated[float, Meta(ge=0, extra={"unit": "watts"})]
Secret = Annotated[str, Meta(extra={"secret": True})]
Address = Annotated[
    str,
    Meta(
        pattern=rf"^(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]*):{_PORT}$",
        extra={"allowed": "HOST:PORT, [IPV6]:PORT, or :PORT for all addresses"},
    ),
]


def flag(name: str) -> Meta:
    """Name the flag of the command line that stands for a key.

    It goes into the key's type: ``Annotated[str, flag("--sysfs")]``.
    """
    return Meta(extra={"flag": name})


def words(*allowed: str) -> Meta:
    """Allow these words and no others, where they come from a table.

    It goes into the key's type: ``Annotated[str, words("auto", *NAMES)]``.
    """
    pattern = "|".join(map(re.escape, allowed))
    return Meta(pattern=rf"\A(?:{pattern})\Z", extra={"words": allowed})


class Section(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Keys that belong together, written as a mapping in the file. An unknown key is an error."""


class SettingsTree(Struct, frozen=True, kw_only=True):
    """Sections by name, or trees of them: one wing's settings, or the whole program's.

    Sections of inner trees stand beside those of the outer one in the file: ``node.meter`` is
    written ``meter``.
    """
