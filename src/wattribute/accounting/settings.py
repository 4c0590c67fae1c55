"""The settings of accounting: the ledger, ownership, bills, carbon, and the web pages."""

from typing import Annotated, Literal

from msgspec import Meta, Struct, field

from wattribute.accounting.backends import CARBON_SOURCES
from wattribute.core.settings.section import (
    SECONDS,
    Address,
    Seconds,
    Secret,
    Section,
    SettingsTree,
    flag,
    words,
)


class LedgerSettings(Section, frozen=True):
    """Hourly energy in sealed files: where it is kept, and where it is collected from."""

    path: Annotated[str, flag("--ledger")] = "ledger"
    """Folder of the ledger, or a path in an object store (``s3://bucket/prefix``)."""
    cluster: str = ""
    """Name of the cluster for nodes that do not report one (``workload.cluster``)."""
    prometheus_url: Annotated[str, flag("--prometheus")] = ""
    """Prometheus-compatible API that ``ledger collect`` queries (``https://HOST:9090``). For
    Thanos, Mimir and VictoriaMetrics, include the path before ``/api/v1``."""
    selector: str = ""
    """Label matchers that are added to every query (``job="wattribute",cluster="a"``), if one
    Prometheus has several clusters."""
    tenant: str = ""
    """Tenant, sent as ``X-Scope-OrgID`` (Mimir, Cortex) and ``THANOS-TENANT``. "" sends none."""
    bearer_token_file: str = ""
    """File with a token for the API. It is read again for every request."""
    username: Secret = ""
    """User for basic authentication."""
    password_file: str = ""
    """File with the password of ``username``."""
    ca_file: str = ""
    """Authorities that sign the API's certificate. "" takes the system's."""
    annotations: bool = False
    """Also keep pod annotations, for ownership rules. This queries ``kube_pod_annotations`` of
    kube-state-metrics (its flag ``--metric-annotations-allowlist`` selects them)."""
    timeout: Annotated[float, Meta(ge=1, le=3600, extra=SECONDS)] = 120.0
    """Seconds to wait for an answer."""
    settle: Seconds = 600.0
    """Seconds after its end until an hour is sealed. New containers are published with a delay, and
    scrapes can be late."""


