"""The BMC from inside, as a meter: its facts, and the opening of what asks it."""

from pathlib import Path

from wattribute.core.errors import MeterAbsent
from wattribute.node.meter import Meter
from wattribute.node.meter.backend import MeterBackend
from wattribute.node.settings import NodeSettings


def _open(settings: NodeSettings, covered: frozenset[str]) -> Meter:
    if "machine" in covered and "ipmi" not in settings.meter.use:
        raise MeterAbsent("ipmi: another meter sees the whole machine")
    from wattribute.node.meter.ipmi_source import open_ipmi  # noqa: PLC0415 - for few

    meter = settings.meter
    return open_ipmi(Path(meter.sysfs), meter.ipmitool, meter.ipmi_interval)


BACKEND = MeterBackend(
    name="ipmi",
    open=_open,
    sees="the whole machine, as its BMC measures it",
    kinds=frozenset({"platform"}),
    sources=frozenset({"ipmi"}),
    form="power",
)
