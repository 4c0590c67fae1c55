"""The steps, each of which says what it saw or fails."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from time import monotonic, sleep
from typing import Any

from tools.e2e.cluster import ROOT, Cluster, Failed, wait
from tools.e2e.page import Page

RELEASE = "wattribute"
CHART = str(ROOT / "charts" / "wattribute")
LOADS = {"e2e-busy": 1.0, "e2e-quiet": 0.1}
"""Pods, and which part of a CPU each keeps busy."""
WATCHED_S = 30
_OLDEST = (1, 27)
_BURN = """
import time
part = {part}
while True:
    end = time.monotonic() + 0.2 * part
    while time.monotonic() < end:
        pass
    time.sleep(0.2 * (1 - part))
"""


@dataclass(slots=True)
class Run:
    """One run of all steps."""

    cluster: Cluster
    image: str
    flags: tuple[str, ...]
    before: dict[str, float] = field(default_factory=dict)
    """The node's joules by agent's node, before the upgrade."""
    made_namespace: bool = False
    """The namespace is ours, to be deleted in the end."""


def check_cluster(run: Run) -> str:
    """A cluster that is new enough answers."""
    version = json.loads(run.cluster.kubectl("version", "--output", "json"))["serverVersion"]
    number = tuple(int("".join(filter(str.isdigit, version[part]))) for part in ("major", "minor"))
    if number < _OLDEST:
        raise Failed(f"Kubernetes {version['gitVersion']}: 1.27 or newer is needed")
    nodes = json.loads(run.cluster.kubectl("get", "nodes", "--output", "json"))["items"]
    return f"Kubernetes {version['gitVersion']}, {len(nodes)} nodes"


def make_namespace(run: Run) -> str:
    """A namespace of our own, which admits what the agent needs."""
    name = run.cluster.namespace
    if run.cluster.kubectl("get", "namespace", name, "--ignore-not-found", "--output", "name"):
        raise Failed(f"{name} is there already, and would be deleted; give another --namespace")
    labels = {"pod-security.kubernetes.io/enforce": "privileged"}
    namespace = {"apiVersion": "v1", "kind": "Namespace"}
    run.cluster.kubectl(
        *("create", "--filename", "-"),
        given=json.dumps({**namespace, "metadata": {"name": name, "labels": labels}}),
    )
    run.made_namespace = True
    return name


def install(run: Run) -> str:
    """``helm install`` succeeds, one pod per node is Ready."""
    run.cluster.helm("install", RELEASE, CHART, *_values(run), *_WAIT)
    return _all_ready(run)


def rights(run: Run) -> str:
    """The agent may do what it needs, and no more."""
    allowed = [("list", "pods"), ("watch", "pods"), ("get", "nodes")]
    refused = [
        *(("get", "secrets"), ("create", "pods"), ("delete", "pods"), ("list", "nodes")),
        *(("get", "configmaps"), ("list", "services")),
    ]
    deep = [("create", "pods", "--subresource=exec"), ("get", "nodes", "--subresource=proxy")]
    for verb, resource in allowed:
        if not run.cluster.can(RELEASE, verb, resource, "--all-namespaces"):
            raise Failed(f"the agent may not {verb} {resource}")
    for words in (*((*pair, "--all-namespaces") for pair in refused), *deep):
        if run.cluster.can(RELEASE, *words):
            raise Failed(f"the agent may {' '.join(words)}")
    return f"{len(allowed)} rights, and none of {len(refused) + len(deep)} others"


def load(run: Run) -> str:
    """Two pods run, one of them busy."""
    for name, part in LOADS.items():
        pod = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": name, "labels": {"team": "e2e"}},
            "spec": {
                "terminationGracePeriodSeconds": 0,
                "automountServiceAccountToken": False,
                "containers": [
                    {
                        "name": "load",
                        "image": run.image,
                        "imagePullPolicy": "IfNotPresent",
                        "command": ["python3", "-c", _BURN.format(part=part)],
                        "resources": {"requests": {"cpu": "50m", "memory": "32Mi"}},
                    }
                ],
            },
        }
        run.cluster.kubectl(
            *("apply", "--namespace", run.cluster.namespace, "--filename", "-"),
            given=json.dumps(pod),
        )
    names = [f"pod/{name}" for name in LOADS]
    run.cluster.kubectl(
        *("wait", *names, "--namespace", run.cluster.namespace),
        *("--for=condition=Ready", "--timeout=120s"),
    )
    nodes = {name: run.cluster.get("pod", name)["spec"]["nodeName"] for name in LOADS}
    return ", ".join(f"{name} on {node}" for name, node in nodes.items())


def watts(run: Run) -> str:
    """Each pod has its name and its watts: the busy one the more of them."""
    pods = {name: run.cluster.get("pod", name) for name in LOADS}

    def joules() -> dict[str, float]:
        return {name: _page_beside(run, pod).joules(_uid(pod)) for name, pod in pods.items()}

    wait(lambda: all(joules().values()) or None, "pods by name with more than 0 J", 120)
    started, first = monotonic(), joules()
    sleep(WATCHED_S)
    passed, last = monotonic() - started, joules()
    found = {name: (last[name] - first[name]) / passed for name in LOADS}
    said = ", ".join(f"{name} {value:.2f} W" for name, value in found.items())
    if not found["e2e-busy"] > 3 * found["e2e-quiet"] > 0:
        raise Failed(f"{said}; the busy one should have about ten times the quiet one's")
    for name, pod in pods.items():
        labels = {"pod_uid": _uid(pod), "container_name": "load", "pod_name": name}
        if not _page_beside(run, pod).find(
            "wattribute_container_info", container_namespace=run.cluster.namespace, **labels
        ):
            raise Failed(f"{name}: has joules, but no wattribute_container_info with {labels}")
    return said


def adds_up(run: Run) -> str:
    """What the node's joules rose by between two scrapes is what everybody's did."""
    pod, _ = _agents(run)[0]
    first = Page.of(run.cluster.page(pod))
    sleep(20)
    last = Page.of(run.cluster.page(pod))
    before, after = first.misfit(), last.misfit()
    off = {component: after[component] - before.get(component, 0) for component in after}
    rise = last.total("wattribute_node_joules_total") - first.total("wattribute_node_joules_total")
    if rise <= 0:
        raise Failed("the node's joules did not rise in 20 s")
    if any(abs(joules) > 1e-3 for joules in off.values()):
        raise Failed(f"of {rise:.3f} J these are nobody's: {off}")
    return f"{rise:.3f} J, to the last millijoule"


def upgrade(run: Run) -> str:
    """``helm upgrade`` rolls the pods; totals go on where they were."""
    for pod, node in _agents(run):
        page = Page.of(run.cluster.page(pod))
        run.before[node] = page.total("wattribute_node_joules_total")
    run.cluster.helm("upgrade", RELEASE, CHART, *_values(run), "--set", _FASTER, *_WAIT)
    _all_ready(run)

    def again() -> dict[str, float] | None:
        pages = {node: Page.of(run.cluster.page(pod)) for pod, node in _agents(run)}
        if any(page.total("wattribute_interval_seconds") != 3 for page in pages.values()):
            return None
        return {n: page.total("wattribute_node_joules_total") for n, page in pages.items()}

    after = wait(again, "the new interval in every agent", 60)
    for node, joules in run.before.items():
        if after.get(node, 0) < joules:
            raise Failed(f"{node}: {after.get(node, 0):.3f} J after, {joules:.3f} J before")
    return f"{len(after)} agents went on from {sum(run.before.values()):.0f} J"


def cost(run: Run) -> str:
    """What the agents themselves use."""
    said = []
    for pod, node in _agents(run):
        page = Page.of(run.cluster.page(pod))
        tick_ms = 1000 * page.total("wattribute_tick_cpu_seconds")
        (info,) = page.find("wattribute_activity_info")
        memory = page.total("process_resident_memory_bytes") / 2**20
        said.append(f"{node}: {info[0]['source']}, {tick_ms:.1f} ms per tick, {memory:.0f} MiB")
    return "; ".join(said)


def uninstall(run: Run) -> str:
    """``helm uninstall`` leaves nothing."""
    run.cluster.kubectl(
        *("delete", "pod", *LOADS, "--namespace", run.cluster.namespace),
        *("--ignore-not-found", "--wait=true", "--timeout=60s"),
    )
    run.cluster.helm("uninstall", RELEASE, "--wait", "--timeout", "120s")
    kinds = "all,configmaps,secrets,serviceaccounts,networkpolicies"
    selector = f"app.kubernetes.io/instance={RELEASE}"

    def left() -> list[str]:
        found = run.cluster.get(kinds, "--selector", selector)["items"]
        found += run.cluster.get("clusterroles,clusterrolebindings", "--selector", selector)[
            "items"
        ]
        return [f"{item['kind']}/{item['metadata']['name']}" for item in found]

    # Pods end after helm has.
    wait(lambda: None if left() else True, "an end of all objects", 60)
    return "nothing is left in the cluster"


Step = Callable[[Run], str]

STEPS: tuple[Step, ...] = (
    *(check_cluster, make_namespace, install, rights),
    *(load, watts, adds_up, upgrade, cost),
)
"""In this order; ``uninstall`` comes last, and also after a failure."""

_WAIT = ("--wait", "--timeout", "180s")
_FASTER = "config.monitor.interval=3s"


def _values(run: Run) -> list[str]:
    repository, _, tag = run.image.rpartition(":")
    given = ("--set", f"image.repository={repository}", "--set-string", f"image.tag={tag}")
    return [*given, *run.flags]


def _all_ready(run: Run) -> str:
    def ready() -> dict[str, Any] | None:
        status: dict[str, Any] = run.cluster.get("daemonset", RELEASE)["status"]
        wanted = status["desiredNumberScheduled"]
        counts = (status.get(key, 0) for key in ("numberReady", "updatedNumberScheduled"))
        return status if wanted and all(count == wanted for count in counts) else None

    status = wait(ready, "one Ready pod per node", 180)
    return f"{status['numberReady']} pods Ready"


def _agents(run: Run) -> list[tuple[str, str]]:
    """Pod and node of each agent that is not on its way out."""
    selector = f"app.kubernetes.io/instance={RELEASE}"
    return [
        (pod["metadata"]["name"], pod["spec"]["nodeName"])
        for pod in run.cluster.get("pods", "--selector", selector)["items"]
        if "deletionTimestamp" not in pod["metadata"]
    ]


def _uid(pod: dict[str, Any]) -> str:
    return str(pod["metadata"]["uid"])


def _page_beside(run: Run, pod: dict[str, Any]) -> Page:
    """What the agent on a pod's node says."""
    (agent,) = (name for name, node in _agents(run) if node == pod["spec"]["nodeName"])
    return Page.of(run.cluster.page(agent))
