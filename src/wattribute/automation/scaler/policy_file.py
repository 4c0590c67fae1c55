"""Read policy files, each of one ScaledObject, for ``render``, ``simulate`` and the JSON API."""

from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct, field

from wattribute.automation.scaler.engine import Reference
from wattribute.automation.scaler.policy import Policy, is_name, read_policy
from wattribute.core.errors import ConfigInvalid

_Count = Annotated[int, Meta(ge=0, le=100_000)]


class ScaleTarget(Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """The workload to scale, KEDA's ``scaleTargetRef``."""

    name: str
    kind: str = "Deployment"
    api_version: str = msgspec.field(default="apps/v1", name="apiVersion")


class PolicyFile(Struct, frozen=True, forbid_unknown_fields=True, rename="camel", kw_only=True):
    """The content of a policy file. Fields that KEDA has are named as in KEDA."""

    name: str
    namespace: str
    kind: Literal["ScaledObject", "ScaledJob"] = "ScaledObject"
    scale_target_ref: ScaleTarget | None = None
    job_target_ref: dict[str, object] | None = None
    """A Job's spec, for a ScaledJob; it is passed on unchanged."""
    policy: dict[str, str | int | float | bool]
    """The trigger's metadata."""
    min_replica_count: _Count = 0
    polling_interval: _Count = 30
    """Seconds between two questions of KEDA."""
    cooldown_period: _Count = 300
    """Seconds without activity before the last replica is removed."""
    labels: dict[str, str] = field(default_factory=dict)

    @property
    def metadata(self) -> dict[str, str]:
        """The trigger's metadata, in which all values are texts."""
        return {key: _text(value) for key, value in self.policy.items()}

    @property
    def reference(self) -> Reference:
        """The reference that KEDA's call would have."""
        return Reference.of(self.namespace, self.name, self.metadata)


def read_policy_file(path: Path) -> tuple[PolicyFile, Policy]:
    """Read a policy file, and return its content and the policy in it.

    Raises:
        ConfigInvalid: the file cannot be read, or its content is invalid.
    """
    from wattribute.core.settings.yaml import parse  # noqa: PLC0415 - brings PyYAML

    try:
        document = parse(path.read_text(encoding="utf-8"), str(path))
    except (OSError, UnicodeDecodeError) as exc:
        reason = exc.strerror if isinstance(exc, OSError) else "it is not UTF-8 text"
        raise ConfigInvalid(f"{path}: cannot be read: {reason}") from exc
    try:
        file = msgspec.convert(document, PolicyFile)
        policy = read_policy(file.metadata)
    except (msgspec.ValidationError, ConfigInvalid) as exc:
        raise ConfigInvalid(f"{path}: {exc}") from exc
    for name in (file.name, file.namespace):
        if not is_name(name):
            raise ConfigInvalid(f"{path}: {name!r} is not a valid Kubernetes name")
    if (file.job_target_ref is not None) != (file.kind == "ScaledJob"):
        raise ConfigInvalid(
            f"{path}: jobTargetRef: a ScaledJob needs it, a ScaledObject must not have it"
        )
    if (file.scale_target_ref is not None) != (file.kind == "ScaledObject"):
        raise ConfigInvalid(
            f"{path}: scaleTargetRef: a ScaledObject needs it, a ScaledJob must not have it"
        )
    if file.min_replica_count > policy.max_replicas:
        raise ConfigInvalid(f"{path}: minReplicaCount is more than the policy's maxReplicas")
    return file, policy


def read_policy_files(place: str) -> dict[str, Reference]:
    """Read one file, or a folder's ``*.yaml``, into references by ``namespace/name``; {} for "".

    Raises:
        ConfigInvalid: as for ``read_policy_file``, or two policies have the same name.
    """
    if not place:
        return {}
    path = Path(place)
    files = sorted(path.glob("*.yaml")) if path.is_dir() else [path]
    references: dict[str, Reference] = {}
    for file_path in files:
        file, _ = read_policy_file(file_path)
        label = f"{file.namespace}/{file.name}"
        if label in references:
            raise ConfigInvalid(
                f"{file_path}: there is another policy of {label}; rename or remove one of the two"
            )
        references[label] = file.reference
    return references


def _text(value: str | float | bool) -> str:  # noqa: FBT001 - a value of YAML
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else f"{value:.15g}"
