"""What a client asks for in Accept and Accept-Encoding (RFC 9110, section 12.5)."""

from collections.abc import Iterator
from typing import Final

TEXT: Final = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS: Final = "application/openmetrics-text; version=1.0.0; charset=utf-8"


def wants_openmetrics(accept: str) -> bool:
    """OpenMetrics 1.0 where it is asked for by name and nothing else is liked better."""
    openmetrics = text = 0.0
    for kind, parameters, quality in _items(accept):
        version = parameters.get("version", "")
        if kind == "application/openmetrics-text" and version in ("", "1.0.0"):
            openmetrics = max(openmetrics, quality)
        elif kind == "text/plain" and version in ("", "0.0.4"):
            text = max(text, quality)
    return openmetrics > 0 and openmetrics >= text


def accepts_gzip(accept_encoding: str) -> bool:
    """Whether gzip, or anything, is accepted."""
    found = {coding: quality for coding, _, quality in _items(accept_encoding)}
    return found.get("gzip", found.get("x-gzip", found.get("*", 0.0))) > 0


def _items(header: str) -> Iterator[tuple[str, dict[str, str], float]]:
    for item in header.split(","):
        name, *rest = (part.strip() for part in item.split(";"))
        parameters: dict[str, str] = {}
        for part in rest:
            key, _, value = part.partition("=")
            parameters[key.strip().lower()] = value.strip().strip('"').lower()
        if name:
            yield name.lower(), parameters, _quality(parameters.pop("q", "1"))


def _quality(text: str) -> float:
    """0 to 1; what is not a number counts as refused."""
    try:
        quality = float(text)
    except ValueError:
        return 0.0
    return quality if 0.0 <= quality <= 1.0 else 0.0
