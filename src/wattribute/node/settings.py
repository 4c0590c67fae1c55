"""The settings of the node's agent.

Every field's docstring gives meaning, unit, default and reason;
``docs/reference/settings.md`` is generated from them.
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
    Tree,
    Watts,
    flag,
    words,
)
from wattribute.node.backends import ACTIVITY_SOURCES, ESTIMATE, METERS


class MeterSettings(Section, frozen=True):
    """Which sensors are read, and where."""

    sysfs: Annotated[str, flag("--sysfs")] = "/sys"
    """Root of sysfs. In a container: where the host's is mounted (runtimes mask powercap)."""
    use: Annotated[
        tuple[Annotated[str, words("auto", *METERS.names, ESTIMATE)], ...],
        Meta(min_length=1),
        flag("--meters"),
    ] = ("auto",)
    """Meters by name, or ``auto``: all that this machine has, and the estimate for components that
    none measures. A meter that is named and not there is an error."""
    replay: str = ""
    """File to play for the meter ``replay``."""
    nvml_library: str = ""
    """NVIDIA's libnvidia-ml.so.1; "" looks where the loader and GPU operators have it. In a
    container: where the host's is mounted."""
    rocm: str = "/opt/rocm"
    """Folder of ROCm, whose ``lib/libamd_smi.so`` knows AMD's GPUs better than their kernel driver.
    In a container: where the host's is mounted."""
    dcgm_url: str = ""
    """Metrics of dcgm-exporter, ``http://HOST:9400/metrics``: who used which MIG instance, on
    devices (before Hopper) whose driver does not tell. "" asks nobody."""
    redfish_url: str = ""
    """The BMC (``https://HOST``), for the power of the whole machine; "" takes the endpoint of
    ``redfish_credentials``, and without one none is asked."""
    redfish_credentials: str = ""
    """File with ``username`` and ``password``, or in one of Kepler's two forms; readable to its
    owner alone. It is read again at every login."""
    redfish_username: Secret = ""
    """User, where there is no file; the role ReadOnly is enough."""
    redfish_password: Secret = ""
    """Password, where there is no file; by the environment, from a secret."""
    redfish_ca_file: str = ""
    """Certificate of the BMC, or of what signed it; "" takes the system's authorities."""
    redfish_insecure: bool = False
    """Take any certificate, and allow ``http://``: whoever is on the network can then read the
    password and invent the power."""
    redfish_interval: Annotated[float, Meta(ge=1, le=300, extra=SECONDS)] = 10.0
    """Seconds from one answer of the BMC to the next question. BMCs renew their values every 1 to
    60 s; the tick never waits for them."""
    redfish_chassis: tuple[str, ...] = ()
    """Ids of the chassis that are this node; none: those that measure power and are not part of
    another."""
    ipmitool: str = "ipmitool"
    """Program that asks the BMC in band (DCMI), where nothing else measures the whole machine."""
    ipmi_interval: Annotated[float, Meta(ge=1, le=300, extra=SECONDS)] = 10.0
    """Seconds from one answer of ``ipmitool`` to the next question."""
    power_max_zone_watts: Watts = 2000.0
    """More than this in a package, DRAM or GPU zone is impossible: the interval is dropped."""
    power_max_platform_watts: Watts = 50_000.0
    """The same for a platform meter."""


class ActivitySettings(Section, frozen=True):
    """How the agent sees who ran."""

    procfs: Annotated[str, flag("--procfs")] = "/proc"
    """Root of procfs. In a container: where the host's is mounted."""
    cgroupfs: Annotated[str, flag("--cgroupfs")] = ""
    """Root of the cgroup file systems; "" means ``fs/cgroup`` below sysfs."""
    source: Annotated[str, words("auto", *ACTIVITY_SOURCES.names), flag("--activity")] = "auto"
    """``auto`` takes the first that works, in this order."""
    corun_weight: Annotated[float, Meta(gt=0, le=1)] = 0.65
    """What a cycle costs while the SMT sibling runs too, against one run alone. An assumption
    (decision 0003): two busy siblings draw 1.3 times what one draws, so that each pays 0.65."""
    max_processes: Annotated[int, Meta(ge=1024, le=1_048_576)] = 65_536
    """Bound of the kernel maps, in processes per interval."""


