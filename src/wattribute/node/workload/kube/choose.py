"""Which source of pod names is used: as the settings say, or as the surroundings do."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from wattribute.core.errors import ConfigInvalid
from wattribute.node.settings import WorkloadSettings

if TYPE_CHECKING:
    from wattribute.node.workload.kube.endpoint import Endpoint
    from wattribute.node.workload.kube.pod_resources import PodResources
    from wattribute.node.workload.kube.source import PodSource

_KUBELET_PORT: Final = 10250
_NODE_NAME: Final = (
    "workload.node_name: the node's name in the cluster is needed for names of pods; set "
    "WATTRIBUTE_WORKLOAD__NODE_NAME from spec.nodeName (the chart does), or --kube off"
)


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found of a source."""

    name: str
    state: Literal["works", "not used", "denied", "failed"]
    message: str
    """What is wrong and what would fix it, one line; "" when there is nothing to say."""


def found(source: "PodSource | None") -> Finding:
    """How a source is doing that has had time to answer."""
    if source is None:
        return Finding("kubernetes", "not used", "not in a cluster, or workload.kube is off")
    health = source.health()
    if health.up:
        return Finding(health.name, "works", f"{health.pods} pods on this node")
    message = health.message or "no answer yet; names come when it answers"
    return Finding(health.name, "denied" if source.denied else "failed", message)


def found_allocations(source: "PodResources") -> Finding:
    """How the kubelet's word on devices is doing, when it has had time to answer."""
    health = source.health()
    if health.up:
        return Finding(health.name, "works", f"{health.pods} pods hold devices")
    return Finding(health.name, "denied" if source.denied else "failed", health.message)


def open_pod_resources(settings: WorkloadSettings) -> "PodResources | None":
    """Start to ask the kubelet of this node who was given which device; None: not wanted."""
    if not settings.pod_resources:
        return None
    from wattribute.node.workload.kube.pod_resources import PodResources  # noqa: PLC0415 - for few

    return PodResources(Path(settings.pod_resources))


def wanted_source(settings: WorkloadSettings, environ: Mapping[str, str]) -> str:
    """``apiserver``, ``kubelet`` or ``off``: what ``auto`` means here."""
    if settings.kube != "auto":
        return settings.kube
    in_cluster = (
        bool(environ.get("KUBERNETES_SERVICE_HOST")) and Path(settings.kube_token_file).exists()
    )
    return "apiserver" if settings.kube_url or in_cluster else "off"


def open_cluster(settings: WorkloadSettings, environ: Mapping[str, str]) -> "PodSource | None":
    """Start the source that is wanted; None: none is.

    Args:
        settings: of names.
        environ: where Kubernetes tells its pods the API server's address.

    Raises:
        ConfigInvalid: an address or the node's name is missing, or is none.
    """
    wanted = wanted_source(settings, environ)
    if wanted == "off":
        return None
    if not settings.node_name:
        raise ConfigInvalid(_NODE_NAME)
    # 2.5 MB that only this needs.
    from wattribute.node.workload.kube.apiserver import ApiServer  # noqa: PLC0415
    from wattribute.node.workload.kube.kubelet import Kubelet  # noqa: PLC0415
    from wattribute.node.workload.kube.node import NodeWatch  # noqa: PLC0415

    source: PodSource
    if wanted == "apiserver":
        endpoint = _endpoint(settings, _api_url(settings, environ), "workload.kube_url")
        node = NodeWatch(endpoint, settings.node_name, shared=True)
        source = ApiServer(endpoint, node, settings.node_name)
    else:
        endpoint = _endpoint(settings, _kubelet_url(settings), "workload.kubelet_url")
        url = _api_url(settings, environ, needed=False)
        api = _endpoint(settings, url, "workload.kube_url") if url else None
        node = NodeWatch(api, settings.node_name, shared=False)
        source = Kubelet(endpoint, node, least_s=settings.kubelet_interval)
    source.start()
    return source


def _endpoint(settings: WorkloadSettings, url: str, setting: str) -> "Endpoint":
    from wattribute.node.workload.kube.endpoint import Endpoint  # noqa: PLC0415

    return Endpoint(url, settings.kube_token_file, settings.kube_ca_file, setting)


def _api_url(settings: WorkloadSettings, environ: Mapping[str, str], *, needed: bool = True) -> str:
    if settings.kube_url:
        return settings.kube_url
    host = environ.get("KUBERNETES_SERVICE_HOST", "")
    if host:
        port = environ.get("KUBERNETES_SERVICE_PORT_HTTPS") or environ.get(
            "KUBERNETES_SERVICE_PORT", "443"
        )
        return f"https://{_bracketed(host)}:{port}"
    if needed:
        raise ConfigInvalid(
            "workload.kube: this is not a pod (no KUBERNETES_SERVICE_HOST); set workload.kube_url"
        )
    return ""


def _kubelet_url(settings: WorkloadSettings) -> str:
    if settings.kubelet_url:
        return settings.kubelet_url
    if not settings.node_ip:
        raise ConfigInvalid(
            "workload.kube: the kubelet's address is needed: workload.node_ip (in a pod from "
            "status.hostIP) or workload.kubelet_url"
        )
    return f"https://{_bracketed(settings.node_ip)}:{_KUBELET_PORT}"


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host and not host.startswith("[") else host
