"""Find a pod's owner from the pod alone; no permission to read ReplicaSets or Jobs is needed."""

import re
from collections.abc import Mapping
from typing import Final

from wattribute.node.workload.kube.shapes import Metadata, OwnerReference

_HASH_LABELS: Final = (
    ("pod-template-hash", "Deployment"),
    ("rollouts-pod-template-hash", "Rollout"),
)
"""The label whose value ends the ReplicaSet's name, and the kind that created the ReplicaSet
(Kubernetes' deployment controller; Argo Rollouts)."""
_OF_CRON_JOB: Final = re.compile(r"(?P<name>.+)-(?P<minutes>[0-9]{8})")
"""A CronJob names its Jobs after the scheduled time in minutes since 1970
(pkg/controller/cronjob: getJobName)."""
_MINUTES_2017: Final = 25_000_000
"""Least number that is taken for such minutes (2017): earlier, no CronJob named its Jobs so, and a
date like 20240131 is less."""


def owner_of(metadata: Metadata) -> tuple[str, str]:
    """Return kind and name of a pod's owner; two empty texts for a pod without controller."""
    owners = metadata.owners or ()
    owner = next((candidate for candidate in owners if candidate.controller), None)
    if owner is None:
        return "", ""
    if owner.kind == "ReplicaSet":
        return _of_replica_set(owner, metadata.labels or {})
    job = _OF_CRON_JOB.fullmatch(owner.name) if owner.kind == "Job" else None
    if job is not None and int(job["minutes"]) >= _MINUTES_2017:
        return "CronJob", job["name"]
    return owner.kind, owner.name


def _of_replica_set(owner: OwnerReference, labels: Mapping[str, str]) -> tuple[str, str]:
    for label, kind in _HASH_LABELS:
        suffix = f"-{labels.get(label, '')}"
        if len(suffix) > 1 and owner.name.endswith(suffix) and owner.name != suffix:
            return kind, owner.name.removesuffix(suffix)
    return owner.kind, owner.name
