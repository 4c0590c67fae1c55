"""A node's hour -> entries that add up to what the node's counters rose by."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Final

from wattribute.accounting.ledger.entries import LedgerEntries
from wattribute.accounting.ledger.entry_writer import EntryEnergy, EntryWriter, use_of
from wattribute.accounting.ledger.schema import COMPONENTS
from wattribute.core.records import REWEIGHED, ConsumerHour, NodeHour
from wattribute.core.units import MICROJOULES_PER_JOULE

_TOLERANCE_UJ: Final = 1000
"""What rounding can make of a node's sums above 8.6e9 J, where a double holds no microjoule."""
_NO_METER: Final = "measured"
"""The origin of 0 J where nothing was measured."""

_ByOrigin = dict[str, dict[str, int]]
"""Microjoules by component, then origin."""


def add_entries(hour: NodeHour, entries: LedgerEntries) -> list[str]:
    """Add the entries of a node's hour.

    Per component they add up to the rise of the node's counters less the rise of what is held at
    birth. What the containers' counters do not account for (rounding, a container whose whole
    life fell between two scrapes) is ``unattributed``. So it is with the energy by other weights.

    Returns:
        What does not add up by more than rounding, in words.
    """
    dynamic = _by_origin(hour, [energy.dynamic_uj for energy in hour.node_uj])
    idle = _by_origin(hour, [energy.idle_uj for energy in hour.node_uj])
    unattributed = _by_origin(hour, hour.unattributed_uj)
    main = {
        component: max(origins, key=origins.__getitem__) for component, origins in dynamic.items()
    }
    writer = EntryWriter(hour, entries)
    of_consumers: dict[str, EntryEnergy] = defaultdict(lambda: EntryEnergy.certain(0))
    for consumer in hour.consumers:
        energies = _consumer_energies(hour, consumer, main.get("cpu", _NO_METER))
        writer.add_consumer(consumer, energies)
        for (component, _), energy in energies.items():
            of_consumers[component] = of_consumers[component].plus(energy)
    problems: list[str] = []
    for component in sorted({*dynamic, *of_consumers}, key=COMPONENTS.index):
        node_uj = sum(dynamic[component].values())
        nobodys = unattributed[component]
        seen_energy = of_consumers[component]
        rest_uj = node_uj - seen_energy.energy_uj - hour.held_uj.get(component, 0)
        rest_uj -= sum(nobodys.values())
        problems += _judged(component, rest_uj, node_uj)
        origin = main.get(component, _NO_METER)
        nobodys[origin] = nobodys.get(origin, 0) + rest_uj
        rests = {where: EntryEnergy.certain(energy_uj) for where, energy_uj in nobodys.items()}
        rests[origin] = _with_rest(rests[origin], seen_energy)
        writer.add_unattributed(component, rests)
        writer.add_idle(component, idle[component] or {origin: 0})
    return problems


def _by_origin(hour: NodeHour, values: Sequence[int]) -> _ByOrigin:
    sums: _ByOrigin = defaultdict(dict)
    for component, origin, value in hour.by_component(values):
        sums[component][origin] = sums[component].get(origin, 0) + value
    return sums


def _with_rest(nobodys: EntryEnergy, of_consumers: EntryEnergy) -> EntryEnergy:
    """Return what is nobody's, with what other weights give to no consumer, or take from it."""
    return nobodys._replace(
        time_uj=nobodys.time_uj + of_consumers.energy_uj - of_consumers.time_uj,
        learned_uj=nobodys.learned_uj + of_consumers.energy_uj - of_consumers.learned_uj,
    )


def _consumer_energies(
    hour: NodeHour, consumer: ConsumerHour, cpu_origin: str
) -> dict[tuple[str, str], EntryEnergy]:
    """Return a consumer's microjoules by component and origin.

    What was used beside energy stands on the row of the CPU, so there is one if anything was used.
    """
    energies: dict[tuple[str, str], EntryEnergy] = {}
    columns = [consumer.energy_uj, *map(consumer.reweighed_uj, REWEIGHED)]
    by_column = [list(hour.by_component(column)) for column in columns]
    for parts in zip(*by_column, strict=False):
        if any(value for *_, value in parts):
            component, origin, _ = parts[0]
            key = (component, origin)
            before = energies.get(key, EntryEnergy.certain(0))
            energies[key] = before.plus(EntryEnergy(*(value for *_, value in parts)))
    if any(use_of(consumer).values()) and not any(component == "cpu" for component, _ in energies):
        energies["cpu", cpu_origin] = EntryEnergy.certain(0)
    return energies


def _judged(component: str, rest_uj: int, node_uj: int) -> list[str]:
    """Return a line about a rest that is more than rounding."""
    where = f"{component}: {abs(rest_uj) / MICROJOULES_PER_JOULE:,.3f} J"
    if rest_uj < -_TOLERANCE_UJ:
        return [f"{where} more in containers than in the node; taken off unattributed"]
    if rest_uj > max(node_uj // 100, MICROJOULES_PER_JOULE):
        return [f"{where} of no container that a scrape saw; booked as unattributed"]
    return []
