"""Label values that are always valid exposition text, whatever the name was.

Source of the rules: Prometheus text format 0.0.4 and OpenMetrics 1.0: UTF-8, with
backslash, double quote and line feed escaped.
"""

import re
from collections.abc import Iterable
from typing import Final

_UNSAFE: Final = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
"""Control characters (a terminal would obey them, and Prometheus' lexer stops at NUL), line
separators and lone surrogates (which have no UTF-8)."""
_SPECIAL: Final = re.compile(r'[\\"\n]|' + _UNSAFE.pattern)
_ESCAPES: Final = {"\\": r"\\", '"': r"\"", "\n": r"\n"}
_NOT_IN_NAME: Final = re.compile(r"[^a-zA-Z0-9_]")


def text_of(name: bytes) -> str:
    """A kernel name as text; what is not UTF-8 becomes U+FFFD."""
    return name.decode("utf-8", "replace")


def printable(text: str) -> str:
    """Text without control characters and surrogates: U+FFFD stands for them."""
    return _UNSAFE.sub("\ufffd", text)


def escaped(text: str) -> str:
    """A label value, ready to stand between double quotes."""
    if text.isascii() and text.isprintable() and '"' not in text and "\\" not in text:
        return text
    return _SPECIAL.sub(lambda match: _ESCAPES.get(match[0], "\ufffd"), text)


def block(pairs: Iterable[tuple[str, str]]) -> str:
    """``a="1",b="2"``: the labels of one series, without the braces."""
    return ",".join([f'{name}="{escaped(value)}"' for name, value in pairs])


def label_name(text: str) -> str:
    """A Kubernetes label key as part of a label name: ``app.kubernetes.io/name`` and the like."""
    return _NOT_IN_NAME.sub("_", text)
