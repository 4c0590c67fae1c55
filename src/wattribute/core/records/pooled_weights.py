"""What nodes of one CPU model learned about workloads, together: a document for new nodes.

The ledger makes it (``wattribute weights export``), a model server passes it on, and an agent
begins with it instead of with CPU time. Numbers are about ln w, where w is watts per core against
the mean of the pool.
"""

from collections.abc import Callable, Mapping
from math import exp, sqrt
from typing import Annotated, Final, Literal, get_args

import msgspec
from msgspec import Meta

from wattribute.core.errors import DataInvalid
from wattribute.core.records.weights import WorkloadKey

WEIGHTS_SCHEMA: Final = 1
MAX_WEIGHTS_BYTES: Final = 4_000_000
"""No document is larger: 20,000 workloads."""
LOG_SPREAD: Final = 0.35
"""Standard deviation of ln w over the workloads of a node, before anything is learned of them. The
learner believes in it, so it is taken off before nodes are pooled, and put on again once."""
BAND_DEVIATIONS: Final = 1.645
"""Standard deviations from the middle of a normal distribution to the ends of its 90 % band."""
_LEAST_DEVIATION: Final = 0.05
"""A prior is never surer than that: code, inputs and neighbours change."""
_MOST_LOG: Final = 3.0
"""e^3: no workload costs 20 times the mean."""

ZoneKind = Literal["package", "dram"]
ZONE_KINDS: Final[tuple[ZoneKind, ...]] = get_args(ZoneKind)


class PooledWorkload(msgspec.Struct, frozen=True, kw_only=True):
    """One workload, as a node that has not run it yet must expect it."""

    owner_kind: str
    owner_name: str
    namespace: str
    container: str
    log_ratio: Annotated[float, Meta(ge=-_MOST_LOG, le=_MOST_LOG)]
    """ln w; 0 is the mean of the pool."""
    deviation: Annotated[float, Meta(gt=0, le=_MOST_LOG)]
    """Standard deviation of ``log_ratio`` on a new node: never less than nodes differ."""
    nodes: int
    cpu_hours: float
    group: int = 0
    """Nodes that share no workload, directly or through others, are in different groups. Each group
    has a mean of its own, so ratios of two groups cannot be compared."""

    @property
    def key(self) -> WorkloadKey:
        """The workload's key; images are not in the ledger."""
        return WorkloadKey(self.owner_kind, self.owner_name, self.namespace, self.container)

    @property
    def ratio(self) -> float:
        """Watts per core against the mean of the pool."""
        return exp(self.log_ratio)

    @property
    def band(self) -> tuple[float, float]:
        """Ends of the 90 % band of ``ratio`` on a new node."""
        half = BAND_DEVIATIONS * self.deviation
        return exp(self.log_ratio - half), exp(self.log_ratio + half)


class PooledWeights(msgspec.Struct, frozen=True, kw_only=True):
    """The pooled weights of one CPU model, by kind of zone.

    Unknown keys are ignored: later versions of a schema only add keys.
    """

    schema: int = WEIGHTS_SCHEMA
    cpu: Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9+-]{0,60}$")]
    """Key of the CPU model (``xsp-8259cl``), as the power model names it."""
    method: str
    """By which the weights were learned: ``learned-1``."""
    written_at: str
    """ISO 8601, UTC."""
    zones: Mapping[ZoneKind, tuple[PooledWorkload, ...]]

    def priors(
        self, zone_kind: ZoneKind, normalise: Callable[[WorkloadKey], WorkloadKey] | None = None
    ) -> dict[WorkloadKey, tuple[float, float]]:
        """Return what a learner may begin with: delta (w - 1) and its standard deviation.

        The pool and what is known of any workload (mean 0, ``LOG_SPREAD``) are combined by
        precision. So a pool that knows little gives little, and no deviation is larger than the
        learner's own.

        Args:
            zone_kind: which weights.
            normalise: from a key of this document to a key of the learner; of rows that become one
                key, that with the most CPU time is taken.
        """
        priors: dict[WorkloadKey, tuple[float, float]] = {}
        for row in sorted(self.zones.get(zone_kind, ()), key=lambda row: row.cpu_hours):
            part = LOG_SPREAD**2 / (LOG_SPREAD**2 + row.deviation**2)
            ratio = exp(part * row.log_ratio)
            deviation = max(sqrt(part) * row.deviation, _LEAST_DEVIATION)
            key = row.key if normalise is None else normalise(row.key)
            priors[key] = ratio - 1, ratio * deviation
        return priors


def encode_weights(weights: PooledWeights) -> bytes:
    """Return a document as JSON, one line for each value."""
    return msgspec.json.format(msgspec.json.encode(weights), indent=1) + b"\n"


def decode_weights(data: bytes, name: str) -> PooledWeights:
    """Return the document in ``data``.

    Args:
        data: JSON.
        name: where it is from, for messages.

    Raises:
        DataInvalid: it is too large, not such a document, or of another version.
    """
    if len(data) > MAX_WEIGHTS_BYTES:
        raise DataInvalid(f"{name}: larger than {MAX_WEIGHTS_BYTES} bytes; no pooled weights")
    made_by = "`wattribute weights export` writes one"
    try:
        weights = msgspec.json.decode(data, type=PooledWeights)
    except (msgspec.DecodeError, UnicodeDecodeError) as exc:
        raise DataInvalid(f"{name}: no pooled weights: {exc}; {made_by}") from exc
    if weights.schema != WEIGHTS_SCHEMA:
        versions = f"has schema {weights.schema}, and this version reads {WEIGHTS_SCHEMA}"
        raise DataInvalid(f"{name}: {versions}; {made_by}")
    return weights
