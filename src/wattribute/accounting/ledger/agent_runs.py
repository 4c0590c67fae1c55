"""The runs of one agent in one hour, added up: each wrote a line of the hour into its spool."""

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from wattribute.core.records import (
    REWEIGHED,
    ConsumerHour,
    EstimateBand,
    ModeEnergy,
    NodeHour,
    shared_longest,
)


def added(lines: Sequence[NodeHour]) -> NodeHour:
    """Add up the lines of one node and hour: one for each run of its agent; at least one."""
    channels = list(dict.fromkeys(channel for line in lines for channel in line.channels))
    consumers: dict[str, ConsumerHour] = {}
    node_uj = [(0, 0)] * len(channels)
    unattributed_uj = [0] * len(channels)
    bands: dict[str, EstimateBand] = {}
    for line in lines:
        place = [channels.index(channel) for channel in line.channels]
        for at, energy, nobodys_uj in zip(place, line.node_uj, line.unattributed_uj, strict=False):
            dynamic_uj, idle_uj = node_uj[at]
            node_uj[at] = (dynamic_uj + energy.dynamic_uj, idle_uj + energy.idle_uj)
            unattributed_uj[at] += nobodys_uj
        for component, band in line.band_uj.items():
            sums = bands.get(component, EstimateBand(0.0, 0.0, 0.0))
            bands[component] = EstimateBand(
                sums.low_uj + band.low_uj,
                sums.middle_uj + band.middle_uj,
                sums.high_uj + band.high_uj,
            )
        for row in line.consumers:
            for name in REWEIGHED:
                if values := getattr(row, name):  # else it is as the energy
                    setattr(row, name, _spread(values, place, len(channels)))
            row.energy_uj = _spread(row.energy_uj, place, len(channels))
            before = consumers.get(row.container_id)
            consumers[row.container_id] = row if before is None else _joined(before, row)
    _share_labels(consumers.values())
    return msgspec.structs.replace(
        lines[-1],
        covered_s=sum(line.covered_s for line in lines),
        model=next((line.model for line in reversed(lines) if line.model), ""),
        channels=channels,
        node_uj=[ModeEnergy(*energy) for energy in node_uj],
        unattributed_uj=unattributed_uj,
        capacity_s=_sums([line.capacity_s for line in lines]),
        band_uj=bands,
        consumers=list(consumers.values()),
        shared_by=_shared_by(lines),
    )


def _shared_by(lines: Iterable[NodeHour]) -> dict[str, str]:
    times_s: dict[str, dict[str, float]] = {}
    for line in lines:
        for component, shared_by in line.shared_by.items():
            by_name = times_s.setdefault(component, {})
            by_name[shared_by] = by_name.get(shared_by, 0.0) + line.covered_s
    return shared_longest(times_s)


def _spread(values: Sequence[int], place: Sequence[int], size: int) -> list[int]:
    """Put each value at its place in a row of so many channels."""
    row = [0] * size
    for at, value in zip(place, values, strict=False):
        row[at] += value
    return row


def _joined(earlier: ConsumerHour, later: ConsumerHour) -> ConsumerHour:
    """Add up two rows of one container; a name that came late is the one that counts."""
    return msgspec.structs.replace(
        later if later.pod else earlier,
        labels=later.labels or earlier.labels,
        energy_uj=[a + b for a, b in zip(earlier.energy_uj, later.energy_uj, strict=True)],
        cpu_ns=earlier.cpu_ns + later.cpu_ns,
        memory_byte_s=earlier.memory_byte_s + later.memory_byte_s,
        gpu_ns=earlier.gpu_ns + later.gpu_ns,
        alive_s=earlier.alive_s + later.alive_s,
        request_s=_sums([earlier.request_s, later.request_s]),
        **{
            name: [
                a + b
                for a, b in zip(earlier.reweighed_uj(name), later.reweighed_uj(name), strict=True)
            ]
            for name in REWEIGHED
            if getattr(earlier, name) or getattr(later, name)
        },
    )


def _sums(amounts: Sequence[Mapping[str, float]]) -> dict[str, float]:
    sums: dict[str, float] = {}
    for amount in amounts:
        for resource, value in amount.items():
            sums[resource] = sums.get(resource, 0.0) + value
    return sums


def _share_labels(consumers: Iterable[ConsumerHour]) -> None:
    """Give all rows of a pod the labels that it had last."""
    rows = [row for row in consumers if row.pod_uid]
    labels = {row.pod_uid: row.labels for row in rows if row.labels}
    for row in rows:
        row.labels = labels.get(row.pod_uid, row.labels)