class WorkloadSettings(Section, frozen=True):
    """Names of containers and pods."""

    kube: Annotated[Literal["auto", "apiserver", "kubelet", "off"], flag("--kube")] = "auto"
    """Where pod names come from. ``apiserver`` lists and watches this node's pods; ``kubelet`` asks
    this node's kubelet; ``auto``: ``apiserver`` inside a cluster or with ``kube_url``, else off."""
    kube_url: str = ""
    """API server (``https://HOST:PORT``); "" takes the cluster in which the agent runs
    (``KUBERNETES_SERVICE_HOST``)."""
    kube_token_file: str = "/var/run/secrets/kubernetes.io/serviceaccount/token"  # noqa: S105 - a path
    """Token of the ServiceAccount; read again for every request, because it is replaced."""
    kube_ca_file: str = "/var/run/secrets/kubernetes.io/serviceaccount/ca.crt"
    """Certificates that sign the API server's and the kubelet's; "" takes the system's."""
    kubelet_url: str = ""
    """Kubelet (``https://HOST:10250``); "" takes ``node_ip`` and port 10250."""
    kubelet_interval: Annotated[float, Meta(ge=1, le=3600, extra=SECONDS)] = 5.0
    """Least time between two questions to the kubelet: unknown containers are asked for together.
    Without unknown ones it is asked every minute."""
    pod_resources: str = "/var/lib/kubelet/pod-resources/kubelet.sock"
    """The kubelet's socket that tells which container was given which GPU; asked where there are
    GPUs and a source of pod names. "" asks nobody: then who has a GPU open holds it."""
    node_ip: str = ""
    """Address of this node, for the kubelet (``status.hostIP`` in a pod)."""
    node_name: Annotated[str, flag("--node-name")] = ""
    """Name of this node, as Kubernetes knows it (``spec.nodeName`` in a pod); needed for pod names.
    "" takes the host's name for labels."""
    cluster: str = ""
    """Name of the cluster in ``wattribute_node_info``."""
    engines: bool = True
    """Read container names from the state files of docker and podman, where readable."""


class AttributionSettings(Section, frozen=True):
    """How the energy is shared."""

    idle_policy: Annotated[str, words("auto", *NODE_POLICIES), flag("--idle-policy")] = "auto"
    """Who pays the floor. ``auto``: ``reserved`` with a Kubernetes source, else ``none``."""
    idle_watts: Annotated[dict[str, Watts], flag("--idle-watts")] = field(default_factory=dict)
    """Floor given by zone (``package-0``, ``dram-0``, ...) or kind (``package``), in watts; the
    others are learned."""
    gpu_floor: Literal["even", "memory"] = "even"
    """How those who hold one GPU share its floor under ``reserved``: evenly, or by the memory that
    they hold there."""
    idle_window_days: Annotated[float, Meta(gt=0, le=90, extra={"unit": "days"})] = 7.0
    """How far back readings count for a learned floor."""


class MonitorSettings(Section, frozen=True):
    """The loop."""

    interval: Annotated[Interval, flag("--interval")] = 5.0
    """Seconds between ticks, 0.2 to 60. The first readings come 0.5 s apart, then 1 s."""
    linger: Annotated[Seconds, flag("--linger")] = 300.0
    """Seconds for which the series of an ended consumer stay, so that every scraper sees its last
    joule. By the clock, never because somebody scraped."""
    birth_hold: Seconds = 30.0
    """Seconds for which a new consumer is published as 0 (rate() and increase() ignore a series'
    first value); at least twice the scrape interval."""
    state: Annotated[str, flag("--state")] = ""
    """File that keeps totals over a restart; "" keeps nothing."""


