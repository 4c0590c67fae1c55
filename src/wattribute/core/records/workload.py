"""Who a cgroup belongs to."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Placement:
    """What the path of a cgroup says."""

    kind: str
    """``container``, ``pod`` (a pod's own cgroup, above its containers), ``vm``, or ``system``
    (systemd units, sessions, the root: anything that is not in a container)."""
    container_id: str = ""
    """The runtime's id, without prefix; 64 hex digits as a rule. LXC: the container's name."""
    runtime: str = ""
    """``docker``, ``containerd``, ``cri-o``, ``podman``, ``lxc``, ``systemd-nspawn``; "" when the
    path does not say (cgroupfs driver)."""
    pod_uid: str = ""
    """With dashes, as Kubernetes writes it."""
    unit: str = ""
    """systemd unit, e.g. ``ssh.service``."""
    vm_id: str = ""
    """libvirt's domain name, or the machine's name."""


@dataclass(frozen=True, slots=True)
class Workload:
    """What Kubernetes (or a container engine) knows of a container."""

    pod_uid: str = ""
    namespace: str = ""
    pod: str = ""
    container: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    owner_kind: str = ""
    owner_name: str = ""
    qos: str = ""
    """``Guaranteed``, ``Burstable``, ``BestEffort``."""
    requests: Mapping[str, int] = field(default_factory=dict)
    """``cpu_mcore``, ``memory_bytes``, ``gpu``."""
    limits: Mapping[str, int] = field(default_factory=dict)
    """The same; a resource without a limit is absent."""
    runtime: str = ""
    """As in Placement; "" when the source does not say."""


@dataclass(frozen=True, slots=True)
class NodeFacts:
    """What a cluster knows of this node; "" and {}: not known."""

    provider_id: str = ""
    """``aws:///eu-west-1a/i-0123``."""
    instance_type: str = ""
    region: str = ""
    capacity: Mapping[str, int] = field(default_factory=dict)
    """``cpu_mcore``, ``memory_bytes``, ``gpu``: what pods can reserve, and the system's part."""


@dataclass(frozen=True, slots=True)
class Allocation:
    """A device that the kubelet gave to a container."""

    namespace: str
    pod: str
    container: str
    resource: str
    """``nvidia.com/gpu``; of dynamic resource allocation the driver, ``gpu.nvidia.com``."""
    device: str
    """As its plugin calls it: a UUID, a number, a PCI address; any text."""


@dataclass(frozen=True, slots=True)
class IdentityHealth:
    """How a source of names is doing."""

    name: str
    up: bool
    """Its last request was answered."""
    failures: int
    requests: int
    pods: int
    """Pods of this node that it knows."""
    message: str
    """What was wrong last; "" when all is well."""
