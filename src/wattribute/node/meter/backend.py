"""The facts of one meter backend: what it is called, what it sees, and how it is opened."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from wattribute.node.meter import Meter
from wattribute.node.settings import NodeSettings

Form = Literal["counter", "power", "either"]


@dataclass(frozen=True, slots=True)
class MeterBackend:
    """One row of the table of meters; each backend's module has its own as ``BACKEND``."""

    name: str
    """As in ``--meters`` and in wattribute_meter_* metrics."""
    open: Callable[[NodeSettings, frozenset[str]], Meter]
    """Opens the meter, for what is not covered yet.

    Its second argument: the components that meters before it measure, ``platform`` and ``machine``
    if one of them measures those, and the names of these meters.

    Raises:
        MeterError: the meter cannot be used; the kind says why.
        ConfigInvalid: its settings are wrong.
    """
    sees: str
    """What it measures, in one line for people."""
    kinds: frozenset[str]
    """The kinds of zones that it may have, as Zone.kind."""
    sources: frozenset[str]
    """The names of its zones' source in the metrics, as Zone.source."""
    form: Form
    """Whether its hardware counts energy (so nothing is lost between readings) or shows power."""
    auto: bool = True
    """Used under ``auto``; False: only where it is named."""
    other_machine: bool = False
    """Its readings are another machine's, so it is never used beside a meter of this one."""
    platform_is_machine: bool = True
    """Its platform zones are the whole machine, and not the processor's board alone."""
