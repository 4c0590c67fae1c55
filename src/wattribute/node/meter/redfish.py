"""The BMC over the network, as a meter: its facts, and the opening of what asks it.

What asks the BMC is imported when one is named: it costs 2.5 MB, and few machines have one.
"""

import platform

from wattribute.core.errors import MeterAbsent
from wattribute.node.meter import Meter
from wattribute.node.meter.backend import MeterBackend
from wattribute.node.settings import NodeSettings


def _open(settings: NodeSettings, _covered: frozenset[str]) -> Meter:
    if not settings.meter.redfish_url and not settings.meter.redfish_credentials:
        raise MeterAbsent("redfish: no BMC is named; set meter.redfish_url to its address")
    from wattribute.node.meter.redfish_source import open_redfish  # noqa: PLC0415 - for few

    return open_redfish(settings, settings.workload.node_name or platform.node())


BACKEND = MeterBackend(
    name="redfish",
    open=_open,
    sees="the whole machine, chassis by chassis, as its BMC measures it",
    kinds=frozenset({"platform"}),
    sources=frozenset({"redfish"}),
    form="power",
)
