"""A trigger's metadata -> a policy, each key checked.

Metadata come from any namespace. So they hold numbers and names, never an address, a credential
or PromQL: ``query`` names a template of the scaler's settings.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from difflib import get_close_matches
from typing import Final

from wattribute.core.errors import ConfigInvalid

_LONGEST: Final = 253
_NAME: Final = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?")
"""A name of Kubernetes (RFC 1123 subdomain): nothing in it can end a PromQL text."""
_TRANSPORT: Final = frozenset(
    {"scalerAddress", "enableTLS", "caCert", "tlsClientCert", "tlsClientKey", "unsafeSsl"}
    | {"tlsCertFile"}
)
"""KEDA's own keys for how it reaches a scaler; it passes them on."""
_HALF_DAY_MIN: Final = 720.0


@dataclass(frozen=True, slots=True)
class Policy:
    """What one ScaledObject wants. Keys that its kind does not have are at their defaults."""

    kind: str
    """intensity, percentile, power-cap, carbon-budget or deadline."""
    query: str
    """Template that tells the demand."""
    target: float
    """Demand that one replica is for; more than 0."""
    fail_open_replicas: int
    """As many are allowed while a signal is missing."""
    workload: str = ""
    """``$workload`` in templates; "" is the ScaledObject's name."""
    region: str = ""
    """"" is the settings' ``carbon.location``."""
    floor_replicas: int = 0
    max_replicas: int = 100
    hysteresis: float = 0.05
    """Part of the threshold by which a signal must fall below it before the pause ends."""
    min_dwell_s: float = 300.0
    max_pause_s: float = 0.0
    """0: no limit."""
    dry_run: bool = False
    scale_down: bool = False
    """``handler: scaleDown``; else a pause."""
    watts_per_replica: float = 0.0
    """0: the template ``power_query`` tells."""
    power_query: str = "power"
    units_per_replica_hour: float = 0.0
    """Units of demand that one replica works off in an hour; 0: not known."""
    emission_threshold: float = 0.0
    """g/kWh."""
    percentile: float = 0.0
    watts: float = 0.0
    grams_per_day: float = 0.0
    deadline_s: float = 0.0
    """Unix time."""
    margin_s: float = 1800.0

    @property
    def needs_forecast(self) -> bool:
        """Whether it looks ahead."""
        return self.kind in ("percentile", "deadline")

    @property
    def needs_carbon(self) -> bool:
        """Whether it goes by the carbon intensity at all."""
        return self.kind != "power-cap"

    @property
    def needs_power(self) -> bool:
        """Whether it cannot decide without watts per replica."""
        return self.kind in ("power-cap", "carbon-budget")


_COMMON: Final = frozenset(
    {"policy", "query", "target", "failOpenReplicas", "workload", "floorReplicas", "maxReplicas"}
    | {"maxPauseMinutes", "dryRun", "wattsPerReplica", "powerQuery", "unitsPerReplicaHour"}
    | {"region"}
)
_SIGNAL: Final = frozenset({"handler", "hysteresis", "minDwellMinutes"})
_KEYS: Final[Mapping[str, tuple[frozenset[str], frozenset[str]]]] = {
    "intensity": (frozenset({"emissionThreshold"}), _SIGNAL),
    "percentile": (frozenset({"percentile"}), _SIGNAL),
    "power-cap": (frozenset({"watts"}), frozenset({"hysteresis"})),
    "carbon-budget": (frozenset({"gramsPerDay"}), frozenset()),
    "deadline": (
        frozenset({"deadline", "unitsPerReplicaHour"}),
        frozenset({"marginMinutes", "minDwellMinutes"}),
    ),
}
"""By kind: the keys that it needs, and those that it may have beside the common ones."""


