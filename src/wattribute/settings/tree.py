"""The settings: one frozen tree, file < environment < flags.

Every field's docstring gives meaning, unit, default and reason;
``docs/reference/settings.md`` is generated from them.
"""

from typing import Annotated, Literal

from msgspec import Meta, Struct, field

_SECONDS = {"unit": "seconds"}
_PORT = r"(6553[0-5]|655[0-2]\d|65[0-4]\d\d|6[0-4]\d{3}|[1-5]\d{4}|\d{1,4})"

Interval = Annotated[float, Meta(ge=0.2, le=60, extra=_SECONDS)]
Seconds = Annotated[float, Meta(ge=0, extra=_SECONDS)]
Watts = Annotated[float, Meta(ge=0, extra={"unit": "watts"})]
Secret = Annotated[str, Meta(extra={"secret": True})]
Address = Annotated[
    str,
    Meta(
        pattern=rf"^(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]*):{_PORT}$",
        extra={"allowed": "HOST:PORT, [IPV6]:PORT, or :PORT for all addresses"},
    ),
]


class _Room(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A part of the tree; an unknown key in it is an error."""


class Meter(_Room, frozen=True):
    """Which sensors are read, and where."""

    sysfs: str = "/sys"
    """Root of sysfs. In a container: where the host's is mounted (runtimes mask powercap)."""
    use: Annotated[tuple[str, ...], Meta(min_length=1)] = ("auto",)
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
    redfish_interval: Annotated[float, Meta(ge=1, le=300, extra=_SECONDS)] = 10.0
    """Seconds from one answer of the BMC to the next question. BMCs renew their values every 1 to
    60 s; the tick never waits for them."""
    redfish_chassis: tuple[str, ...] = ()
    """Ids of the chassis that are this node; none: those that measure power and are not part of
    another."""
    ipmitool: str = "ipmitool"
    """Program that asks the BMC in band (DCMI), where nothing else measures the whole machine."""
    ipmi_interval: Annotated[float, Meta(ge=1, le=300, extra=_SECONDS)] = 10.0
    """Seconds from one answer of ``ipmitool`` to the next question."""
    power_max_zone_watts: Watts = 2000.0
    """More than this in a package, DRAM or GPU zone is impossible: the interval is dropped."""
    power_max_platform_watts: Watts = 50_000.0
    """The same for a platform meter."""


class Activity(_Room, frozen=True):
    """How the agent sees who ran."""

    procfs: str = "/proc"
    """Root of procfs. In a container: where the host's is mounted."""
    cgroupfs: str = ""
    """Root of the cgroup file systems; "" means ``fs/cgroup`` below sysfs."""
    source: Literal["auto", "cycles", "tasks", "cgroup", "procfs"] = "auto"
    """``auto`` takes the first that works of cycles, tasks, cgroup, procfs."""
    corun_weight: Annotated[float, Meta(gt=0, le=1)] = 0.65
    """What a cycle costs while the SMT sibling runs too, against one run alone. An assumption
    (decision 0003): two busy siblings draw 1.3 times what one draws, so that each pays 0.65."""
    max_processes: Annotated[int, Meta(ge=1024, le=1_048_576)] = 65_536
    """Bound of the kernel maps, in processes per interval."""


class Workload(_Room, frozen=True):
    """Names of containers and pods."""

    kube: Literal["auto", "apiserver", "kubelet", "off"] = "auto"
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
    kubelet_interval: Annotated[float, Meta(ge=1, le=3600, extra=_SECONDS)] = 5.0
    """Least time between two questions to the kubelet: unknown containers are asked for together.
    Without unknown ones it is asked every minute."""
    pod_resources: str = "/var/lib/kubelet/pod-resources/kubelet.sock"
    """The kubelet's socket that tells which container was given which GPU; asked where there are
    GPUs and a source of pod names. "" asks nobody: then who has a GPU open holds it."""
    node_ip: str = ""
    """Address of this node, for the kubelet (``status.hostIP`` in a pod)."""
    node_name: str = ""
    """Name of this node, as Kubernetes knows it (``spec.nodeName`` in a pod); needed for pod names.
    "" takes the host's name for labels."""
    cluster: str = ""
    """Name of the cluster in ``wattribute_node_info``."""
    engines: bool = True
    """Read container names from the state files of docker and podman, where readable."""


class Attribution(_Room, frozen=True):
    """How the energy is shared."""

    idle_policy: Literal["auto", "reserved", "usage", "full", "even", "none"] = "auto"
    """Who pays the floor. ``auto``: ``reserved`` with a Kubernetes source, else ``none``."""
    idle_watts: dict[str, Watts] = field(default_factory=dict)
    """Floor given by zone (``package-0``, ``dram-0``, ...) or kind (``package``), in watts; the
    others are learned."""
    gpu_floor: Literal["even", "memory"] = "even"
    """How those who hold one GPU share its floor under ``reserved``: evenly, or by the memory that
    they hold there."""
    idle_window_days: Annotated[float, Meta(gt=0, le=90, extra={"unit": "days"})] = 7.0
    """How far back readings count for a learned floor."""


class Monitor(_Room, frozen=True):
    """The loop."""

    interval: Interval = 5.0
    """Seconds between ticks, 0.2 to 60. The first readings come 0.5 s apart, then 1 s."""
    linger: Seconds = 300.0
    """Seconds for which the series of an ended consumer stay, so that every scraper sees its last
    joule. By the clock, never because somebody scraped."""
    birth_hold: Seconds = 30.0
    """Seconds for which a new consumer is published as 0 (rate() and increase() ignore a series'
    first value); at least twice the scrape interval."""
    state: str = ""
    """File that keeps totals over a restart; "" keeps nothing."""


class Exporter(_Room, frozen=True):
    """What is served, and where."""

    listen: Annotated[tuple[Address, ...], Meta(min_length=1)] = ("127.0.0.1:9102",)
    """Addresses; loopback unless told."""
    web_config: str = ""
    """A Prometheus web-config.yml: TLS and basic auth."""
    metrics: Literal["kepler-0.9", "kepler-0.11", "none"] = "kepler-0.9"
    """Kepler's families at /metrics; /metrics/kepler-0.11 is always there."""
    processes: bool = False
    """Families with one series per process: off, because of their number."""
    pod_labels: tuple[str, ...] = ("app", "app.kubernetes.io/*", "team")
    """Labels of pods that ``wattribute_pod_labels`` shows; ``*`` at the end stands for any rest. An
    allow-list, because some labels change with every roll-out, and each value is a series."""
    spool: str = ""
    """Folder for each hour's totals as JSON lines, for a ledger without Prometheus
    (``wattribute ledger collect --spool``); "" writes none."""
    spool_max_mib: Annotated[int, Meta(ge=1, le=1_048_576)] = 1024
    """Largest size of the spool; beyond it the oldest day is removed, and the log says so."""
    nested: bool = False
    """This is a guest whose host is scraped too: its joules are kept out of cluster sums."""


class Estimator(_Room, frozen=True):
    """Power where there is no meter."""

    model: str = ""
    """Artefact file; "" takes the one that is shipped."""
    sha256: Annotated[
        str, Meta(pattern=r"^([0-9A-Fa-f]{64})?$", extra={"allowed": "64 hexadecimal digits"})
    ] = ""
    """Digest that the artefact's file must have; "" takes any. Another one is refused. With
    ``model_server``: of the artefact that it shall give."""
    model_server: str = ""
    """URL of a model server (``http://HOST:8100``), asked at start and daily; until it answers the
    last good artefact is used, or the shipped one. Needs ``sha256`` or ``public_key``, because a
    digest from the same server proves nothing. "" asks nobody."""
    public_key: Annotated[
        str,
        Meta(pattern=r"^([A-Za-z0-9+/]{43}=)?$", extra={"allowed": "32 bytes in base64"}),
    ] = ""
    """Ed25519 key that must have signed what ``model_server`` gives; "" goes by ``sha256``."""
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


class Ledger(_Room, frozen=True):
    """Hourly energy, sealed: where it is kept, and where it is collected from."""

    path: str = "ledger"
    """Folder of the ledger, or an object store's (``s3://bucket/prefix``)."""
    cluster: str = ""
    """Name of the cluster in entries of nodes that do not say theirs (``workload.cluster``)."""
    prometheus_url: str = ""
    """Prometheus-compatible API that ``ledger collect`` asks (``https://HOST:9090``; Thanos, Mimir
    and VictoriaMetrics with the path before ``/api/v1``)."""
    selector: str = ""
    """Label matchers for every query (``job="wattribute",cluster="a"``), where one Prometheus has
    several clusters."""
    tenant: str = ""
    """Sent as ``X-Scope-OrgID`` (Mimir, Cortex) and ``THANOS-TENANT``; "" sends none."""
    bearer_token_file: str = ""
    """File with a token for the API; read again for every request."""
    username: Secret = ""
    """User for basic authentication."""
    password_file: str = ""
    """File with the password of ``username``."""
    ca_file: str = ""
    """Certificates that sign the API's; "" takes the system's."""
    annotations: bool = False
    """Keep pods' annotations, too, for ownership rules: asks for ``kube_pod_annotations`` of
    kube-state-metrics (its flag ``--metric-annotations-allowlist`` says which)."""
    timeout: Annotated[float, Meta(ge=1, le=3600, extra=_SECONDS)] = 120.0
    """Seconds to wait for an answer."""
    settle: Seconds = 600.0
    """An hour is sealed this long after its end: births are held and scrapes can be late."""


class OwnershipRule(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One rule: to whom belongs what matches."""

    when: dict[str, str] = field(default_factory=dict)
    """Subject to pattern (``*`` and ``?``), all of which must match; subjects: ``namespace``,
    ``pod``, ``container``, ``owner`` (``Deployment/name``), ``node``, ``cluster``, ``kind``,
    ``label:NAME``, ``annotation:NAME``. Nothing: matches all."""
    team: str = ""
    product: str = ""
    environment: str = ""
    cost_center: str = ""
    since: str = ""
    """First day on which it holds (``2026-10-01``, UTC); "" has none."""
    until: str = ""
    """First day on which it no longer holds."""


class Ownership(_Room, frozen=True):
    """Whose a workload is."""

    rules: Annotated[
        tuple[OwnershipRule, ...],
        Meta(
            extra={
                "allowed": "a list of rules, in the file only: `{when: {namespace: shop-*}, "
                'team: shop}`, `{when: {"label:team": "*"}, team: "{label:team}"}`'
            }
        ),
    ] = ()
    """Rules, in order: for each of ``team``, ``product``, ``environment`` and ``cost_center`` the
    first that matches and names it decides. ``when`` has patterns (``*``, ``?``) for ``namespace``,
    ``pod``, ``container``, ``owner`` (``Deployment/name``), ``node``, ``cluster``, ``kind``,
    ``label:NAME`` and ``annotation:NAME``; ``since`` and ``until`` are days (UTC). What no rule
    names is unowned, and a row of its own."""


class Carbon(_Room, frozen=True):
    """What a kilowatt-hour of electricity emits, and who says so."""

    location: str = ""
    """Where nodes are that do not say it: a country (``DE``), a grid zone (``US-NW-BPAT``) or a
    cloud's region (``aws/eu-central-1``). AWS' and Google's nodes say it in their provider id."""
    locations: dict[str, str] = field(default_factory=dict)
    """The same by cluster or node name (``*`` and ``?`` are patterns): the first that matches."""
    basis: Literal["location", "market", "marginal"] = "location"
    """``location``: average of the grid; ``market``: what was bought; ``marginal``: of the plant
    that runs more if more is drawn, for shifting load and never for a report."""
    sources: Annotated[
        tuple[
            Literal["electricity-maps", "watttime", "uk", "entsoe", "csv", "prometheus", "table"],
            ...,
        ],
        Meta(
            min_length=1,
            extra={
                "allowed": "a list, or one text with commas, of electricity-maps, watttime, uk, "
                "entsoe, csv, prometheus, table"
            },
        ),
    ] = ("table",)
    """Asked in this order; the first that knows a place and time answers. Nothing is asked over the
    network unless it is named here. End with ``table``, the shipped yearly averages, so that there
    is always an answer; what stands in for a source that failed is marked stale."""
    market: dict[str, Annotated[float, Meta(ge=0)]] = field(default_factory=dict)
    """gCO2e/kWh of what was bought, by place or ``*``, for ``basis: market``."""
    market_source: str = ""
    """Where these factors are from (the supplier's disclosure and its year): shown beside each
    gram."""
    pue: dict[str, Annotated[float, Meta(ge=1, le=5)]] = field(default_factory=dict)
    """Power usage effectiveness by place or ``*``; without one the region's from the shipped table,
    and 1 where that has none."""
    csv: str = ""
    """File for the source ``csv``: columns ``start`` (RFC 3339), ``place`` (optional) and
    ``g_per_kwh``."""
    prometheus_selector: str = ""
    """Series for the source ``prometheus``, in g/kWh; ``{place}`` and ``{zone}`` are put in:
    ``grid_intensity_carbon_average{location="{zone}"}``. At ``ledger.prometheus_url``."""
    units: dict[str, str] = field(default_factory=dict)
    """Functional units by name, as PromQL that counts them in ``{window}``, by owner:
    ``request: sum by (app) (increase(http_requests_total[{window}]))``. From
    ``ledger.prometheus_url`` too."""
    electricity_maps_url: str = "https://api.electricitymaps.com/v3"
    """Address of Electricity Maps' API."""
    electricity_maps_token_file: str = ""
    """File with its ``auth-token``; read again for every request."""
    watttime_url: str = "https://api.watttime.org"
    """Address of WattTime's API."""
    watttime_credentials: str = ""
    """File with ``username`` and ``password`` (YAML or JSON)."""
    uk_url: str = "https://api.carbonintensity.org.uk"
    """Address of Great Britain's Carbon Intensity API, which needs no key."""
    entsoe_url: str = "https://web-api.tp.entsoe.eu/api"
    """Address of ENTSO-E's transparency platform."""
    entsoe_token_file: str = ""
    """File with its security token."""
    timeout: Annotated[float, Meta(ge=0.1, le=300, extra=_SECONDS)] = 10.0
    """Seconds for one answer as a whole; a source that takes longer has failed."""
    refresh: Seconds = 300.0
    """The newest value, and a forecast, are asked for again after this."""
    cache: str = ""
    """Folder in which answers are kept; "" takes ``wattribute/carbon`` in ``XDG_CACHE_HOME`` or
    ``~/.cache``; ``none`` keeps nothing."""
    instance_types: dict[str, str] = field(default_factory=dict)
    """Instance type by node or cluster name (patterns), for the embodied share; AWS' are known."""
    server_kg: Annotated[float, Meta(ge=0, extra={"unit": "kgCO2e"})] = 0.0
    """What making one server emitted, from its maker's report, for machines of your own; 0: not
    known, and no embodied share."""
    server_years: Annotated[float, Meta(gt=0, le=30, extra={"unit": "years"})] = 4.0
    """Over how long that is written off; Cloud Carbon Footprint takes 4 years too."""


class SharedCost(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A pool of costs that everybody causes, and who is charged for it."""

    name: Annotated[str, Meta(min_length=1)]
    when: dict[str, str] = field(default_factory=dict)
    """Which workloads are in it; as in ``ownership.rules``."""
    services: tuple[str, ...] = ()
    """Lines of the bill for no node that are in it, by the name of their service (patterns)."""
    to: tuple[str, ...] = ()
    """Who is charged, owners or other pools (patterns); nothing: every owner."""
    key: Literal["cost", "energy", "requests", "even"] = "cost"
    """What they are charged by."""


class Bills(_Room, frozen=True):
    """How a bill is split."""

    method: str = "energy-idle-reserved"
    """Id of the method (docs/user/statement.md); ``wattribute compare`` shows what each gives."""
    timezone: str = "UTC"
    """Time zone of the months; clouds bill in UTC."""
    platform_owner: str = "platform"
    """Who pays the floor under the method ``energy-idle-platform``."""
    tariff: str = ""
    """Price of a kWh for the method ``two-part``: a number in the bill's currency, or a price list
    (YAML) whose ``energy`` has prices by the hour."""
    shared: Annotated[
        tuple[SharedCost, ...],
        Meta(
            extra={
                "allowed": "a list, in the file only: `{name: ingress, when: {namespace: ingress}, "
                'key: energy}`, `{name: control-plane, services: [AmazonEKS], to: ["*"]}`'
            }
        ),
    ] = ()
    """Shared costs, charged on to owners or other pools: ``name``, ``when`` (workloads, as in
    ``ownership.rules``), ``services`` (of the bill), ``to`` (owners or pools; nothing: every
    owner), ``key`` (``cost``, ``energy``, ``requests``, ``even``). A circle is refused."""


class Scaler(_Room, frozen=True):
    """The external scaler for KEDA. Prometheus is that of the room ``ledger``."""

    listen: Address = "127.0.0.1:9104"
    """Address of gRPC; loopback unless told."""
    json_listen: Address = "127.0.0.1:9105"
    """Address of the JSON for KEDA's metrics-api trigger, and of ``/metrics``."""
    queries: Annotated[
        dict[str, str],
        Meta(
            extra={
                "allowed": "a mapping of names to PromQL with `$namespace`, in the file: "
                "`{queue: 'sum(queue_length{exported_namespace=\"$namespace\"})'}`"
            }
        ),
    ] = field(default_factory=dict)
    """Query templates by name, each of which gives one number. Trigger metadata come from any
    namespace and can only name one of these; ``$namespace`` (which each must have) becomes the
    ScaledObject's namespace, ``$workload`` its key ``workload``, or its name. ``power`` is there
    from the start: watts per pod of ``$workload``."""
    policies: str = ""
    """Policy file, or folder of policy files, that the JSON serves: its URL says which, so whose
    demand may be read is the operator's choice. "" serves none."""
    refresh: Annotated[float, Meta(ge=1, le=300, extra=_SECONDS)] = 15.0
    """Each ScaledObject is decided anew after this; KEDA's calls are answered from memory."""
    timeout: Annotated[float, Meta(ge=1, le=60, extra=_SECONDS)] = 5.0
    """Seconds to wait for Prometheus."""
    stale: Seconds = 300.0
    """An older demand, or an older carbon intensity from a live source that no longer answers, does
    not count: the policy fails open."""
    max_objects: Annotated[int, Meta(ge=1, le=100_000)] = 5000
    """ScaledObjects that are remembered; more are refused."""
    state: str = ""
    """File that keeps what carbon budgets have spent today over a restart; "" keeps nothing."""
    tls_cert: str = ""
    """Certificate (PEM) for gRPC and JSON; "" serves both without TLS."""
    tls_key: str = ""
    """Its key."""
    tls_client_ca: str = ""
    """Certificates that must have signed those of gRPC's callers; "" takes any caller."""
    token_file: str = ""
    """File with the token that JSON's callers must send (KEDA's authMode ``bearer``); "" asks for
    none. ``/metrics`` needs none."""


class Log(_Room, frozen=True):
    """The log, on standard error."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    """Least level that is written."""
    format: Literal["text", "json"] = "text"
    """``text`` for people, ``json`` for log collectors."""


class Settings(_Room, frozen=True):
    """The whole tree; its keys are the rooms of the house."""

    meter: Meter = Meter()
    activity: Activity = Activity()
    workload: Workload = Workload()
    attribution: Attribution = Attribution()
    monitor: Monitor = Monitor()
    exporter: Exporter = Exporter()
    estimator: Estimator = Estimator()
    ledger: Ledger = Ledger()
    ownership: Ownership = Ownership()
    bills: Bills = Bills()
    carbon: Carbon = Carbon()
    scaler: Scaler = Scaler()
    log: Log = Log()
