"""The demo's cluster: its nodes, who runs on them and how hard.

Sizes and prices are those of EC2 (Linux, on demand, us-east-1, rounded); powers are of the right
order for such machines, and made up.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

GIB: Final = 1 << 30
START_S: Final = int(datetime(2026, 10, 1, tzinfo=UTC).timestamp())
END_S: Final = int(datetime(2026, 11, 1, tzinfo=UTC).timestamp())
ROLLOUT_S: Final = int(datetime(2026, 10, 14, 9, tzinfo=UTC).timestamp())
"""New pods of the same Deployments from here on."""
HANDOVER_S: Final = int(datetime(2026, 10, 16, tzinfo=UTC).timestamp())
"""The report builder goes from one team to the other."""
LOST_S: Final = int(datetime(2026, 10, 21, 4, tzinfo=UTC).timestamp())
"""In this hour 15 minutes of one node are missing."""
LOST_NODE: Final = "metal-1"


@dataclass(frozen=True, slots=True)
class DemoNode:
    """One machine; powers in watts."""

    name: str
    instance_id: str
    instance_type: str
    price_per_h: str
    """US dollars, a decimal number."""
    cpu_mcore: int
    memory_gib: int
    gpus: int
    origins: Mapping[str, str]
    """Component to origin."""
    idle_w: Mapping[str, float]
    full_w: Mapping[str, float]
    """Above the floor, at full load."""

    @property
    def provider_id(self) -> str:
        """As Kubernetes writes it."""
        return f"aws:///us-east-1a/{self.instance_id}"

    @property
    def learns(self) -> bool:
        """Whether its CPUs have a meter, so that weights of workloads are learned."""
        return self.origins["cpu"] == "measured"


_METAL: Final = {"cpu": "measured", "dram": "measured", "other": "integrated"}
_GPU_VM: Final = {"cpu": "estimated", "dram": "estimated", "gpu": "measured"}
_VM: Final = {"cpu": "estimated", "dram": "estimated"}

NODES: Final = (
    DemoNode("gpu-1", "i-0a1f3c5e7b9d20461", "p4d.24xlarge", "32.7726", 96_000, 1152, 8, _GPU_VM,
         {"cpu": 120, "dram": 45, "gpu": 440}, {"cpu": 280, "dram": 40, "gpu": 2700}),
    DemoNode("gpu-2", "i-0b2e4d6f8a0c31572", "g5.48xlarge", "16.2880", 192_000, 768, 8, _GPU_VM,
         {"cpu": 150, "dram": 35, "gpu": 170}, {"cpu": 330, "dram": 30, "gpu": 2000}),
    DemoNode("gpu-3", "i-0c3d5e7f9b1d42683", "g5.24xlarge", "8.1440", 96_000, 384, 4, _GPU_VM,
         {"cpu": 80, "dram": 18, "gpu": 85}, {"cpu": 170, "dram": 15, "gpu": 1000}),
    DemoNode("metal-1", "i-0d4c6f8a0c2e53794", "m7i.metal-24xl", "4.8384", 96_000, 384, 0, _METAL,
         {"cpu": 95, "dram": 22, "other": 90}, {"cpu": 260, "dram": 28, "other": 70}),
    DemoNode("metal-2", "i-0e5b7a9b1d3f64805", "m7i.metal-24xl", "4.8384", 96_000, 384, 0, _METAL,
         {"cpu": 97, "dram": 22, "other": 92}, {"cpu": 260, "dram": 28, "other": 70}),
    DemoNode("vm-1", "i-0f6a8b0c2e4075916", "m7i.2xlarge", "0.4032", 8_000, 32, 0, _VM,
         {"cpu": 9, "dram": 3}, {"cpu": 26, "dram": 3}),
)  # fmt: skip


def _steady(_hour_s: int) -> float:
    return 1.0


def _office(hour_s: int) -> float:
    """High on working days from 8 to 18 h, UTC."""
    at = datetime.fromtimestamp(hour_s, UTC)
    if at.weekday() >= 5:
        return 0.15
    return 1.0 if 8 <= at.hour < 18 else 0.25


def _people(hour_s: int) -> float:
    """Customers: never nobody, most in the evening, also at weekends."""
    hour = datetime.fromtimestamp(hour_s, UTC).hour
    return 0.35 + 0.65 * max(0.0, 1 - abs(hour - 17) / 9)


def _nightly(hour_s: int) -> float:
    """Runs from 1 to 4 h."""
    return 1.0 if 1 <= datetime.fromtimestamp(hour_s, UTC).hour < 4 else 0.0


@dataclass(frozen=True, slots=True)
class DemoService:
    """Pods of one controller."""

    namespace: str
    name: str
    owner_kind: str
    nodes: tuple[str, ...]
    """One pod on each."""
    cpu: float
    """Share of a node's CPU power above the floor that one pod draws at its height."""
    gpu: float = 0.0
    request_mcore: int = 0
    request_gib: int = 0
    request_gpu: int = 0
    labels: Mapping[str, str] = field(default_factory=dict)
    when: Callable[[int], float] = _steady
    """Load in an hour, 0 to 1; 0: the pod is not there."""
    watts_per_core: float = 1.0
    """Watts of a busy core against the mean, where a meter and a load that varies tell it."""

    @property
    def is_steady(self) -> bool:
        """Whether its load never changes, so that its weight cannot be learned."""
        return self.when is _steady


