"""The agent's snapshot document -> what ``top`` shows."""

from collections.abc import Mapping

from wattribute.cli.top.view import Part, Picture, Row
from wattribute.exporter.api import Component, ContainerRow, Document, ProcessRow


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
    return Row(
        watts=row.watts,
        joules=row.dynamic_joules + row.idle_joules,
        cpu_percent=row.cpus * 100,
        container=_name(row),
        container_id=row.container_id,
        pod=row.pod_name,
        pod_uid=row.pod_uid,
        namespace=row.namespace,
        alive=row.alive,
    )


def _process(row: ProcessRow, containers: Mapping[int, ContainerRow]) -> Row:
    owner = containers.get(row.container)
    return Row(
        watts=row.watts,
        joules=row.joules,
        cpu_percent=row.cpus * 100,
        command=row.comm if row.pid else "(processes not known)",
        pid=row.pid,
        container=_name(owner) if owner else "",
        container_id=owner.container_id if owner else "",
        pod=owner.pod_name if owner else "",
        pod_uid=owner.pod_uid if owner else "",
        namespace=owner.namespace if owner else "",
        alive=row.alive,
    )


def _name(row: ContainerRow) -> str:
    return row.container_name or row.container_id[:12]