class ExporterSettings(Section, frozen=True):
    """What is served, and where."""

    listen: Annotated[tuple[Address, ...], Meta(min_length=1), flag("--listen")] = (
        "127.0.0.1:9102",
    )
    """Addresses; loopback unless told."""
    web_config: Annotated[str, flag("--web-config")] = ""
    """A Prometheus web-config.yml: TLS and basic auth."""
    metrics: Annotated[Literal["kepler-0.9", "kepler-0.11", "none"], flag("--metrics")] = (
        "kepler-0.9"
    )
    """Kepler's families at /metrics; /metrics/kepler-0.11 is always there."""
    processes: bool = False
    """Families with one series per process: off, because of their number."""
    pod_labels: tuple[str, ...] = ("app", "app.kubernetes.io/*", "team")
    """Labels of pods that ``wattribute_pod_labels`` shows; ``*`` at the end stands for any rest. An
    allow-list, because some labels change with every roll-out, and each value is a series."""
    spool: Annotated[str, flag("--spool")] = ""
    """Folder for each hour's totals as JSON lines, for a ledger without Prometheus
    (``wattribute ledger collect --spool``); "" writes none."""
    spool_max_mib: Annotated[int, Meta(ge=1, le=1_048_576)] = 1024
    """Largest size of the spool; beyond it the oldest day is removed, and the log says so."""
    nested: bool = False
    """This is a guest whose host is scraped too: its joules are kept out of cluster sums."""


class EstimatorSettings(Section, frozen=True):
    """Power where there is no meter."""

    model: Annotated[str, flag("--model")] = ""
    """Artefact file; "" takes the one that is shipped."""
    sha256: Annotated[
        str, Meta(pattern=r"^([0-9A-Fa-f]{64})?$", extra={"allowed": "64 hexadecimal digits"})
    ] = ""
    """Digest that the artefact's file must have; "" takes any. Another one is refused. With
    ``model_server``: of the artefact that it shall give."""
    model_server: Annotated[str, flag("--model-server")] = ""
    """URL of a model server (``http://HOST:8100``), asked at start and daily; until it answers the
    last good artefact is used, or the shipped one. Needs ``sha256`` or ``public_key``, because a
    digest from the same server proves nothing. "" asks nobody."""
    public_key: Annotated[
        str,
        Meta(pattern=r"^([A-Za-z0-9+/]{43}=)?$", extra={"allowed": "32 bytes in base64"}),
    ] = ""
    """Ed25519 key that must have signed what ``model_server`` gives; "" goes by ``sha256``. Needs
    the extra ``wattribute[signed]``, which the image has."""
    model_server_token_file: str = ""
    """File with the token that the model server wants; "" sends none."""
    model_server_ca_file: str = ""
    """Certificate of the model server, or of what signed it; "" takes the system's authorities."""
    profile: Literal["typical", "tuned"] = "typical"
    """``tuned`` for a machine set up for a benchmark of energy efficiency. Ordinary ones draw more,
    most of all when idle."""
    tdp_watts: Watts = 0.0
    """Thermal design power of one CPU package; 0 takes it from the CPU's identity."""
    instance_type: str = ""
    """The cloud's name for this machine (``m5.large``); "" takes what the cluster or the firmware
    tells."""
    cloud_metadata: bool = False
    """Ask the cloud's metadata service for the instance type, for at most 1 s at start. Off,
    because it is a request to the network."""
    calibration: str = ""
    """File of readings that ``wattribute calibrate`` wrote; "" uses none."""


class NodeSettings(Tree, frozen=True):
    """What the agent, and everything else that measures, goes by."""

    meter: MeterSettings = MeterSettings()
    activity: ActivitySettings = ActivitySettings()
    workload: WorkloadSettings = WorkloadSettings()
    attribution: AttributionSettings = AttributionSettings()
    monitor: MonitorSettings = MonitorSettings()
    exporter: ExporterSettings = ExporterSettings()
    estimator: EstimatorSettings = EstimatorSettings()
