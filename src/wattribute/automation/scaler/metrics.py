"""Render the scaler's ``/metrics``: decisions, their reasons, and avoided and added grams."""

from collections.abc import Iterable, Mapping
from typing import Final

from wattribute.automation.scaler.engine import TriggerState
from wattribute.node.exporter.labels import block

_FAMILIES: Final = (
    ("value", "gauge", "Value that KEDA gets: the demand, reduced by the policy."),
    ("demand", "gauge", "Demand of the work, in its own units."),
    ("desired_replicas", "gauge", "Replicas for the whole demand."),
    ("allowed_replicas", "gauge", "Replicas that the policy allows."),
    ("dry_run", "gauge", "1: dry run, in which the value is the demand."),
    ("decisions_total", "counter", "Decisions by reason."),
    ("co2e_avoided_grams_total", "counter", "gCO2e avoided by running delayed work later."),
    ("co2e_added_grams_total", "counter", "gCO2e added by running delayed work later."),
)
"""Name after ``wattribute_scaler_``, type, help."""


def text(
    objects: Iterable[TriggerState], intensities: Mapping[str, float], refusals: int
) -> Iterable[str]:
    """Render the page in lines.

    If two triggers have the same ScaledObject and policy, only the later one is shown.
    """
    samples: dict[str, dict[str, float]] = {name: {} for name, _, _ in _FAMILIES}
    for scaled in objects:
        for name, labels, value in _samples(scaled):
            samples[name][block(labels)] = value
    for name, kind, words in _FAMILIES:
        yield from _family(f"wattribute_scaler_{name}", kind, words, samples[name])
    grams = {block([("region", place)]): value for place, value in sorted(intensities.items())}
    name = "wattribute_scaler_carbon_intensity_grams_per_kwh"
    yield from _family(name, "gauge", "Carbon intensity that policies of a region use.", grams)
    yield from _family(
        "wattribute_scaler_refused_total",
        "counter",
        "Calls with invalid metadata; the log names the ScaledObject.",
        {"": refusals},
    )


def _samples(scaled: TriggerState) -> Iterable[tuple[str, list[tuple[str, str]], float]]:
    decision = scaled.decision
    if decision is None:
        return
    labels = [
        ("scaled_namespace", scaled.reference.namespace),
        ("scaled_object", scaled.reference.name),
        ("policy", scaled.policy.kind),
    ]
    yield "value", labels, decision.value
    yield "demand", labels, decision.demand
    yield "desired_replicas", labels, decision.desired_replicas
    yield "allowed_replicas", labels, decision.allowed_replicas
    yield "dry_run", labels, scaled.policy.dry_run
    for reason, count in sorted(scaled.counts.items(), key=lambda pair: pair[0].value):
        yield "decisions_total", [*labels, ("reason", reason.value)], count
    if scaled.policy.units_per_replica_hour and scaled.policy.needs_carbon:
        yield "co2e_avoided_grams_total", labels, scaled.held.avoided_g
        yield "co2e_added_grams_total", labels, scaled.held.added_g


def _family(name: str, kind: str, words: str, samples: Mapping[str, float]) -> Iterable[str]:
    yield f"# HELP {name} {words}\n# TYPE {name} {kind}\n"
    for labels, value in samples.items():
        yield f"{name}{{{labels}}} {float(value)!r}\n" if labels else f"{name} {value}\n"
