"""Choose the source of pod names from the settings and the environment."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

from wattribute.core.errors import ConfigInvalid
from wattribute.node.findings import SourceFinding
from wattribute.node.settings import WorkloadSettings

if TYPE_CHECKING:
    from wattribute.node.workload.kube.endpoint import Endpoint
    from wattribute.node.workload.kube.pod_resources import PodResources
    from wattribute.node.workload.kube.source import PodSource

_KUBELET_PORT: Final = 10250
_NODE_NAME: Final = (
    "workload.node_name: the node's name in the cluster is needed for pod names; set "
    "WATTRIBUTE_WORKLOAD__NODE_NAME from spec.nodeName (the chart does this), or use --kube off"
)


def finding_of(source: "PodSource | None") -> SourceFinding:
    """Return the state of a source of names that has had time to answer."""
    if source is None:
        return SourceFinding(
            "identity",
            "kubernetes",
            "not used",
            "this process does not run in a cluster, or workload.kube is off",
        )
    health = source.health()
    if health.up:
        return SourceFinding("identity", health.name, "works", f"{health.pods} pods on this node")
    message = health.message or "no answer yet; pod names appear when it answers"
    return SourceFinding("identity", health.name, "denied" if source.denied else "failed", message)


def finding_of_allocations(source: "PodResources") -> SourceFinding:
    """Return the state of the kubelet's device allocations, after it had time to answer."""
    health = source.health()
    if health.up:
        return SourceFinding("identity", health.name, "works", f"{health.pods} pods hold devices")
    return SourceFinding(
        "identity", health.name, "denied" if source.denied else "failed", health.message
    )


def open_pod_resources(settings: WorkloadSettings) -> "PodResources | None":
    """Start asking this node's kubelet for device allocations; None if the settings say no."""
    if not settings.pod_resources:
        return None
    from wattribute.node.workload.kube.pod_resources import PodResources  # noqa: PLC0415 - for few

    return PodResources(Path(settings.pod_resources))


def wanted_source(settings: WorkloadSettings, environ: Mapping[str, str]) -> str:
    """Return ``apiserver``, ``kubelet`` or ``off``; ``auto`` is resolved by the environment."""
    if settings.kube != "auto":
        return settings.kube
    in_cluster = (
        bool(environ.get("KUBERNETES_SERVICE_HOST")) and Path(settings.kube_token_file).exists()
    )
    return "apiserver" if settings.kube_url or in_cluster else "off"


def open_cluster(settings: WorkloadSettings, environ: Mapping[str, str]) -> "PodSource | None":
    """Start the source of pod names that the settings choose; None if they choose none.

    Args:
        settings: the settings of names.
        environ: environment variables, in which Kubernetes gives pods the API server's address.

    Raises:
        ConfigInvalid: an address or the node's name is missing or invalid.
    """
    source_name = wanted_source(settings, environ)
    if source_name == "off":
        return None
    if not settings.node_name:
        raise ConfigInvalid(_NODE_NAME)
    # These modules take 2.5 MB of memory, so they are loaded only where they are needed.
    from wattribute.node.workload.kube.apiserver import ApiServer  # noqa: PLC0415
    from wattribute.node.workload.kube.kubelet import Kubelet  # noqa: PLC0415
    from wattribute.node.workload.kube.node import NodeWatch  # noqa: PLC0415

    source: PodSource
    if source_name == "apiserver":
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
            "workload.kube: no address of the API server: this process does not run in a pod "
            "(KUBERNETES_SERVICE_HOST is not set); set workload.kube_url"
        )
    return ""


def _kubelet_url(settings: WorkloadSettings) -> str:
    if settings.kubelet_url:
        return settings.kubelet_url
    if not settings.node_ip:
        raise ConfigInvalid(
            "workload.kube: no address of the kubelet; set workload.node_ip (in a pod from "
            "status.hostIP) or workload.kubelet_url"
        )
    return f"https://{_bracketed(settings.node_ip)}:{_KUBELET_PORT}"


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host and not host.startswith("[") else host
