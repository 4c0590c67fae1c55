"""What names of pods cost a node and the API server, and what is left when the server is away.

The cluster is made (``wattribute_testing.kube``), the source of names is the agent's own.
"""

import contextlib
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from bench.agent import AgentFailed
from bench.figure import Figure, at_most, shown, unmeasured
from wattribute.core.records import Mode, Snapshot
from wattribute.core.units import nanoseconds
from wattribute.node.workload.kube.apiserver import WATCH_S, ApiServer
from wattribute.node.workload.kube.endpoint import Endpoint
from wattribute.node.workload.kube.node import AGAIN_S, NodeWatch
from wattribute_testing.kube import (
    Authority,
    FakeApiServer,
    FakeCluster,
    container_id,
    node,
    pod,
    pod_of_real_size,
)
from wattribute_testing.rig import Rig

SECTION: Final = "kube"
_NODE: Final = "node-1"
_LISTED: Final = 500
_REMEMBERED: Final = 200
_LISTS: Final = 15
_NAMED: Final = 50
_AWAY_S: Final = 600
_TICK_S: Final = 5
_POD: Final = "/kubepods/burstable/pod{uid}/{id}"
_AGENTS: Final = 50
_OF_NODES: Final = 1_000
_STEADY_S: Final = 5.0
"""After so long a source takes the end of its watch for everybody's."""
_FASTER: Final = 50
"""Watches are asked for so much shorter than an agent does: the same requests in less time."""
_MEMORY: Final = """
import gc, sys
import wattribute.node.agent
from wattribute.node.settings import WorkloadSettings
from wattribute.node.workload.kube.choose import open_cluster

def resident():
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * 4096

url, pods, ca = sys.argv[1:]
before = resident()
source = open_cluster(WorkloadSettings(kube_url=url, node_name="node-1", kube_ca_file=ca), {})
source.wait(30)
assert source.health().pods == int(pods), source.health()
gc.collect()
print(resident() - before)
"""


