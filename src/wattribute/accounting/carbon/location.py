"""Where a node is: what the settings say, what its provider id says, what the bill says."""

from collections.abc import Mapping
from fnmatch import fnmatchcase

from wattribute.accounting.carbon.place import place_of_provider_id


class Locations:
    """Place names of nodes."""

    def __init__(self, given: Mapping[str, str], default: str) -> None:
        """``given``: pattern of a cluster's or node's name to place; ``default``: of the others."""
        self._given = given
        self._default = default

    def of(self, cluster: str, node: str, provider_id: str, region: str = "") -> str:
        """The place's name; "" where nobody says.

        Args:
            cluster: Name of the cluster.
            node: Name of the node.
            provider_id: As Kubernetes has it (``aws:///eu-central-1a/i-0abc``); "" without.
            region: What else tells it, such as a bill's region (``aws/eu-central-1``).
        """
        for pattern, place in self._given.items():
            if fnmatchcase(cluster, pattern) or fnmatchcase(node, pattern):
                return place
        return place_of_provider_id(provider_id) or region or self._default
