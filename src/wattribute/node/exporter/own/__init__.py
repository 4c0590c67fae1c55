"""Our own families of metrics, ``wattribute_*``: always shown, whatever else is.

Rules, dashboards and the ledger read these. No label here is job, instance, namespace, pod,
service, container or endpoint: an operator's target labels have those names.
"""

from typing import Final

from wattribute.node.exporter.family import Family
from wattribute.node.exporter.own import containers, energy, gpus, node, weights, zones

FAMILIES: Final[tuple[Family, ...]] = (
    *energy.FAMILIES,
    *zones.FAMILIES,
    *containers.FAMILIES,
    *weights.FAMILIES,
    *gpus.FAMILIES,
    *node.FAMILIES,
)
