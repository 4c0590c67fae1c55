"""The settings of the node's agent.

Every field's docstring gives meaning, unit, default and reason. ``docs/reference/settings.md`` is
generated from them.
"""

from typing import Annotated, Literal

from msgspec import Meta, field

from wattribute.core.floor import NODE_POLICIES
from wattribute.core.settings.section import (
    SECONDS,
    Address,
    Interval,
    Seconds,
    Secret,
    Section,
    SettingsTree,
    Watts,
    flag,
    words,
)
from wattribute.node.backends import ACTIVITY_SOURCES, ESTIMATE, METERS


class MeterSettings(Section, frozen=True):
    """Which sensors are read, and where."""

    sysfs: Annotated[str, flag("--sysfs")] = "/sys"
    """Root of sysfs. In a container: the path where the host's sysfs is mounted (container runtimes
    mask powercap)."""
    use: Annotated[
        tuple[Annotated[str, words("auto", *METERS.names, ESTIMATE)], ...],
        Meta(min_length=1),
        flag("--meters"),
    ] = ("auto",)
    """Meters by name, or ``auto``: all meters of this machine, and the estimate for components that
    no meter measures. A named meter that is missing is an error."""
    replay: str = ""
    """File that the meter ``replay`` plays back."""
    nvml_library: str = ""
    """Path of NVIDIA's libnvidia-ml.so.1. "" searches where the loader and the GPU operators put
    it. In a container: the path where the host's library is mounted."""
    rocm: str = "/opt/rocm"
    """Folder of ROCm. Its ``lib/libamd_smi.so`` reports more about AMD GPUs than their kernel
    driver. In a container: the path where the host's folder is mounted."""
    dcgm_url: str = ""
    """Metrics of dcgm-exporter (``http://HOST:9400/metrics``). They say which process used which
    MIG instance, on devices before Hopper, whose driver does not report it. "" sends no request."""
    redfish_url: str = ""
    """URL of the BMC (``https://HOST``), for the power of the whole machine. "" takes the endpoint
    in ``redfish_credentials``. Without either, no BMC is asked."""
    redfish_credentials: str = ""
    """File with ``username`` and ``password``, or in one of Kepler's two formats. Only its owner
    may have read access. The file is read again at every login."""
    redfish_username: Secret = ""
    """User of the BMC, if there is no file. The role ReadOnly is enough."""
    redfish_password: Secret = ""
    """Password of the BMC, if there is no file. Set it in the environment, from a secret."""
    redfish_ca_file: str = ""
    """Certificate of the BMC, or of the authority that signed it. "" takes the system's
    authorities."""
    redfish_insecure: bool = False
    """Accept any certificate, and allow ``http://``. Anyone on the network can then read the
    password and forge the power."""
    redfish_interval: Annotated[float, Meta(ge=1, le=300, extra=SECONDS)] = 10.0
    """Seconds between an answer of the BMC and the next request. BMCs update their values every 1
    to 60 s. The tick never waits for them."""
    redfish_chassis: tuple[str, ...] = ()
    """Ids of the chassis that belong to this node. An empty list takes all chassis that measure
    power and are not part of another."""
    ipmitool: str = "ipmitool"
    """Program that asks the BMC from inside the machine (DCMI), if no other meter measures the
    whole machine."""
    ipmi_interval: Annotated[float, Meta(ge=1, le=300, extra=SECONDS)] = 10.0
    """Seconds between an answer of ``ipmitool`` and the next request."""
    power_max_zone_watts: Watts = 2000.0
    """Highest possible power of a package, DRAM or GPU zone. An interval with more power is
    dropped."""
    power_max_platform_watts: Watts = 50_000.0
    """Highest possible power of a platform meter. An interval with more power is dropped."""


class ActivitySettings(Section, frozen=True):
    """How the agent observes which processes run."""

    procfs: Annotated[str, flag("--procfs")] = "/proc"
    """Root of procfs. In a container: the path where the host's procfs is mounted."""
    cgroupfs: Annotated[str, flag("--cgroupfs")] = ""
    """Root of the cgroup file systems; "" means ``fs/cgroup`` below sysfs."""
    source: Annotated[str, words("auto", *ACTIVITY_SOURCES.names), flag("--activity")] = "auto"
    """Source of CPU usage. ``auto`` takes the first that works, in this order."""
    corun_weight: Annotated[float, Meta(gt=0, le=1)] = 0.65
    """Cost of a cycle while the SMT sibling is also busy, relative to a cycle that runs alone. This
    is an assumption (decision 0003): two busy siblings draw 1.3 times what one draws, so each pays
    0.65."""
    max_processes: Annotated[int, Meta(ge=1024, le=1_048_576)] = 65_536
    """Size limit of the kernel maps, in processes per interval."""


