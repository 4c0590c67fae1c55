"""The agent's snapshot document -> what ``top`` shows."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from wattribute.cli.top.view import Part, Picture, Row
from wattribute.exporter.api import Component, ContainerRow, Document, ProcessRow

_SPECIAL: Final = frozenset({"system", "kernel"})
_NOWHERE: Final = Row(watts=0.0, joules=0.0, cpu_percent=0.0)


def picture_of(document: Document, where: str) -> Picture:
    """One picture; ``where`` says to the user whose numbers these are."""
    by_uid = {row.uid: row for row in document.containers}
    processes = document.processes
    return Picture(
        node=document.node.name,
        where=where,
        activity=document.health.activity,
        policy=document.policy,
        time_s=document.time_s,
        age_s=document.age_s,
        interval_s=document.interval_s,
        parts=tuple(map(_part, document.components)),
        containers=tuple(map(_container, document.containers)),
        processes=None if processes is None else tuple(_process(row, by_uid) for row in processes),
    )


def _part(component: Component) -> Part:
    estimated = component.origin == "estimated"
    return Part(
        component=component.component,
        origin=component.origin,
        watts=component.watts,
        low_watts=component.low_watts if estimated else None,
        high_watts=component.high_watts if estimated else None,
        joules=component.dynamic_joules + component.idle_joules,
    )


def _container(row: ContainerRow) -> Row:
    return replace(
        _place(row),
        watts=row.watts,
        joules=row.dynamic_joules + row.idle_joules,
        cpu_percent=row.cpus * 100,
        alive=row.alive,
    )


def _process(row: ProcessRow, containers: Mapping[int, ContainerRow]) -> Row:
    owner = containers.get(row.container)
    return replace(
        _place(owner) if owner else _NOWHERE,
        watts=row.watts,
        joules=row.joules,
        cpu_percent=row.cpus * 100,
        command=row.comm if row.pid else "(processes not known)",
        pid=row.pid,
        alive=row.alive,
    )


def _place(row: ContainerRow) -> Row:
    """Names alone. The special rows repeat theirs as id and pod, for Kepler's dashboards."""
    if row.kind in _SPECIAL:
        return replace(_NOWHERE, container=row.container_name, namespace=row.namespace)
    return replace(
        _NOWHERE,
        container=row.container_name or row.container_id[:12],
        container_id=row.container_id,
        pod=row.pod_name,
        pod_uid=row.pod_uid,
        namespace=row.namespace,
    )