class OwnershipRule(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One rule: which owner the matching workloads belong to."""

    when: dict[str, str] = field(default_factory=dict)
    """Subjects and their patterns (``*`` and ``?``), all of which must match. Subjects are
    ``namespace``, ``pod``, ``container``, ``owner`` (``Deployment/name``), ``node``, ``cluster``,
    ``kind``, ``label:NAME``, ``annotation:NAME``. An empty mapping matches everything."""
    team: str = ""
    product: str = ""
    environment: str = ""
    cost_center: str = ""
    since: str = ""
    """First day on which the rule applies (``2026-10-01``, UTC). "" sets no first day."""
    until: str = ""
    """First day on which the rule no longer applies. "" sets no last day."""


class OwnershipSettings(Section, frozen=True):
    """Who owns a workload."""

    rules: Annotated[
        tuple[OwnershipRule, ...],
        Meta(
            extra={
                "allowed": "a list of rules, in the file only: `{when: {namespace: shop-*}, "
                'team: shop}`, `{when: {"label:team": "*"}, team: "{label:team}"}`'
            }
        ),
    ] = ()
    """Ownership rules, in order. ``team``, ``product``, ``environment`` and ``cost_center`` are
    each set by the first rule that matches and names them. ``when`` has patterns (``*``, ``?``) for
    ``namespace``, ``pod``, ``container``, ``owner`` (``Deployment/name``), ``node``, ``cluster``,
    ``kind``, ``label:NAME`` and ``annotation:NAME``. ``since`` and ``until`` are days (UTC).
    Workloads that no rule names are shown in a separate row, as unowned."""


class CarbonSettings(Section, frozen=True):
    """Carbon intensity of electricity, and its sources."""

    location: str = ""
    """Location of nodes that do not report one: a country (``DE``), a grid zone (``US-NW-BPAT``)
    or a cloud region (``aws/eu-central-1``). Nodes of AWS and Google report it in their provider
    id."""
    locations: dict[str, str] = field(default_factory=dict)
    """Location by cluster or node name (``*`` and ``?`` are patterns). The first match applies."""
    basis: Literal["location", "market", "marginal"] = "location"
    """``location`` is the average of the grid. ``market`` is what was bought by contract.
    ``marginal`` is the plant that runs more when more is drawn: use it to shift load, never in a
    report."""
    sources: Annotated[
        tuple[Annotated[str, words(*CARBON_SOURCES.names)], ...], Meta(min_length=1)
    ] = ("table",)
    """Sources, asked in this order. The first that knows a place and time is used. No network
    request is made to a source that is not named here. End with ``table``, the shipped yearly
    averages, so that there is always a value. A value that replaces a failed source is marked
    stale."""
    market: dict[str, Annotated[float, Meta(ge=0)]] = field(default_factory=dict)
    """gCO2e/kWh of the purchased electricity, by place or ``*``, for ``basis: market``."""
    market_source: str = ""
    """Where these factors come from (the supplier's disclosure and its year). It is shown beside
    each gram figure."""
    pue: dict[str, Annotated[float, Meta(ge=1, le=5)]] = field(default_factory=dict)
    """Power usage effectiveness by place or ``*``. Without an entry, the region's value from the
    shipped table is used, and 1 if the table has none."""
    csv: str = ""
    """File for the source ``csv``, with columns ``start`` (RFC 3339), ``place`` (optional) and
    ``g_per_kwh``."""
    prometheus_selector: str = ""
    """Series for the source ``prometheus``, in g/kWh, at ``ledger.prometheus_url``. ``{place}`` and
    ``{zone}`` are replaced: ``grid_intensity_carbon_average{location="{zone}"}``."""
    units: dict[str, str] = field(default_factory=dict)
    """Functional units by name, as PromQL that counts them in ``{window}``, by owner: ``request:
    sum by (app) (increase(http_requests_total[{window}]))``. They are also queried from
    ``ledger.prometheus_url``."""
    electricity_maps_url: str = "https://api.electricitymaps.com/v3"
    """URL of the Electricity Maps API."""
    electricity_maps_token_file: str = ""
    """File with its ``auth-token``. It is read again for every request."""
    watttime_url: str = "https://api.watttime.org"
    """URL of the WattTime API."""
    watttime_credentials: str = ""
    """File with ``username`` and ``password`` for WattTime (YAML or JSON)."""
    uk_url: str = "https://api.carbonintensity.org.uk"
    """URL of Great Britain's Carbon Intensity API, which needs no key."""
    entsoe_url: str = "https://web-api.tp.entsoe.eu/api"
    """URL of ENTSO-E's transparency platform."""
    entsoe_token_file: str = ""
    """File with its security token."""
    timeout: Annotated[float, Meta(ge=0.1, le=300, extra=SECONDS)] = 10.0
    """Seconds for one complete answer. A source that takes longer has failed."""
    refresh: Seconds = 300.0
    """Age in seconds after which the newest value and a forecast are requested again."""
    cache: str = ""
    """Folder of the cache. "" takes ``wattribute/carbon`` in ``XDG_CACHE_HOME`` or ``~/.cache``.
    ``none`` keeps nothing."""
    instance_types: dict[str, str] = field(default_factory=dict)
    """Instance type by node or cluster name (patterns), for the embodied share. AWS instance types
    are known without it."""
    server_kg: Annotated[float, Meta(ge=0, extra={"unit": "kgCO2e"})] = 0.0
    """Emissions of making one server, from its maker's report, for your own machines. 0 means not
    known: there is then no embodied share."""
    server_years: Annotated[float, Meta(gt=0, le=30, extra={"unit": "years"})] = 4.0
    """Lifetime over which these emissions are spread. Cloud Carbon Footprint also uses 4 years."""


class SharedCost(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A pool of shared costs, and the owners that are charged for it."""

    name: Annotated[str, Meta(min_length=1)]
    when: dict[str, str] = field(default_factory=dict)
    """Workloads in the pool, as in ``ownership.rules``."""
    services: tuple[str, ...] = ()
    """Bill lines without a node that are in the pool, by the name of their service (patterns)."""
    to: tuple[str, ...] = ()
    """Owners or other pools that are charged (patterns). An empty list charges every owner."""
    key: Literal["cost", "energy", "requests", "even"] = "cost"
    """Quantity by which they are charged."""


class Budget(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The amount that an owner may use in a month."""

    owner: Annotated[str, Meta(min_length=1)]
    amount: Annotated[float, Meta(gt=0)]
    """Monthly amount, in the bill's currency, kWh or kg of CO2e."""
    of: Literal["cost", "kwh", "kg"] = "cost"
    by: str = "team"
    """Kind of owner, as in ``--by``."""


class BillsSettings(Section, frozen=True):
    """How a bill is split."""

    method: str = "energy-idle-reserved"
    """Id of the method (docs/user/statement.md). ``wattribute compare`` shows the result of each
    method."""
    timezone: str = "UTC"
    """Time zone of the months. Clouds bill in UTC."""
    platform_owner: str = "platform"
    """Owner that pays the floor under the method ``energy-idle-platform``."""
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
    """Shared costs that are charged on to owners or other pools. Each has ``name``, ``when``
    (workloads, as in ``ownership.rules``), ``services`` (of the bill), ``to`` (owners or pools;
    empty: every owner) and ``key`` (``cost``, ``energy``, ``requests``, ``even``). A circle of
    pools is refused."""
    budgets: Annotated[
        tuple[Budget, ...],
        Meta(
            extra={
                "allowed": "a list, in the file only: `{owner: marketing, amount: 25000}`, "
                '`{owner: marketing-ai-bot, by: "label:app", of: kwh, amount: 1200}`'
            }
        ),
    ] = ()
    """Monthly budgets of owners; ``wattribute serve`` shows how fast they are used. Each has
    ``owner``, ``amount``, ``of`` (``cost`` in the bill's currency, ``kwh`` or ``kg``) and ``by``
    (``team``)."""


class Team(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The members of a team, and the owners whose rows they may see."""

    token_file: str = ""
    """File with the team's bearer token. It is read again at every request."""
    users: tuple[str, ...] = ()
    """Users of ``web.web_config``."""
    sees: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Names or patterns of owners that the team may see, for each ``--by``. An empty mapping shows
    the team of this name."""


class WebSettings(Section, frozen=True):
    """``wattribute serve``: statements as web pages and as JSON."""

    listen: Address = "127.0.0.1:9103"
    """Address to listen on. An address that others can reach needs ``teams`` with tokens or users,
    or ``trusted_proxies``."""
    bills: tuple[str, ...] = ()
    """Files of the bill, or patterns: FOCUS, CUR 2.0 (CSV, Parquet), or one price list (YAML). The
    patterns are evaluated at every request."""
    totals: tuple[str, ...] = ()
    """Sums to split if there is no bill (``EC2=50000 USD``), the same every month."""
    by: str = "namespace"
    """Grouping that the pages show first, as in ``--by``."""
    teams: Annotated[
        dict[str, Team],
        Meta(
            extra={
                "allowed": "a mapping, in the file only: `marketing: {token_file: /run/marketing, "
                'sees: {team: [marketing], "label:app": [marketing-*]}}`, '
                '`finance: {users: [ada], sees: {"*": ["*"]}}`'
            }
        ),
    ] = field(default_factory=dict)
    """Teams, and what each may see. ``token_file`` and ``users`` (of ``web_config``) identify the
    members. ``sees`` lists owners for each ``--by``; ``"*"`` means everything, and an empty mapping
    shows the team of this name. Without teams, anyone who reaches a loopback address sees
    everything."""
    web_config: str = ""
    """Prometheus web-config file, for TLS and for users with passwords. Users are read again when
    the file changes. Certificates are read at the start."""
    trusted_proxies: tuple[str, ...] = ()
    """Addresses or networks of proxies that authenticate callers. From any other address
    ``teams_header`` is ignored."""
    teams_header: Annotated[str, Meta(pattern="^[A-Za-z0-9-]+$")] = "X-Forwarded-Groups"
    """Header in which such a proxy names the caller's teams, separated by commas. The proxy must
    remove the header from incoming requests."""


class AccountingSettings(SettingsTree, frozen=True):
    """The settings of everything that turns energy into money and carbon."""

    ledger: LedgerSettings = LedgerSettings()
    ownership: OwnershipSettings = OwnershipSettings()
    bills: BillsSettings = BillsSettings()
    carbon: CarbonSettings = CarbonSettings()
    web: WebSettings = WebSettings()
