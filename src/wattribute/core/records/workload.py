"""The workload that a cgroup belongs to, and what a cluster says of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Placement:
    """The facts that the path of a cgroup gives."""

    kind: str
    """``container``, ``pod`` (a pod's own cgroup, above its containers), ``vm``, or ``system``
    (systemd units, sessions, the root: anything that is not in a container)."""
    container_id: str = ""
    """The runtime's id, without prefix; 64 hex digits as a rule. LXC: the container's name."""
    runtime: str = ""
    """``docker``, ``containerd``, ``cri-o``, ``podman``, ``lxc``, ``systemd-nspawn``; "" if the
    path does not say it (cgroupfs driver)."""
    pod_uid: str = ""
    """The pod's UID with dashes, as Kubernetes writes it."""
    unit: str = ""
    """The systemd unit: ``ssh.service``."""
    vm_id: str = ""
    """The domain name of libvirt, or the machine's name."""


@dataclass(frozen=True, slots=True)
class Workload:
    """The facts that Kubernetes or a container engine gives about a container."""

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
    """The limits, by the same names; a resource without a limit is absent."""
    runtime: str = ""
    """The runtime, as in Placement; "" if the source does not say it."""
    image: str = ""
    """The first 12 digits of the image's digest; "" if the source does not say it."""


@dataclass(frozen=True, slots=True)
class NodeFacts:
    """The facts that a cluster gives about this node; "" and {} mean not known."""

    provider_id: str = ""
    """``aws:///eu-west-1a/i-0123``."""
    instance_type: str = ""
    region: str = ""
    capacity: Mapping[str, int] = field(default_factory=dict)
    """``cpu_mcore``, ``memory_bytes`` and ``gpu`` that the node has, the system's part included."""


@dataclass(frozen=True, slots=True)
class DeviceAllocation:
    """A device that the kubelet gave to a container."""

    namespace: str
    pod: str
    container: str
    resource: str
    """``nvidia.com/gpu``; of dynamic resource allocation the driver, ``gpu.nvidia.com``."""
    device: str
    """The device's name in its plugin: a UUID, a number, a PCI address, or any other text."""


@dataclass(frozen=True, slots=True)
class IdentityHealth:
    """The state of a source of names."""

    name: str
    up: bool
    """Whether its last request was answered."""
    failures: int
    requests: int
    pods: int
    """The number of pods of this node that it knows."""
    message: str
    """The last problem; "" if there is none."""
