"""Books <-> state: what is saved before every snapshot, and how it comes back."""

import numpy as np

from wattribute.core.records import Counter, Mode
from wattribute.core.units import Nanoseconds
from wattribute.node.monitor.books import Books
from wattribute.node.monitor.groups import KERNEL, SYSTEM
from wattribute.node.monitor.reweighed import SUMS
from wattribute.node.monitor.state import SCHEMA, SavedReading, SavedState, SavedTotals, SavedZone
from wattribute.node.sharing.metering import Metering


def to_state(
    books: Books,
    floors: dict[str, dict[str, object]],
    metering: Metering,
    weights: str,
    *,
    machine_id: str,
    boot_id: str,
    wall_ns: int,
    processes: bool,
) -> SavedState:
    """Everything that must survive; process totals only where they are published."""
    node = books.node
    containers = books.containers.columns
    channels = len(node.channels)
    ended = containers["ended_ns"] > 0
    keys, cpu_ns, process_uj = books.processes.to_save(channels) if processes else ([], [], [])
    totals = SavedTotals(
        channels=list(node.channels),
        node_uj=node.energy_uj.tolist(),
        idle_uj=node.idle_uj.tolist(),
        unattributed_uj=node.unattributed_uj.tolist(),
        zones=[
            SavedZone(total.zone, total.origin, total.dynamic_uj, total.idle_uj)
            for total in node.totals(frozenset()).zones
        ],
        groups=list(books.containers.groups),
        consumers=list(books.containers.consumers),
        ended=ended.tolist(),
        hold_until_ns=containers["hold_until_ns"].tolist(),
        cpu_ns=containers["cpu_ns"].tolist(),
        memory_byte_ns=containers["memory_byte_ns"].tolist(),
        gpu_ns=containers["gpu_ns"].tolist(),
        energy_uj=containers["energy_uj"][:, :channels].tolist(),
        sums_uj={name: containers[name][:, :channels].tolist() for name in SUMS}
        if books.reweighed
        else {},
        vm_ids=list(books.vms.ids),
        vm_uj=books.vms.columns["energy_uj"][:, :channels].tolist(),
        process_keys=keys,
        process_cpu_ns=cpu_ns,
        process_uj=process_uj,
    )
    readings = [
        SavedReading(
            zone,
            reading.at_ns,
            value.energy_uj,
            value.wraps_at_uj,
            metering.power_seen_uw.get(zone, 0),
        )
        for zone, reading in metering.last_readings.items()
        if isinstance(value := reading.value, Counter)
    ]
    return SavedState(SCHEMA, machine_id, boot_id, wall_ns, floors, {}, totals, readings, weights)


def restore_books(books: Books, totals: SavedTotals, now_ns: Nanoseconds) -> None:
    """Fill empty books with saved totals; containers that are gone will end at the next tick."""
    node = books.node
    node.channels = list(totals.channels)
    node.energy_uj = np.array(totals.node_uj, np.int64).reshape(-1, 2)
    node.idle_uj = np.array(totals.idle_uj, np.int64)
    node.unattributed_uj = np.array(totals.unattributed_uj, np.int64)
    for zone in totals.zones:
        node.restore_zone(zone.zone, zone.origin, zone.dynamic_uj, zone.idle_uj)
    books.widen()
    containers = books.containers
    for group, consumer, ended in zip(totals.groups, totals.consumers, totals.ended, strict=True):
        containers.restore(group, consumer, now_ns, ended=ended and group not in (SYSTEM, KERNEL))
    if totals.hold_until_ns:  # older files have none
        containers.columns["hold_until_ns"][:] = totals.hold_until_ns
    containers.columns["cpu_ns"][:] = totals.cpu_ns
    containers.columns["memory_byte_ns"][:] = totals.memory_byte_ns
    if totals.gpu_ns:  # files from before there were GPUs have none
        containers.columns["gpu_ns"][:] = totals.gpu_ns
    channels = len(totals.channels)  # 0: nothing was measured yet
    shape = (-1, channels, 2)
    if channels:
        containers.columns["energy_uj"][:] = np.array(totals.energy_uj, np.int64).reshape(shape)
        dynamic_uj = containers.columns["energy_uj"][:, :, Mode.DYNAMIC]
        for name in SUMS:  # shared by CPU time alone, they are all the same
            table = totals.sums_uj.get(name)
            of_rows = dynamic_uj if table is None else np.array(table, np.int64)
            containers.columns[name][:] = of_rows.reshape(-1, channels)
        books.reweighed = bool(totals.sums_uj)
    for vm_id, energy_uj in zip(totals.vm_ids, totals.vm_uj, strict=True):
        slot = books.vms.slot(vm_id, now_ns, 0)
        books.vms.columns["energy_uj"][slot, :channels] = energy_uj
    books.processes.restore(totals.process_keys, totals.process_cpu_ns, totals.process_uj, now_ns)