class WorkloadSettings(Section, frozen=True):
    """Names of containers and pods."""

    kube: Annotated[Literal["auto", "apiserver", "kubelet", "off"], flag("--kube")] = "auto"
    """Where pod names come from. ``apiserver`` lists and watches this node's pods. ``kubelet`` asks
    this node's kubelet. ``auto`` means ``apiserver`` inside a cluster or with ``kube_url``,
    otherwise ``off``."""
    kube_url: str = ""
    """API server (``https://HOST:PORT``). "" takes the cluster in which the agent runs
    (``KUBERNETES_SERVICE_HOST``)."""
    kube_token_file: str = "/var/run/secrets/kubernetes.io/serviceaccount/token"  # noqa: S105 - a path
    """File with the ServiceAccount's token. It is read again for every request, because the token
    is rotated."""
    kube_ca_file: str = "/var/run/secrets/kubernetes.io/serviceaccount/ca.crt"
    """Authorities that sign the certificates of the API server and the kubelet. "" takes the
    system's."""
    kubelet_url: str = ""
    """Kubelet (``https://HOST:10250``). "" takes ``node_ip`` and port 10250."""
    kubelet_interval: Annotated[float, Meta(ge=1, le=3600, extra=SECONDS)] = 5.0
    """Shortest time between two requests to the kubelet. One request covers all unknown containers.
    Without unknown containers the kubelet is asked every minute."""
    pod_resources: str = "/var/lib/kubelet/pod-resources/kubelet.sock"
    """The kubelet's socket that reports which container was given which GPU. It is used on nodes
    with GPUs and a source of pod names. "" does not use it: a GPU then counts as held by the
    processes that have it open."""
    node_ip: str = ""
    """Address of this node, for the kubelet (``status.hostIP`` in a pod)."""
    node_name: Annotated[str, flag("--node-name")] = ""
    """Name of this node in Kubernetes (``spec.nodeName`` in a pod), which pod names require. ""
    takes the host's name for labels."""
    cluster: str = ""
    """Name of the cluster in ``wattribute_node_info``."""
    engines: bool = True
    """Read container names from the state files of docker and podman, if they are readable."""


class AttributionSettings(Section, frozen=True):
    """How the energy is shared."""

    idle_policy: Annotated[str, words("auto", *NODE_POLICIES), flag("--idle-policy")] = "auto"
    """Who pays the floor; ``auto`` is ``reserved`` with a Kubernetes source, otherwise ``none``."""
    idle_watts: Annotated[dict[str, Watts], flag("--idle-watts")] = field(default_factory=dict)
    """Floor in watts, by zone (``package-0``, ``dram-0``, ...) or kind (``package``); the floors of
    other zones are learned."""
    weight: Literal["auto", "time", "cycles", "learned", "shadow"] = "auto"
    """By what energy above the floor is shared: CPU ``time``, CPU ``cycles`` (and last-level-cache
    misses in DRAM) where the hardware counts them, or ``learned``: watts per core of each workload,
    learned from the meter and the load. ``shadow`` learns and shows weights, and does not use them.
    ``auto`` is ``cycles`` where they are counted, otherwise ``learned``. Learned weights multiply
    cycles where these are counted. Nothing is learned from estimated energy; where one platform
    meter is the only meter, its weights share the estimated components."""
    gpu_floor: Literal["even", "memory"] = "even"
    """How containers that hold the same GPU share its floor under ``reserved``: evenly, or by the
    memory that they hold there."""
    weights_file: str = ""
    """File of pooled weights (``wattribute weights export``), for a node that begins to learn watts
    per core: workloads that other nodes of this CPU model know do not begin at CPU time. It is read
    at start. "" begins with nothing known."""
    idle_window_days: Annotated[float, Meta(gt=0, le=90, extra={"unit": "days"})] = 7.0
    """Age limit of the readings from which a floor is learned."""


class MonitorSettings(Section, frozen=True):
    """The measuring loop."""

    interval: Annotated[Interval, flag("--interval")] = 5.0
    """Seconds between ticks, 0.2 to 60. At the start, the first readings are 0.5 s apart, then 1
    s."""
    linger: Annotated[Seconds, flag("--linger")] = 300.0
    """Seconds for which the series of an ended consumer stay, so that every scraper reads their
    last value. The time does not depend on scrapes."""
    birth_hold: Seconds = 30.0
    """Seconds for which a new consumer is published as 0, because rate() and increase() ignore the
    first value of a series. Set it to at least twice the scrape interval."""
    state: Annotated[str, flag("--state")] = ""
    """File that keeps totals over a restart; "" keeps nothing."""


