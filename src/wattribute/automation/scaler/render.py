"""Turn a policy file into a manifest for KEDA (``keda.sh/v1alpha1``).

Source of the fields: KEDA's reference of ScaledObject, ScaledJob and of the triggers ``external``,
``metrics-api`` and ``prometheus`` (2.20).
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from wattribute.automation.scaler.policy import Policy
from wattribute.automation.scaler.policy_file import PolicyFile

if TYPE_CHECKING:
    from collections.abc import Mapping

Trigger = Literal["external", "external-push", "metrics-api", "prometheus"]


@dataclass(frozen=True, slots=True)
class Addresses:
    """The addresses under which KEDA reaches the servers."""

    scaler: str
    """HOST:PORT of the scaler's gRPC."""
    json_url: str
    """URL of the scaler's JSON for ``metrics-api``, such as ``http://HOST:9105``."""
    prometheus: str
    """URL of Prometheus for the trigger ``prometheus``."""


def manifest(
    file: PolicyFile, policy: Policy, trigger: Trigger, addresses: Addresses
) -> dict[str, object]:
    """Return the ScaledObject or ScaledJob as a tree for JSON or YAML."""
    spec: dict[str, object] = {}
    if file.kind == "ScaledJob":
        spec["jobTargetRef"] = file.job_target_ref
    elif file.scale_target_ref is not None:
        target = file.scale_target_ref
        spec["scaleTargetRef"] = {
            "apiVersion": target.api_version,
            "kind": target.kind,
            "name": target.name,
        }
    spec["pollingInterval"] = file.polling_interval
    spec["minReplicaCount"] = file.min_replica_count
    spec["maxReplicaCount"] = policy.max_replicas
    if file.kind == "ScaledObject":
        spec["cooldownPeriod"] = file.cooldown_period
        # KEDA uses this while the scaler itself is unreachable. A ScaledJob has no such field.
        spec["fallback"] = {"failureThreshold": 3, "replicas": policy.fail_open_replicas}
    spec["triggers"] = [_trigger(file, policy, trigger, addresses)]
    metadata: dict[str, object] = {"name": file.name, "namespace": file.namespace}
    if file.labels:
        metadata["labels"] = dict(file.labels)
    return {
        "apiVersion": "keda.sh/v1alpha1",
        "kind": file.kind,
        "metadata": metadata,
        "spec": spec,
    }


def _trigger(
    file: PolicyFile, policy: Policy, trigger: Trigger, addresses: Addresses
) -> dict[str, object]:
    target = f"{policy.target:.15g}"
    metadata: Mapping[str, str]
    if trigger == "metrics-api":
        metadata = {
            "url": f"{addresses.json_url.rstrip('/')}/api/v1/scale/{file.namespace}/{file.name}",
            "format": "json",
            "valueLocation": "value",
            "targetValue": target,
        }
    elif trigger == "prometheus":
        labels = f'scaled_namespace="{file.namespace}",scaled_object="{file.name}"'
        metadata = {
            "serverAddress": addresses.prometheus,
            "query": f"max(wattribute_scaler_value{{{labels}}})",
            "threshold": target,
            # Without a value KEDA must use the fallback, not a demand of 0.
            "ignoreNullValues": "false",
        }
    else:
        metadata = {"scalerAddress": addresses.scaler, **file.metadata}
    return {"type": trigger, "metadata": dict(metadata)}