def run(window_s: float) -> Iterator[Figure]:
    """A node's cost, its names, and what a thousand nodes ask for."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        try:
            authority = Authority(folder / "ca")
        except FileNotFoundError:
            yield unmeasured(SECTION, "cost of names over TLS", "", "no openssl program")
        else:
            yield _full_list(authority)
            yield _memory(authority)
        yield from names(folder)
        yield from outage(folder)
        yield from _load(window_s)
        yield from _restart()


def _until(true: Callable[[], object], timeout_s: float = 30.0) -> None:
    end_s = time.monotonic() + timeout_s
    while not true():
        if time.monotonic() > end_s:
            raise AgentFailed(f"the source of names did not answer in {timeout_s:g} s")
        time.sleep(0.001)


@contextlib.contextmanager
def _source(
    api: FakeApiServer, node_name: str = _NODE, *, watch_s: float = 450.0
) -> Iterator[ApiServer]:
    endpoint = Endpoint(api.url, "", "", "workload.kube_url")
    watch = NodeWatch(endpoint, node_name, shared=True)
    source = ApiServer(endpoint, watch, node_name, watch_s=watch_s)
    source.start()
    try:
        yield source
    finally:
        source.close()


def _full(pods: int) -> FakeCluster:
    cluster = FakeCluster()
    for number in range(pods):
        cluster.put_pod(pod_of_real_size(f"web-{number}"))
    return cluster


def _full_list(authority: Authority) -> Figure:
    """CPU time of the thread that lists: TLS, reading, decoding, naming."""
    with FakeApiServer(_full(_LISTED), tls=authority.issue(["127.0.0.1"])) as api:
        endpoint = Endpoint(api.url, "", str(authority.certificate), "workload.kube_url")
        source = ApiServer(endpoint, NodeWatch(None, _NODE, shared=True), _NODE)
        needed_ms = []
        for _ in range(1 + _LISTS):
            began_ns = time.thread_time_ns()
            source._list()  # noqa: SLF001 - without the thread, whose CPU time is not ours to read
            needed_ms.append((time.thread_time_ns() - began_ns) / 1e6)
    size = len(json.dumps(pod_of_real_size("web-1"), separators=(",", ":")))
    return at_most(
        SECTION, f"CPU of a full list of {_LISTED} pods", statistics.median(needed_ms[1:]),
        most=100, unit="ms",
        note=f"median of {_LISTS} over TLS, {size / 1000:.0f} kB for each pod; the first, with "
        f"what is done once: {needed_ms[0]:.0f} ms",
    )  # fmt: skip


def _memory(authority: Authority) -> Figure:
    """What an agent that knows no names yet grows by."""
    with FakeApiServer(_full(_REMEMBERED), tls=authority.issue(["127.0.0.1"])) as api:
        done = subprocess.run(
            [sys.executable, "-c", _MEMORY, api.url, str(_REMEMBERED), str(authority.certificate)],
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
    if done.returncode:
        return unmeasured(SECTION, f"memory of {_REMEMBERED} pods", "<= 10 MiB", done.stderr[-300:])
    return at_most(
        SECTION, f"memory of {_REMEMBERED} pods", int(done.stdout) / 2**20, most=10, unit="MiB",
        note="growth of resident memory, libraries for HTTPS and JSON included",
    )  # fmt: skip


def names(folder: Path) -> Iterator[Figure]:
    """New pods, one after the other: a tick as soon as the watch has told of one."""
    cluster = FakeCluster()
    late, told_ms = 0, []
    with FakeApiServer(cluster) as api, _source(api) as source:
        rig = Rig(folder / "names", cluster=source)
        _until(lambda: any(seen.query.get("watch") for seen in api.seen))
        rig.tick()
        for number in range(_NAMED):
            made = pod(f"web-{number}")
            name = container_id(f"default/web-{number}/app")
            began_ns = time.monotonic_ns()
            cluster.put_pod(made)
            _until(lambda name=name: source.lookup([name]))  # type: ignore[misc]
            told_ms.append((time.monotonic_ns() - began_ns) / 1e6)
            path = _POD.format(uid=made["metadata"]["uid"], id=name)
            rig.activity.ran(100 + number, path, nanoseconds(1))
            late += (name, f"web-{number}") not in _joules(rig.tick(package_j=150))
    yield at_most(
        SECTION, "pods without a name in the first snapshot after the answer", late, most=0,
        unit="", note=f"of {_NAMED}",
    )  # fmt: skip
    yield shown(
        SECTION, "from the change in the API server to the name", statistics.median(told_ms), "ms",
        f"median; the slowest {max(told_ms):.0f} ms",
    )  # fmt: skip


def outage(folder: Path) -> Iterator[Figure]:
    """The agent's clock goes 10 minutes on while the server is away: 120 ticks.

    A pod from before, which is known; one that comes meanwhile, which has its id alone until the
    server is back.
    """
    cluster = FakeCluster()
    pods = {name: pod(name) for name in ("before", "meanwhile")}
    ids = {name: container_id(f"default/{name}/app") for name in pods}
    paths = {n: _POD.format(uid=p["metadata"]["uid"], id=ids[n]) for n, p in pods.items()}
    cluster.put_pod(pods["before"])
    ticks = _AWAY_S // _TICK_S
    with FakeApiServer(cluster) as api, _source(api) as source:
        rig = Rig(folder / "outage", cluster=source)
        _until(lambda: source.lookup([ids["before"]]))
        rig.tick()
        api.stop()
        cluster.put_pod(pods["meanwhile"])
        for tick in range(ticks + 10):
            if tick == ticks:
                api.start()
                _until(lambda: source.lookup([ids["meanwhile"]]))
            for pid, path in enumerate(paths.values(), 7):
                rig.activity.ran(pid, path, nanoseconds(1))
            snapshot = rig.tick(package_j=150, seconds=_TICK_S)
    found, node_uj = _joules(snapshot), _node_uj(snapshot)
    right = {(ids[name], known) for name in pods for known in ("", name)}
    wrong = sum(energy for key, energy in found.items() if key not in right)
    note = f"{ticks} ticks of {_TICK_S} s on a made clock, then 10 with it; {node_uj / 1e6:.0f} J"
    name = f"API server away for {_AWAY_S // 60} min"
    lost = abs(node_uj - sum(found.values()))
    yield at_most(SECTION, f"{name}: lost", lost, most=0, unit="uJ", note=note)
    yield at_most(SECTION, f"{name}: misnamed", wrong, most=0, unit="uJ", note=note)
    share = node_uj * ticks // (ticks + 10) // 2
    nameless = found.get((ids["meanwhile"], ""), 0)
    yield shown(
        SECTION, f"{name}: under the id alone", nameless / 1e6, "J",
        f"the new pod's, who used {share / 1e6:.0f} J before the server was back",
    )  # fmt: skip


def _node_uj(snapshot: Snapshot | None) -> int:
    """Dynamic microjoules of the whole node."""
    return 0 if snapshot is None else int(snapshot.node.energy_uj[:, Mode.DYNAMIC].sum())


def _joules(snapshot: Snapshot | None) -> dict[tuple[str, str], int]:
    """Dynamic microjoules of containers by id and pod."""
    found: dict[tuple[str, str], int] = {}
    if snapshot is not None:
        for row, consumer in enumerate(snapshot.containers.consumers):
            energy_uj = int(snapshot.containers.energy_uj[row, :, Mode.DYNAMIC].sum())
            key = consumer.container_id, consumer.pod_name
            if consumer.container_id:
                found[key] = found.get(key, 0) + energy_uj
            elif energy_uj:
                found["", consumer.kind] = found.get(("", consumer.kind), 0) + energy_uj
    return found


def _load(window_s: float) -> Iterator[Figure]:
    """Real sources at one server; what is counted is taken to 1,000 nodes at an agent's pace."""
    with FakeApiServer(_empty_nodes()) as api, contextlib.ExitStack() as stack:
        sources = [
            stack.enter_context(_source(api, f"node-{n}", watch_s=WATCH_S / _FASTER))
            for n in range(_AGENTS)
        ]
        _until(lambda: all(source.health().up for source in sources))
        began_s, before = time.monotonic(), len(api.seen)
        time.sleep(window_s)
        asked, took_s = len(api.seen) - before, time.monotonic() - began_s
    a_second = asked / took_s / _FASTER * _OF_NODES / _AGENTS + _OF_NODES / AGAIN_S
    yield at_most(
        SECTION, f"requests to the API server by {_OF_NODES:,} nodes", a_second, most=5, unit="/s",
        note=f"{_AGENTS} sources with watches {_FASTER} times as short for {took_s:.0f} s, and "
        f"each node's object every {AGAIN_S / 60:.0f} min; nothing is polled",
    )  # fmt: skip