class ExporterSettings(Section, frozen=True):
    """What is served, and where."""

    listen: Annotated[tuple[Address, ...], Meta(min_length=1), flag("--listen")] = (
        "127.0.0.1:9102",
    )
    """Addresses to listen on. The default is loopback only."""
    web_config: Annotated[str, flag("--web-config")] = ""
    """A Prometheus web-config.yml, for TLS and basic authentication."""
    metrics: Annotated[Literal["kepler-0.9", "kepler-0.11", "none"], flag("--metrics")] = (
        "kepler-0.9"
    )
    """Kepler's metric families at /metrics; /metrics/kepler-0.11 is always available."""
    processes: bool = False
    """Export one series per process (``kepler_process_*``). Off by default: high cardinality."""
    pod_labels: tuple[str, ...] = ("app", "app.kubernetes.io/*", "team")
    """Labels of pods that ``wattribute_pod_labels`` shows. ``*`` at the end matches any rest. This
    is an allow-list, because some labels change with every roll-out, and each value is a new
    series."""
    spool: Annotated[str, flag("--spool")] = ""
    """Folder for hourly totals as JSON lines, for a ledger without Prometheus (``wattribute ledger
    collect --spool``); "" writes none."""
    spool_max_mib: Annotated[int, Meta(ge=1, le=1_048_576)] = 1024
    """Largest size of the spool. Beyond it the oldest day is deleted, and the log says so."""
    nested: bool = False
    """Set this on a guest whose host is scraped too. Its joules are then left out of cluster
    sums."""


class EstimatorSettings(Section, frozen=True):
    """How power is estimated where there is no meter."""

    model: Annotated[str, flag("--model")] = ""
    """File of the model artefact; "" takes the shipped one."""
    sha256: Annotated[
        str, Meta(pattern=r"^([0-9A-Fa-f]{64})?$", extra={"allowed": "64 hexadecimal digits"})
    ] = ""
    """SHA-256 digest that the artefact's file must have. A file with another digest is refused. ""
    accepts any. With ``model_server``: the digest of the artefact that the server must provide."""
    model_server: Annotated[str, flag("--model-server")] = ""
    """URL of a model server (``http://HOST:8100``). It is asked at start and daily. Until it
    answers, the last valid artefact is used, or the shipped one. It needs ``sha256`` or
    ``public_key``, because a digest from the same server proves nothing. "" asks no server."""
    public_key: Annotated[
        str,
        Meta(pattern=r"^([A-Za-z0-9+/]{43}=)?$", extra={"allowed": "32 bytes in base64"}),
    ] = ""
    """Ed25519 key that must have signed the artefact of ``model_server``. "" checks ``sha256``
    instead. It needs the extra ``wattribute[signed]``, which the image has."""
    model_server_token_file: str = ""
    """File with the token that the model server requires. "" sends none."""
    model_server_ca_file: str = ""
    """Certificate of the model server, or of the authority that signed it. "" takes the system's
    authorities."""
    profile: Literal["typical", "tuned"] = "typical"
    """``tuned`` is for a machine set up for an energy-efficiency benchmark. Ordinary machines draw
    more, most of all at idle."""
    tdp_watts: Watts = 0.0
    """Thermal design power of one CPU package. 0 derives it from the CPU model."""
    instance_type: str = ""
    """The cloud's name for this machine type (``m5.large``). "" takes what the cluster or the
    firmware reports."""
    cloud_metadata: bool = False
    """Ask the cloud's metadata service for the instance type, for at most 1 s at start. Off by
    default, because it sends a network request."""
    calibration: str = ""
    """File of readings that ``wattribute calibrate`` wrote. "" uses none."""


class NodeSettings(SettingsTree, frozen=True):
    """The settings of the agent and of everything else that measures."""

    meter: MeterSettings = MeterSettings()
    activity: ActivitySettings = ActivitySettings()
    workload: WorkloadSettings = WorkloadSettings()
    attribution: AttributionSettings = AttributionSettings()
    monitor: MonitorSettings = MonitorSettings()
    exporter: ExporterSettings = ExporterSettings()
    estimator: EstimatorSettings = EstimatorSettings()
