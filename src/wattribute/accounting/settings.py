"""The settings of the accounting: books, bills, carbon, and who is shown what of them."""

from typing import Annotated, Literal

from msgspec import Meta, Struct, field

from wattribute.core.settings.section import SECONDS, Address, Seconds, Secret, Section, Tree, flag


class LedgerSettings(Section, frozen=True):
    """Hourly energy, sealed: where it is kept, and where it is collected from."""

    path: Annotated[str, flag("--ledger")] = "ledger"
    """Folder of the ledger, or an object store's (``s3://bucket/prefix``)."""
    cluster: str = ""
    """Name of the cluster in entries of nodes that do not say theirs (``workload.cluster``)."""
    prometheus_url: Annotated[str, flag("--prometheus")] = ""
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
    timeout: Annotated[float, Meta(ge=1, le=3600, extra=SECONDS)] = 120.0
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


class OwnershipSettings(Section, frozen=True):
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


class CarbonSettings(Section, frozen=True):
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
    timeout: Annotated[float, Meta(ge=0.1, le=300, extra=SECONDS)] = 10.0
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


class Budget(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What an owner may use in a month."""

    owner: Annotated[str, Meta(min_length=1)]
    amount: Annotated[float, Meta(gt=0)]
    """In the bill's currency, kWh or kg of CO2e."""
    of: Literal["cost", "kwh", "kg"] = "cost"
    by: str = "team"
    """What kind of owner it is, as in ``--by``."""


class BillsSettings(Section, frozen=True):
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
    budgets: Annotated[
        tuple[Budget, ...],
        Meta(
            extra={
                "allowed": "a list, in the file only: `{owner: marketing, amount: 25000}`, "
                '`{owner: marketing-ai-bot, by: "label:app", of: kwh, amount: 1200}`'
            }
        ),
    ] = ()
    """What owners may use in a month; ``wattribute serve`` shows how fast it burns: ``owner``,
    ``amount``, ``of`` (``cost`` in the bill's currency, ``kwh`` or ``kg``), ``by`` (``team``)."""


class Team(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Who belongs to a team, and what they see."""

    token_file: str = ""
    """File with the team's bearer token; read again at every request."""
    users: tuple[str, ...] = ()
    """Users of ``web.web_config``."""
    sees: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Names or patterns of owners, by what ``--by`` says; nothing: the team of this name."""


class WebSettings(Section, frozen=True):
    """``wattribute serve``: statements as pages and as JSON."""

    listen: Address = "127.0.0.1:9103"
    """Address to listen on; one that others can reach needs ``teams`` with tokens or users, or
    ``trusted_proxies``."""
    bills: tuple[str, ...] = ()
    """Files of the bill, or patterns: FOCUS, CUR 2.0 (CSV, Parquet), or one price list (YAML).
    Looked for again at every question."""
    totals: tuple[str, ...] = ()
    """Without a bill: sums that are split, ``EC2=50000 USD``, the same every month."""
    by: str = "namespace"
    """Whose costs the pages show at first, as in ``--by``."""
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
    """Teams and what each sees: ``token_file``, ``users`` (of ``web_config``), ``sees`` (by what
    ``--by`` says, which owners; ``"*"`` is everything; nothing: the team of this name). Without
    teams whoever reaches a loopback address sees everything."""
    web_config: str = ""
    """Prometheus web-config file: TLS, and users with passwords. Users are read again when it
    changes; certificates at the next start."""
    trusted_proxies: tuple[str, ...] = ()
    """Addresses or networks of proxies that check who asks; from anywhere else ``teams_header``
    is not looked at."""
    teams_header: Annotated[str, Meta(pattern="^[A-Za-z0-9-]+$")] = "X-Forwarded-Groups"
    """Header in which such a proxy names the teams of whoever asks, with commas between them. It
    must remove the header from what comes in."""


class AccountingSettings(Tree, frozen=True):
    """What everything that turns energy into money and carbon goes by."""

    ledger: LedgerSettings = LedgerSettings()
    ownership: OwnershipSettings = OwnershipSettings()
    bills: BillsSettings = BillsSettings()
    carbon: CarbonSettings = CarbonSettings()
    web: WebSettings = WebSettings()
