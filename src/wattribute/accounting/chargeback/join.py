"""Which node a bill's line is for.

Kubernetes knows a node by its provider id, a bill by its resource id. They are compared without
regard to case, segment by segment:

* AWS: ``aws:///eu-west-1a/i-0abc`` and a resource that is ``i-0abc`` or an ARN that ends with it.
* GCE: ``gce://project/zone/name`` and a self-link or ``//compute.googleapis.com/projects/...``
  that has the zone and ends with the name. The project must agree unless the bill has its number.
* Azure: ``azure:///subscriptions/...`` and the same path. A line for a scale set is for all of its
  machines.
* Others: the same text, or one that ends with the last segment of the provider id, or the node's
  name where there is no provider id.
"""

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

_SEPARATORS: Final = re.compile(r"[/:]+")
_SCALE_SET: Final = "/virtualmachinescalesets/"


@dataclass(frozen=True, slots=True)
class ChargedPlace:
    """A place where charges fall: a machine, with its number among the places."""

    number: int
    cluster: str
    node: str
    provider_id: str


class Nodes:
    """The nodes of a ledger, found by a bill's resource id."""

    def __init__(self, nodes: Sequence[ChargedPlace]) -> None:
        """Index them by the last segment of their names."""
        self.all = tuple(nodes)
        self._by_tail: dict[str, list[ChargedPlace]] = defaultdict(list)
        self._by_scale_set: dict[str, list[ChargedPlace]] = defaultdict(list)
        for node in nodes:
            folded = (node.provider_id or node.node).casefold()
            self._by_tail[_segments(folded)[-1]].append(node)
            path = _path(folded)
            if _SCALE_SET in path:
                name = path.split(_SCALE_SET)[1].split("/")[0]
                self._by_scale_set[path.split(_SCALE_SET)[0] + _SCALE_SET + name].append(node)

    def find(self, resource: str) -> tuple[int, ...]:
        """Numbers of the nodes that a resource id means; none if it is no node of the ledger."""
        folded = resource.casefold().strip()
        if not folded:
            return ()
        path = _path(folded).rstrip("/")
        if path in self._by_scale_set:
            return tuple(node.number for node in self._by_scale_set[path])
        segments = _segments(folded)
        near = self._by_tail.get(segments[-1] if segments else "", [])
        return tuple(node.number for node in near if _same(node, path, segments))


def _same(node: ChargedPlace, path: str, segments: list[str]) -> bool:
    """Whether a resource is this node, given that their last segments are the same."""
    folded = (node.provider_id or node.node).casefold()
    scheme, _, _ = folded.partition("://")
    if scheme == "azure":
        return _path(folded) == path
    if scheme == "gce" and len(segments) > 1:
        project, zone = _segments(folded)[1:3]
        numbered = any(
            before == "projects" and after.isdigit() for before, after in pairwise(segments)
        )
        return zone in segments and (numbered or project in segments)
    return True


def _segments(text: str) -> list[str]:
    return [segment for segment in _SEPARATORS.split(text) if segment] or [text]


def _path(folded: str) -> str:
    """``azure:///subscriptions/x`` as ``/subscriptions/x``; others as they are."""
    return (
        "/" + folded.removeprefix("azure:").lstrip("/")
        if folded.startswith(("azure:", "/"))
        else folded
    )
