"""Names from a cluster, tick by tick: when they come, change, or stay away."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from wattribute.core.records import IdentityHealth, Mode, NodeFacts, Snapshot, Workload
from wattribute_testing.rig import Rig, joules_of, row_of

SECOND = 1_000_000_000
J = 1_000_000
UID = "0a1b2c3d-0000-1111-2222-333344445555"
ID, OTHER, PAUSE = "a" * 64, "b" * 64, "c" * 64
POD = f"/kubepods/burstable/pod{UID}"
CGROUP = f"{POD}/{ID}"
WEB = Workload(
    pod_uid=UID,
    namespace="shop",
    pod="web",
    container="app",
    labels={"app": "web"},
    requests={"cpu_mcore": 1000},
    owner_kind="Deployment",
    owner_name="web",
    runtime="containerd",
)


class Known:
    """A cluster of which is known what the test says."""

    name = "known"

    def __init__(self) -> None:
        self.by_id: dict[str, Workload] = {}
        self.by_uid: dict[str, Workload] = {}
        self.facts = NodeFacts()
        self.asked: list[set[str]] = []

    def lookup(self, container_ids: Iterable[str]) -> Mapping[str, Workload]:
        ids = set(container_ids)
        self.asked.append(ids)
        return {i: self.by_id[i] for i in ids if i in self.by_id}

    def pods(self, uids: Iterable[str]) -> Mapping[str, Workload]:
        return {uid: self.by_uid[uid] for uid in uids if uid in self.by_uid}

    def node(self) -> NodeFacts:
        return self.facts

    def health(self) -> IdentityHealth:
        return IdentityHealth("known", up=True, failures=0, requests=1, pods=0, message="")

    def close(self) -> None:
        pass

    def tell(self, workload: Workload = WEB, container_id: str = ID) -> None:
        self.by_id[container_id] = workload
        self.by_uid[workload.pod_uid] = replace(workload, container="", requests={}, runtime="")


@pytest.fixture
def cluster() -> Known:
    return Known()


@pytest.fixture
def rig(tmp_path: Path, cluster: Known) -> Rig:
    rig = Rig(tmp_path, cluster=cluster, sandboxes={f"{POD}/{PAUSE}"})
    rig.tick()
    return rig


def assert_balanced(snapshot: Snapshot | None) -> None:
    assert snapshot is not None
    node = snapshot.node
    shared = snapshot.containers.energy_uj.sum(axis=0) + sum(
        snapshot.retired_uj.values(), np.zeros_like(node.energy_uj)
    )
    assert (shared[:, Mode.DYNAMIC] + node.unattributed_uj == node.energy_uj[:, Mode.DYNAMIC]).all()
    assert (shared[:, Mode.IDLE] + node.idle_uj == node.energy_uj[:, Mode.IDLE]).all()


def published(snapshot: Snapshot | None) -> dict[tuple[str, str, str], float]:
    """What Prometheus sees: joules by id, pod and container name; of two the newer row."""
    assert snapshot
    table = snapshot.containers
    energy_uj = np.where(table.held, 0, table.energy_uj.sum(axis=(1, 2)))
    order = np.argsort([consumer.uid for consumer in table.consumers])
    return {
        (c.container_id, c.pod_name, c.container_name): float(energy_uj[row]) / J
        for row in order
        for c in (table.consumers[row],)
        if c.kind in ("container", "ended")
    }


def run(rig: Rig, cgroup: str = CGROUP, package_j: float = 150) -> Snapshot:
    rig.activity.ran(7, cgroup, SECOND)
    snapshot = rig.tick(package_j=package_j)
    assert snapshot
    assert_balanced(snapshot)
    return snapshot


def test_a_pod_is_named_in_the_first_snapshot(rig: Rig, cluster: Known) -> None:
    cluster.tell()
    snapshot = run(rig)

    consumer = snapshot.containers.consumers[row_of(snapshot, container_id=ID)]
    assert (consumer.pod_name, consumer.namespace, consumer.container_name) == (
        "web",
        "shop",
        "app",
    )
    assert (consumer.owner_kind, consumer.runtime) == ("Deployment", "containerd")
    assert consumer.requests == {"cpu_mcore": 1000}
    assert published(snapshot)[ID, "web", "app"] == 100  # as old as the totals: not held


def test_a_name_that_is_awaited_at_a_fresh_start_is_the_only_one_with_energy(
    rig: Rig, cluster: Known
) -> None:
    first = run(rig)
    second = run(rig)
    assert published(first) == published(second) == {(ID, "", ""): 0}
    cluster.tell()
    third = run(rig)
    assert published(third) == {(ID, "web", "app"): 0}
    for _ in range(6):
        last = run(rig, package_j=50)

    assert published(last) == {(ID, "web", "app"): 300}


def test_a_name_that_never_comes_is_not_awaited_for_ever(rig: Rig) -> None:
    for _ in range(8):
        last = run(rig, package_j=150)

    assert published(last) == {(ID, "", ""): 800}


def test_a_container_outside_pods_is_shown_at_once_whatever_the_cluster_says(rig: Rig) -> None:
    snapshot = run(rig, cgroup=f"/docker/{ID}")

    assert published(snapshot) == {(ID, "", ""): 100}


def test_a_name_that_comes_late_begins_at_zero_and_each_joule_is_in_one_series(
    rig: Rig, cluster: Known
) -> None:
    for _ in range(8):
        run(rig, package_j=150)
    cluster.tell()
    late = run(rig, package_j=150)
    assert published(late) == {(ID, "", ""): 900, (ID, "web", "app"): 0}
    for _ in range(8):
        last = run(rig, package_j=150)

    assert published(last) == {(ID, "", ""): 900, (ID, "web", "app"): 800}


def test_labels_and_requests_that_change_reach_a_row_without_a_new_series(
    rig: Rig, cluster: Known
) -> None:
    cluster.tell()
    run(rig)
    cluster.tell(replace(WEB, labels={"app": "web", "team": "x"}, requests={"cpu_mcore": 2000}))
    snapshot = run(rig)

    row = row_of(snapshot, container_id=ID)
    assert snapshot.containers.consumers[row].labels == {"app": "web", "team": "x"}
    assert snapshot.containers.consumers[row].requests == {"cpu_mcore": 2000}
    assert published(snapshot) == {(ID, "web", "app"): 200}
    cluster.tell(replace(WEB, labels={}, requests={}))
    snapshot = run(rig)
    assert snapshot.containers.consumers[row].labels == {}
    assert published(snapshot) == {(ID, "web", "app"): 300}


def test_what_has_not_changed_is_not_looked_at_again(rig: Rig, cluster: Known) -> None:
    cluster.tell()
    first = run(rig)
    second = run(rig)

    uids = [s.containers.consumers[row_of(s, container_id=ID)].uid for s in (first, second)]
    assert uids[0] == uids[1]


def test_a_container_that_ended_before_its_name_came_gets_it(rig: Rig, cluster: Known) -> None:
    run(rig, cgroup="/system.slice")
    run(rig)
    rig.activity.remove(CGROUP)
    rig.tick(package_j=50)
    cluster.tell()
    rig.tick(package_j=50)
    snapshot = rig.tick(package_j=50, seconds=40)

    assert published(snapshot) == {(ID, "web", "app"): 100}


def test_time_of_removed_cgroups_has_the_pods_name(rig: Rig, cluster: Known) -> None:
    cluster.tell()
    run(rig)
    rig.activity.cgroup(POD, cpu_ns=3 * SECOND)  # more than its containers': one came and went
    rig.activity.ran(7, CGROUP, SECOND)
    snapshot = rig.tick(package_j=150)

    consumer = snapshot.containers.consumers[row_of(snapshot, kind="ended")]  # type: ignore[union-attr]
    assert (consumer.pod_name, consumer.namespace, consumer.container_name) == (
        "web",
        "shop",
        "ended",
    )
    assert consumer.requests == {}


def test_a_sandbox_folds_into_its_pod(rig: Rig, cluster: Known) -> None:
    cluster.tell()
    rig.activity.ran(8, f"{POD}/{PAUSE}", SECOND)
    snapshot = run(rig)

    consumer = snapshot.containers.consumers[row_of(snapshot, container_id=PAUSE)]
    assert (consumer.pod_name, consumer.container_name) == ("web", "POD")
    assert consumer.requests == {}


def test_a_container_that_is_not_reported_yet_is_no_sandbox(rig: Rig, cluster: Known) -> None:
    cluster.tell()
    rig.activity.ran(8, f"{POD}/{OTHER}", SECOND)
    snapshot = run(rig)

    assert published(snapshot)[OTHER, "", ""] == 0  # its name is awaited
    cluster.tell(replace(WEB, container="side"), OTHER)
    snapshot = run(rig)
    assert (OTHER, "web", "side") in published(snapshot)


def test_a_static_pod_has_the_uid_that_the_api_knows(rig: Rig, cluster: Known) -> None:
    config_hash = "0123456789abcdef0123456789abcdef"
    etcd = replace(WEB, pod="etcd-node-1", container="etcd", pod_uid="mirror")
    cluster.by_id[ID] = etcd
    cluster.by_uid[config_hash] = replace(etcd, container="")
    snapshot = run(rig, cgroup=f"/kubepods/burstable/pod{config_hash}/{ID}")

    assert snapshot.containers.consumers[row_of(snapshot, container_id=ID)].pod_uid == "mirror"


def test_a_pod_made_anew_under_the_same_name_has_rows_of_its_own(rig: Rig, cluster: Known) -> None:
    cluster.tell()
    run(rig)
    rig.activity.remove(CGROUP)
    rig.tick(package_j=50)
    new_uid = "ffffffff-0000-1111-2222-333344445555"
    cluster.tell(replace(WEB, pod_uid=new_uid), OTHER)
    snapshot = run(rig, cgroup=f"/kubepods/burstable/pod{new_uid}/{OTHER}")

    rows = {c.container_id: c.pod_uid for c in snapshot.containers.consumers if c.container_id}
    assert rows[ID] == UID
    assert rows[OTHER] == new_uid


def test_engines_are_not_asked_for_containers_of_pods(rig: Rig) -> None:
    rig.names.known = {ID: Workload(container="k8s_app_web_shop_uid_0")}
    asked: list[str] = []
    lookup = rig.names.lookup

    def noted(ids: Iterable[str]) -> Mapping[str, Workload]:
        asked.extend(ids)
        return {i: w for i, w in lookup(asked).items() if i in asked}

    rig.names.lookup = noted  # type: ignore[method-assign]
    rig.activity.ran(8, f"/docker/{OTHER}", SECOND)
    snapshot = run(rig)

    assert asked == [OTHER]
    assert (ID, "", "") in published(snapshot)


def test_requests_feed_the_floor_and_the_rest_is_idle(tmp_path: Path, cluster: Known) -> None:
    rig = Rig(tmp_path, policy="reserved", cluster=cluster)
    rig.tick()
    cluster.tell()
    snapshot = run(rig, package_j=150)

    package = [c.kind for c in snapshot.channels].index("package")
    row = row_of(snapshot, container_id=ID)
    assert snapshot.containers.energy_uj[row, package, Mode.IDLE] == 50 * J // 4
    assert snapshot.node.idle_uj[package] == 50 * J * 3 // 4


def test_the_nodes_facts_are_in_the_snapshot(rig: Rig, cluster: Known) -> None:
    cluster.facts = NodeFacts("aws:///x", "m7i", "eu", {"cpu_mcore": 64_000, "gpu": 2})
    snapshot = run(rig)

    assert snapshot.node_facts.provider_id == "aws:///x"
    assert snapshot.capacity == {"cpu_mcore": 4000, "memory_bytes": 1 << 30, "gpu": 2}
    assert snapshot.health.identity[0].name == "known"


def test_names_survive_a_restart_while_the_cluster_is_away(tmp_path: Path, cluster: Known) -> None:
    state = tmp_path / "state"
    rig = Rig(tmp_path, state=state, cluster=cluster)
    rig.tick()
    cluster.tell()
    run(rig)
    again = Rig(tmp_path, state=state, cluster=Known(), clock=rig.clock)
    again.monitor.resume()
    again.tick(package_j=0)
    snapshot = run(again)

    assert published(snapshot) == {(ID, "web", "app"): 200}


def test_ten_minutes_without_a_cluster_lose_and_misname_nothing(rig: Rig, cluster: Known) -> None:
    """A pod from before, one that came and went meanwhile, one that came and stayed."""
    gone_pod = "/kubepods/pod11111111-0000-1111-2222-333344445555"
    new_pod = "/kubepods/pod22222222-0000-1111-2222-333344445555"
    gone_id, new_id = "d" * 64, "e" * 64
    cluster.tell()
    run(rig)
    gone_j, new_j, web_j, node_j = 0.0, 0.0, 100.0, 100.0
    for tick in range(120):
        others = [(8, f"{gone_pod}/{gone_id}")] if 10 <= tick < 20 else []
        others += [(9, f"{new_pod}/{new_id}")] if tick >= 20 else []
        for pid, cgroup in [(7, CGROUP), *others]:
            rig.activity.ran(pid, cgroup, SECOND)
        web_j += 50 if others else 100
        gone_j += 50 if 10 <= tick < 20 else 0
        new_j += 50 if tick >= 20 else 0
        node_j += 100
        if tick == 20:
            rig.activity.remove(f"{gone_pod}/{gone_id}")
        snapshot = rig.tick(package_j=150)
        assert joules_of(snapshot, container_id=ID, pod_name="web") == pytest.approx(web_j)
        if tick == 70:
            assert published(snapshot)[gone_id, "", ""] == pytest.approx(gone_j)
    assert web_j + gone_j + new_j == node_j
    cluster.tell(replace(WEB, pod="new", pod_uid="22222222-0000-1111-2222-333344445555"), new_id)
    for _ in range(10):
        rig.activity.ran(9, f"{new_pod}/{new_id}", SECOND)
        snapshot = rig.tick(package_j=150)

    seen = published(snapshot)
    assert seen[ID, "web", "app"] == pytest.approx(web_j)
    # What was used in the tick in which the name came is still the nameless series'.
    assert seen[new_id, "", ""] == pytest.approx(new_j + 100)
    assert seen[new_id, "new", "app"] == pytest.approx(9 * 100)
    assert (gone_id, "", "") not in seen  # its linger of 5 minutes is over
    assert {pod for _, pod, _ in seen} <= {"", "web", "new"}
    assert snapshot
    assert int(snapshot.node.energy_uj.sum()) - int(snapshot.node.idle_uj.sum()) == pytest.approx(
        (node_j + 1000) * J
    )
    assert not snapshot.node.unattributed_uj.any()