_MARKETING: Final = {"app": "marketing-ai-bot", "team": "marketing"}
_SUPPORT: Final = {"app": "customer-support-bot", "team": "support"}
_PLATFORM: Final = {"team": "platform"}
_EVERYWHERE: Final = tuple(node.name for node in NODES)
_METALS: Final = ("metal-1", "metal-2")

SERVICES: Final = (
    DemoService("marketing", "image-generator", "Deployment", ("gpu-1",), 0.35, 0.78,
            24_000, 256, 6, _MARKETING, _office),
    DemoService("marketing", "campaign-batch", "Job", ("gpu-1",), 0.30, 0.22,
            16_000, 128, 2, _MARKETING, _nightly),
    DemoService("marketing", "copywriter-api", "Deployment", _METALS, 0.18, 0.0,
            12_000, 32, 0, _MARKETING, _office, 1.3),
    DemoService("marketing", "vector-store", "StatefulSet", ("metal-2",), 0.10, 0.0,
            8_000, 96, 0, _MARKETING),
    DemoService("support", "answer-model", "Deployment", ("gpu-2", "gpu-3"), 0.40, 0.85,
            48_000, 192, 4, _SUPPORT, _people),
    DemoService("support", "chat-gateway", "Deployment", ("metal-1", "metal-2", "vm-1"), 0.20, 0.0,
            4_000, 8, 0, _SUPPORT, _people, 0.8),
    DemoService("support", "session-store", "StatefulSet", ("metal-1",), 0.08, 0.0,
            8_000, 64, 0, _SUPPORT),
    DemoService("shared", "report-builder", "Deployment", ("metal-2",), 0.06, 0.0,
            4_000, 16, 0, {"app": "report-builder"}, _office),
    DemoService("ingress-nginx", "controller", "Deployment", _METALS, 0.03, 0.0,
            1_000, 1, 0, {"app": "ingress-nginx", **_PLATFORM}),
    DemoService("monitoring", "prometheus", "StatefulSet", ("metal-1",), 0.04, 0.0,
            2_000, 16, 0, {"app": "prometheus", **_PLATFORM}),
    DemoService("monitoring", "wattribute", "DaemonSet", _EVERYWHERE, 0.002, 0.0,
            50, 1, 0, {"app": "wattribute", **_PLATFORM}),
    DemoService("kube-system", "coredns", "Deployment", _METALS, 0.01, 0.0,
            100, 1, 0, {"app": "coredns"}),
    DemoService("kube-system", "aws-node", "DaemonSet", _EVERYWHERE, 0.004, 0.0,
            50, 1, 0, {"app": "aws-node"}),
    DemoService("kube-system", "kube-proxy", "DaemonSet", _EVERYWHERE, 0.003, 0.0,
            100, 1, 0, {"app": "kube-proxy"}),
    DemoService("default", "debug-shell", "", ("vm-1",), 0.12, 0.0, 0, 0, 0, {}),
)  # fmt: skip


def labels_at(service: DemoService, hour_s: int) -> Mapping[str, str]:
    """The pod's labels in that hour: one service changes hands in the middle of the month."""
    if service.name != "report-builder":
        return service.labels
    return {**service.labels, "team": "marketing" if hour_s < HANDOVER_S else "support"}