def read_policy(metadata: Mapping[str, str]) -> Policy:
    """The policy of a trigger's metadata.

    Raises:
        ConfigInvalid: a key or value that is wrong, in one line.
    """
    given = {key: value for key, value in metadata.items() if key not in _TRANSPORT}
    kind = given.get("policy", "")
    if kind not in _KEYS:
        known = ", ".join(_KEYS)
        raise ConfigInvalid(f"policy: {kind[:40]!r} is none of {known}")
    needed, optional = _KEYS[kind]
    _check_names(kind, given, _COMMON | needed | optional)
    for key in ("query", "target", "failOpenReplicas", *sorted(needed)):
        if key not in given:
            raise ConfigInvalid(f"{key}: missing; the policy {kind} needs it")
    read = _Reader(given)
    highest = read.whole("maxReplicas", 100, low=1, high=100_000)
    pause_min = _HALF_DAY_MIN if kind in ("intensity", "percentile") else 0.0
    policy = Policy(
        kind=kind,
        query=read.name("query"),
        target=read.number("target", low=1e-6),
        fail_open_replicas=read.whole("failOpenReplicas", 0, low=0, high=highest),
        workload=read.name("workload"),
        region=given.get("region", "").strip(),
        floor_replicas=read.whole("floorReplicas", 0, low=0, high=highest),
        max_replicas=highest,
        hysteresis=read.number("hysteresis", 0.05, low=0.0, high=0.9),
        min_dwell_s=60 * read.number("minDwellMinutes", 5.0, low=0.0, high=1440.0),
        max_pause_s=60 * read.number("maxPauseMinutes", pause_min, low=0.0, high=10_080.0),
        dry_run=read.choice("dryRun", ("false", "true")) == "true",
        scale_down=read.choice("handler", ("pause", "scaleDown")) == "scaleDown",
        watts_per_replica=read.number("wattsPerReplica", 0.0, low=0.0, high=1e6),
        power_query=read.name("powerQuery") or "power",
        units_per_replica_hour=read.number("unitsPerReplicaHour", 0.0, low=0.0),
        emission_threshold=read.number("emissionThreshold", 0.0, above=0.0),
        percentile=read.number("percentile", 0.0, above=0.0, high=100.0),
        watts=read.number("watts", 0.0, above=0.0),
        grams_per_day=read.number("gramsPerDay", 0.0, above=0.0),
        deadline_s=read.instant("deadline"),
        margin_s=60 * read.number("marginMinutes", 30.0, low=1.0, high=1440.0),
    )
    if kind == "deadline" and not policy.units_per_replica_hour:
        raise ConfigInvalid("unitsPerReplicaHour: '0' must be more than 0 for the policy deadline")
    return policy


def is_name(text: str) -> bool:
    """Whether Kubernetes could have an object or namespace of this name."""
    return _NAME.fullmatch(text) is not None


def _check_names(kind: str, given: Mapping[str, str], known: frozenset[str]) -> None:
    for key, value in given.items():
        if key not in known:
            close = get_close_matches(key, known, n=1)
            hint = f"did you mean {close[0]}?" if close else f"known: {', '.join(sorted(known))}"
            raise ConfigInvalid(f"{key[:40]!r}: not a key of the policy {kind}; {hint}")
        if len(value) > _LONGEST or not value.isprintable():
            raise ConfigInvalid(f"{key}: not one line of at most {_LONGEST} characters")


class _Reader:
    """Values by key; a missing key is its default."""

    def __init__(self, given: Mapping[str, str]) -> None:
        self._given = given

    def number(
        self,
        key: str,
        default: float = 0.0,
        *,
        low: float | None = None,
        above: float | None = None,
        high: float = 1e12,
    ) -> float:
        if key not in self._given:
            return default
        text = self._given[key]
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        least = f"at least {low:g}" if above is None else f"more than {above:g}"
        fits = value > above if above is not None else value >= (low or 0.0)
        if not (fits and value <= high):
            raise ConfigInvalid(f"{key}: {text!r} must be a number, {least}, at most {high:g}")
        return value

    def whole(self, key: str, default: int, *, low: int, high: int) -> int:
        text = self._given.get(key, str(default))
        if not (text.isascii() and text.isdigit() and low <= int(text) <= high):
            raise ConfigInvalid(f"{key}: {text!r} must be a whole number, {low} to {high}")
        return int(text)

    def name(self, key: str) -> str:
        text = self._given.get(key, "")
        if key in self._given and not is_name(text):
            raise ConfigInvalid(
                f"{key}: {text!r} must be a name of small letters, digits, '-' and '.'; "
                "PromQL is in the scaler's settings alone (scaler.queries)"
            )
        return text

    def choice(self, key: str, choices: tuple[str, str]) -> str:
        text = self._given.get(key, choices[0])
        if text not in choices:
            raise ConfigInvalid(f"{key}: {text!r} must be {choices[0]} or {choices[1]}")
        return text

    def instant(self, key: str) -> float:
        text = self._given.get(key)
        if text is None:
            return 0.0
        try:
            found = datetime.fromisoformat(text)
        except ValueError:
            found = None
        if found is None or found.tzinfo is None:
            raise ConfigInvalid(
                f"{key}: {text!r} must be a time with its zone, as 2026-12-01T06:00:00Z"
            )
        return found.astimezone(UTC).timestamp()


def stated_fail_open(metadata: Mapping[str, str]) -> tuple[float, float] | None:
    """(target, value) of the fail-open count, of metadata whose rest is wrong; None: not stated."""
    read = _Reader(metadata)
    try:
        target = read.number("target", low=1e-6)
        count = read.whole("failOpenReplicas", 0, low=0, high=100_000)
    except ConfigInvalid:
        return None
    if "target" not in metadata or "failOpenReplicas" not in metadata:
        return None
    return target, target * count