def _restart() -> Iterator[Figure]:
    """The server ends all watches at one instant, and is soon there again."""
    with FakeApiServer(_empty_nodes()) as api, contextlib.ExitStack() as stack:
        sources = [stack.enter_context(_source(api, f"node-{n}")) for n in range(_AGENTS)]
        _until(lambda: sum("watch" in seen.query for seen in api.seen) == _AGENTS)
        time.sleep(_STEADY_S + 1)
        lists, before = _lists(api), len(api.seen)
        api.stop()
        time.sleep(0.3)
        api.start()
        _until(lambda: len(api.seen) - before >= len(sources), 60)
        back_s = [seen.at_s for seen in api.seen[before:]]
        again = _lists(api) - lists
    most = max(sum(at <= other < at + 1 for other in back_s) for at in back_s)
    yield at_most(
        SECTION, "full lists after the server's restart", again, most=0, unit="",
        note="watches go on where they were",
    )  # fmt: skip
    yield at_most(
        SECTION, f"requests in the worst second after it, {_OF_NODES:,} nodes",
        most * _OF_NODES / _AGENTS, most=300, unit="/s",
        note=f"{most} of {_AGENTS} sources came within one second; evenly it would be a tenth",
    )  # fmt: skip


def _empty_nodes() -> FakeCluster:
    cluster = FakeCluster()
    for number in range(_AGENTS):
        cluster.put_node(node(f"node-{number}"))
    return cluster


def _lists(api: FakeApiServer) -> int:
    return sum(seen.path == "/api/v1/pods" and "watch" not in seen.query for seen in api.seen)
