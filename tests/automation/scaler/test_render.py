from pathlib import Path
from typing import Any, Final

import jsonschema
import pytest
import yaml
from click.testing import CliRunner

from wattribute.automation.scaler.policy import read_policy
from wattribute.automation.scaler.policy_file import read_policy_file, read_policy_files
from wattribute.cli.root import root
from wattribute.core.errors import ConfigInvalid

OBJECT = """\
name: reports
namespace: shop
scaleTargetRef: {name: worker}
policy: {policy: intensity, query: queue, target: 2.5, failOpenReplicas: 4, emissionThreshold: 300,
  region: DE, maxReplicas: 20, dryRun: true}
"""
JOB = """\
name: nightly
namespace: shop
kind: ScaledJob
jobTargetRef: {template: {spec: {restartPolicy: Never, containers: [{name: a, image: b}]}}}
policy: {policy: deadline, query: queue, target: 1, failOpenReplicas: 2, unitsPerReplicaHour: 4,
  deadline: "2026-12-01T06:00:00Z", region: DE}
"""


def _fields(required: tuple[str, ...], **properties: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "additionalProperties": False,
        "required": list(required),
        "properties": properties,
    }


_COUNT: Final = {"type": "integer", "minimum": 0}
_TEXTS: Final = {"type": "object", "additionalProperties": {"type": "string"}}
_REQUIRED: Final = {
    "external": {"scalerAddress"},
    "external-push": {"scalerAddress"},
    "metrics-api": {"url", "valueLocation", "targetValue"},
    "prometheus": {"serverAddress", "query", "threshold"},
}
_TRIGGERS: Final = {
    "type": "array",
    "minItems": 1,
    "items": _fields(
        ("type", "metadata"),
        type={"enum": sorted(_REQUIRED)},
        metadata=_TEXTS,
        name={"type": "string"},
        metricType={"enum": ["AverageValue", "Value", "Utilization"]},
        useCachedMetrics={"type": "boolean"},
        authenticationRef={"type": "object"},
    ),
}
_COMMON: Final = {
    "pollingInterval": _COUNT,
    "minReplicaCount": _COUNT,
    "maxReplicaCount": _COUNT,
    "triggers": _TRIGGERS,
}
_FALLBACK: Final = _fields(
    ("failureThreshold", "replicas"),
    failureThreshold=_COUNT,
    replicas=_COUNT,
    behavior={"type": "string"},
)
_SPECS: Final = {
    "ScaledObject": _fields(
        ("scaleTargetRef", "triggers"),
        scaleTargetRef=_fields(
            ("name",),
            name={"type": "string"},
            apiVersion={"type": "string"},
            kind={"type": "string"},
            envSourceContainerName={"type": "string"},
        ),
        cooldownPeriod=_COUNT,
        initialCooldownPeriod=_COUNT,
        idleReplicaCount=_COUNT,
        advanced={"type": "object"},
        fallback=_FALLBACK,
        **_COMMON,
    ),
    "ScaledJob": _fields(
        ("jobTargetRef", "triggers"),
        jobTargetRef={"type": "object", "required": ["template"]},
        successfulJobsHistoryLimit=_COUNT,
        failedJobsHistoryLimit=_COUNT,
        envSourceContainerName={"type": "string"},
        rollout={"type": "object"},
        scalingStrategy={"type": "object"},
        **_COMMON,
    ),
}
"""Fields of KEDA 2.20's ScaledObject and ScaledJob; a field that is not theirs is an error."""


def check(body: dict[str, Any]) -> None:
    schema = _fields(
        ("apiVersion", "kind", "metadata", "spec"),
        apiVersion={"const": "keda.sh/v1alpha1"},
        kind={"enum": sorted(_SPECS)},
        metadata=_fields(
            ("name", "namespace"),
            name={"type": "string"},
            namespace={"type": "string"},
            labels=_TEXTS,
        ),
        spec=_SPECS[body["kind"]],
    )
    jsonschema.validate(body, schema)
    for trigger in body["spec"]["triggers"]:
        assert set(trigger["metadata"]) >= _REQUIRED[trigger["type"]]


@pytest.mark.parametrize("trigger", sorted(_REQUIRED))
@pytest.mark.parametrize("text", [OBJECT, JOB])
def test_manifests_have_kedas_fields(tmp_path: Path, text: str, trigger: str) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text(text)
    answer = CliRunner().invoke(
        root, ["scaler", "render", "--policy", str(path), "--trigger", trigger]
    )
    assert answer.exit_code == 0, answer.output
    check(yaml.safe_load(answer.stdout))


def test_what_is_rendered_is_the_policy_that_the_scaler_reads(tmp_path: Path) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text(OBJECT)
    answer = CliRunner().invoke(root, ["scaler", "render", "--policy", str(path)])
    body = yaml.safe_load(answer.stdout)
    [trigger] = body["spec"]["triggers"]
    assert read_policy(trigger["metadata"]) == read_policy_file(path)[1]
    assert trigger["metadata"]["target"] == "2.5"
    assert trigger["metadata"]["dryRun"] == "true"
    assert body["spec"]["fallback"] == {"failureThreshold": 3, "replicas": 4}


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ("query: queue", "query: 'up{}'", "PromQL"),
        ("scaleTargetRef: {name: worker}", "", "scaleTargetRef: a ScaledObject needs it"),
        ("namespace: shop", "namespace: Shop", "not a valid Kubernetes name"),
        ("name: reports", "nmae: reports", "unknown field `nmae`"),
        ("emissionThreshold: 300", "emissionThreshold: low", "must be a number"),
    ],
)
def test_a_wrong_policy_file_is_told_with_its_name(
    tmp_path: Path, before: str, after: str, words: str
) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text(OBJECT.replace(before, after))
    with pytest.raises(ConfigInvalid) as caught:
        read_policy_file(path)
    assert str(path) in str(caught.value)
    assert words in str(caught.value)


def test_two_files_of_one_name_are_refused(tmp_path: Path) -> None:
    for name in ("a.yaml", "b.yaml"):
        (tmp_path / name).write_text(OBJECT)
    with pytest.raises(ConfigInvalid, match="another policy of shop/reports"):
        read_policy_files(str(tmp_path))
