"""``/metrics`` of the scaler: every decision with its reason, and what it brought."""

from collections.abc import Iterable, Mapping
from typing import Final

from wattribute.automation.scaler.engine import Scaled
from wattribute.node.exporter.labels import block

_FAMILIES: Final = (
    ("value", "gauge", "Metric that KEDA is given: demand, held back."),
    ("demand", "gauge", "What the work asks for, in its own units."),
    ("desired_replicas", "gauge", "Replicas that the demand asks for."),
    ("allowed_replicas", "gauge", "Replicas that the policy lets it have."),
    ("dry_run", "gauge", "1: the policy is only tried out, and the value is the demand."),
    ("decisions_total", "counter", "Decisions by reason."),
    ("co2e_avoided_grams_total", "counter", "gCO2e less than had held work run at once."),
    ("co2e_added_grams_total", "counter", "gCO2e more than had held work run at once."),
)
"""Name after ``wattribute_scaler_``, type, help."""


def text(
    objects: Iterable[Scaled], intensities: Mapping[str, float], refusals: int
) -> Iterable[str]:
    """The page, in lines; of two triggers of one ScaledObject and policy the later one counts."""
    found: dict[str, dict[str, float]] = {name: {} for name, _, _ in _FAMILIES}
    for one in objects:
        for name, labels, value in _samples(one):
            found[name][block(labels)] = value
    for name, kind, words in _FAMILIES:
        yield from _family(f"wattribute_scaler_{name}", kind, words, found[name])
    grams = {block([("region", place)]): value for place, value in sorted(intensities.items())}
    name = "wattribute_scaler_carbon_intensity_grams_per_kwh"
    yield from _family(name, "gauge", "Carbon intensity that policies of a region see.", grams)
    yield from _family(
        "wattribute_scaler_refused_total",
        "counter",
        "Calls whose metadata were wrong; the log says of whom.",
        {"": refusals},
    )


def _samples(one: Scaled) -> Iterable[tuple[str, list[tuple[str, str]], float]]:
    decision = one.decision
    if decision is None:
        return
    labels = [
        ("scaled_namespace", one.reference.namespace),
        ("scaled_object", one.reference.name),
        ("policy", one.policy.kind),
    ]
    yield "value", labels, decision.value
    yield "demand", labels, decision.demand
    yield "desired_replicas", labels, decision.desired_replicas
    yield "allowed_replicas", labels, decision.allowed_replicas
    yield "dry_run", labels, one.policy.dry_run
    for reason, count in sorted(one.counts.items(), key=lambda pair: pair[0].value):
        yield "decisions_total", [*labels, ("reason", reason.value)], count
    if one.policy.units_per_replica_hour and one.policy.needs_carbon:
        yield "co2e_avoided_grams_total", labels, one.held.avoided_g
        yield "co2e_added_grams_total", labels, one.held.added_g


def _family(name: str, kind: str, words: str, samples: Mapping[str, float]) -> Iterable[str]:
    yield f"# HELP {name} {words}\n# TYPE {name} {kind}\n"
    for labels, value in samples.items():
        yield f"{name}{{{labels}}} {float(value)!r}\n" if labels else f"{name} {value}\n"
