"""Policy files, which ``render``, ``simulate`` and the JSON read; each is of one ScaledObject."""

from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct, field

from wattribute.automation.scaler.engine import Reference
from wattribute.automation.scaler.policy import Policy, is_name, read_policy
from wattribute.core.errors import ConfigInvalid

_Count = Annotated[int, Meta(ge=0, le=100_000)]


class ScaleTarget(Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """KEDA's ``scaleTargetRef``."""

    name: str
    kind: str = "Deployment"
    api_version: str = msgspec.field(default="apps/v1", name="apiVersion")


class PolicyFile(Struct, frozen=True, forbid_unknown_fields=True, rename="camel", kw_only=True):
    """One document. Field names are KEDA's where KEDA has the field."""

    name: str
    namespace: str
    kind: Literal["ScaledObject", "ScaledJob"] = "ScaledObject"
    scale_target_ref: ScaleTarget | None = None
    job_target_ref: dict[str, object] | None = None
    """A Job's spec, for a ScaledJob; taken as it is."""
    policy: dict[str, str | int | float | bool]
    """The trigger's metadata."""
    min_replica_count: _Count = 0
    polling_interval: _Count = 30
    """Seconds."""
    cooldown_period: _Count = 300
    """Seconds without activity before the last replica goes."""
    labels: dict[str, str] = field(default_factory=dict)

    @property
    def metadata(self) -> dict[str, str]:
        """Trigger metadata are texts."""
        return {key: _text(value) for key, value in self.policy.items()}

    @property
    def reference(self) -> Reference:
        """As KEDA would ask."""
        return Reference.of(self.namespace, self.name, self.metadata)


def read_policy_file(path: Path) -> tuple[PolicyFile, Policy]:
    """A file, and the policy in it.

    Raises:
        ConfigInvalid: it cannot be read, or something in it is wrong.
    """
    from wattribute.core.settings.yaml import parse  # noqa: PLC0415 - brings PyYAML

    try:
        document = parse(path.read_text(encoding="utf-8"), str(path))
    except (OSError, UnicodeDecodeError) as exc:
        reason = exc.strerror if isinstance(exc, OSError) else "not UTF-8 text"
        raise ConfigInvalid(f"{path}: cannot be read: {reason}") from exc
    try:
        file = msgspec.convert(document, PolicyFile)
        policy = read_policy(file.metadata)
    except (msgspec.ValidationError, ConfigInvalid) as exc:
        raise ConfigInvalid(f"{path}: {exc}") from exc
    for name in (file.name, file.namespace):
        if not is_name(name):
            raise ConfigInvalid(f"{path}: {name!r} is no name of Kubernetes")
    if (file.job_target_ref is not None) != (file.kind == "ScaledJob"):
        raise ConfigInvalid(f"{path}: jobTargetRef: a ScaledJob has it, a ScaledObject has not")
    if (file.scale_target_ref is not None) != (file.kind == "ScaledObject"):
        raise ConfigInvalid(f"{path}: scaleTargetRef: a ScaledObject has it, a ScaledJob has not")
    if file.min_replica_count > policy.max_replicas:
        raise ConfigInvalid(f"{path}: minReplicaCount is more than the policy's maxReplicas")
    return file, policy


def read_policy_files(place: str) -> dict[str, Reference]:
    """By ``namespace/name``: the policies of one file, or of a folder's ``*.yaml``; {} for "".

    Raises:
        ConfigInvalid: as ``read_policy_file``; or two with one name.
    """
    if not place:
        return {}
    path = Path(place)
    files = sorted(path.glob("*.yaml")) if path.is_dir() else [path]
    found: dict[str, Reference] = {}
    for one in files:
        file, _ = read_policy_file(one)
        label = f"{file.namespace}/{file.name}"
        if label in found:
            raise ConfigInvalid(f"{one}: there is another policy of {label}")
        found[label] = file.reference
    return found


def _text(value: str | float | bool) -> str:  # noqa: FBT001 - a value of YAML
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else f"{value:.15g}"
