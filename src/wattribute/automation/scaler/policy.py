"""Read a policy from a trigger's metadata, and check every key.

Metadata come from any namespace. So they contain numbers and names, never an address, a
credential or PromQL: ``query`` names a template in the scaler's settings.
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
"""A Kubernetes name (RFC 1123 subdomain), which cannot end a string in PromQL."""
_TRANSPORT: Final = frozenset(
    {"scalerAddress", "enableTLS", "caCert", "tlsClientCert", "tlsClientKey", "unsafeSsl"}
    | {"tlsCertFile"}
)
"""KEDA's own keys for its connection to a scaler, which it passes on."""
_HALF_DAY_MIN: Final = 720.0


@dataclass(frozen=True, slots=True)
class Policy:
    """The policy of one ScaledObject. Keys that its kind does not have are at their defaults."""

    kind: str
    """Kind: intensity, percentile, power-cap, carbon-budget or deadline."""
    query: str
    """Name of the query template for the demand."""
    target: float
    """Demand per replica; more than 0."""
    fail_open_replicas: int
    """Replicas that are allowed while a signal is missing."""
    workload: str = ""
    """Value of ``$workload`` in templates; "": the ScaledObject's name."""
    region: str = ""
    """Place of the carbon intensity; "": the settings' ``carbon.location``."""
    floor_replicas: int = 0
    max_replicas: int = 100
    hysteresis: float = 0.05
    """Fraction of the threshold by which a signal must fall below it to end a pause."""
    min_dwell_s: float = 300.0
    max_pause_s: float = 0.0
    """Longest pause; 0: no limit."""
    dry_run: bool = False
    scale_down: bool = False
    """True for ``handler: scaleDown``; False for a pause."""
    watts_per_replica: float = 0.0
    """Watts of one replica; 0: use the template ``power_query``."""
    power_query: str = "power"
    units_per_replica_hour: float = 0.0
    """Units of demand that one replica works off in an hour; 0: not known."""
    emission_threshold: float = 0.0
    """Threshold in g/kWh."""
    percentile: float = 0.0
    watts: float = 0.0
    grams_per_day: float = 0.0
    deadline_s: float = 0.0
    """Deadline in Unix time."""
    margin_s: float = 1800.0

    @property
    def needs_forecast(self) -> bool:
        """True if the policy needs a forecast."""
        return self.kind in ("percentile", "deadline")

    @property
    def needs_carbon(self) -> bool:
        """True if the policy needs the carbon intensity."""
        return self.kind != "power-cap"

    @property
    def needs_power(self) -> bool:
        """True if the policy needs the watts per replica."""
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
"""By kind: the required keys, and the optional keys besides the common ones."""


def read_policy(metadata: Mapping[str, str]) -> Policy:
    """Read the policy from a trigger's metadata.

    Raises:
        ConfigInvalid: a key or value is wrong; the message is one line.
    """
    values = {key: value for key, value in metadata.items() if key not in _TRANSPORT}
    kind = values.get("policy", "")
    if kind not in _KEYS:
        kinds = ", ".join(_KEYS)
        raise ConfigInvalid(f"policy: {kind[:40]!r} must be one of {kinds}")
    needed, optional = _KEYS[kind]
    _check_names(kind, values, _COMMON | needed | optional)
    for key in ("query", "target", "failOpenReplicas", *sorted(needed)):
        if key not in values:
            raise ConfigInvalid(f"{key}: missing; the policy {kind} needs this key")
    read = _Reader(values)
    highest = read.whole("maxReplicas", 100, low=1, high=100_000)
    pause_min = _HALF_DAY_MIN if kind in ("intensity", "percentile") else 0.0
    policy = Policy(
        kind=kind,
        query=read.name("query"),
        target=read.number("target", low=1e-6),
        fail_open_replicas=read.whole("failOpenReplicas", 0, low=0, high=highest),
        workload=read.name("workload"),
        region=values.get("region", "").strip(),
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
        raise ConfigInvalid(
            "unitsPerReplicaHour: must be more than 0 for the policy deadline, not '0'"
        )
    return policy


def is_name(text: str) -> bool:
    """Tell whether this is a valid name of a Kubernetes object or namespace."""
    return _NAME.fullmatch(text) is not None


def _check_names(kind: str, values: Mapping[str, str], keys: frozenset[str]) -> None:
    for key, value in values.items():
        if key not in keys:
            close = get_close_matches(key, keys, n=1)
            hint = f"did you mean {close[0]}?" if close else f"known: {', '.join(sorted(keys))}"
            raise ConfigInvalid(f"{key[:40]!r}: the policy {kind} has no such key; {hint}")
        if len(value) > _LONGEST or not value.isprintable():
            raise ConfigInvalid(f"{key}: must be one line of at most {_LONGEST} characters")


class _Reader:
    """Reads values by key; a missing key has its default."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = values

    def number(
        self,
        key: str,
        default: float = 0.0,
        *,
        low: float | None = None,
        above: float | None = None,
        high: float = 1e12,
    ) -> float:
        if key not in self._values:
            return default
        text = self._values[key]
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
        text = self._values.get(key, str(default))
        if not (text.isascii() and text.isdigit() and low <= int(text) <= high):
            raise ConfigInvalid(f"{key}: {text!r} must be a whole number, {low} to {high}")
        return int(text)

    def name(self, key: str) -> str:
        text = self._values.get(key, "")
        if key in self._values and not is_name(text):
            raise ConfigInvalid(
                f"{key}: {text!r} must be a name of lower-case letters, digits, '-' and '.'; "
                "PromQL belongs into the scaler's settings (scaler.queries)"
            )
        return text

    def choice(self, key: str, choices: tuple[str, str]) -> str:
        text = self._values.get(key, choices[0])
        if text not in choices:
            raise ConfigInvalid(f"{key}: {text!r} must be {choices[0]} or {choices[1]}")
        return text

    def instant(self, key: str) -> float:
        text = self._values.get(key)
        if text is None:
            return 0.0
        try:
            time = datetime.fromisoformat(text)
        except ValueError:
            time = None
        if time is None or time.tzinfo is None:
            raise ConfigInvalid(
                f"{key}: {text!r} must be a time with its zone, such as 2026-12-01T06:00:00Z"
            )
        return time.astimezone(UTC).timestamp()


def stated_fail_open(metadata: Mapping[str, str]) -> tuple[float, float] | None:
    """Return (target, value) for the fail-open count of metadata that are otherwise invalid.

    None if the metadata do not state them.
    """
    read = _Reader(metadata)
    try:
        target = read.number("target", low=1e-6)
        count = read.whole("failOpenReplicas", 0, low=0, high=100_000)
    except ConfigInvalid:
        return None
    if "target" not in metadata or "failOpenReplicas" not in metadata:
        return None
    return target, target * count
