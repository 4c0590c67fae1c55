"""What is known of pods, and for how long."""

import json

from wattribute.node.workload.kube.describe import Described, describe
from wattribute.node.workload.kube.names import KEEP_S, PodNames
from wattribute.node.workload.kube.shapes import POD
from wattribute_testing.kube import Json, container_id, pod, static_pod

A, B = container_id("a"), container_id("b")
HASH = "0123456789abcdef0123456789abcdef"


class Turned:
    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def read(made: Json) -> Described:
    return describe(POD.decode(json.dumps(made).encode()))


def test_containers_and_pods_are_found() -> None:
    names = PodNames()
    names.replace([read(pod("web", containers={"app": A}))])

    assert names.containers([A, B])[A].container == "app"
    assert set(names.containers([A, B])) == {A}
    uid = names.containers([A])[A].pod_uid
    assert names.pods([uid])[uid].pod == "web"
    assert names.pods(["x"]) == {}


def test_what_has_not_changed_is_the_same_object() -> None:
    names = PodNames()
    names.put(read(pod("web", containers={"app": A})))
    before = names.containers([A])[A]
    names.put(read(pod("web", containers={"app": A})))
    assert names.containers([A])[A] is before
    names.put(read(pod("web", containers={"app": A}, labels={"v": "2"})))

    assert names.containers([A])[A].labels == {"v": "2"}


def test_a_pod_that_is_gone_is_remembered_for_a_while() -> None:
    clock = Turned()
    names = PodNames(clock)
    names.put(read(pod("web", containers={"app": A})))
    uid = names.containers([A])[A].pod_uid
    names.remove(uid)
    clock.now_s = KEEP_S - 1
    names.put(read(pod("other", containers={"app": B})))
    assert names.containers([A])[A].pod == "web"
    assert len(names) == 1
    clock.now_s = KEEP_S + 1
    names.put(read(pod("other", containers={"app": B})))

    assert names.containers([A, B]).keys() == {B}
    assert names.pods([uid]) == {}


def test_what_a_new_list_does_not_have_is_gone() -> None:
    clock = Turned()
    names = PodNames(clock)
    names.replace([read(pod("web", containers={"app": A}))])
    names.replace([read(pod("other", containers={"app": B}))])
    assert names.containers([A, B]).keys() == {A, B}
    clock.now_s = KEEP_S + 1
    names.replace([read(pod("other", containers={"app": B}))])

    assert names.containers([A, B]).keys() == {B}


def test_a_pod_made_anew_under_the_same_name_is_another_pod() -> None:
    names = PodNames()
    names.put(read(pod("db-0", pod_uid="old", containers={"db": A})))
    names.put(read(pod("db-0", pod_uid="new", containers={"db": B})))
    names.remove("old")

    assert names.containers([A, B])[A].pod_uid == "old"
    assert names.containers([A, B])[B].pod_uid == "new"


def test_a_mirror_made_anew_keeps_the_static_pods_containers() -> None:
    clock = Turned()
    names = PodNames(clock)
    first = static_pod("etcd-node-1", HASH, containers={"etcd": A})
    second = static_pod("etcd-node-1", HASH, containers={"etcd": A})
    second["metadata"]["uid"] = "second"
    names.put(read(first))
    names.put(read(second))
    names.remove(first["metadata"]["uid"])
    clock.now_s = KEEP_S + 1
    names.put(read(pod("other", containers={"app": B})))

    assert names.containers([A])[A].pod_uid == "second"
    assert names.pods([HASH])[HASH].pod_uid == "second"


def test_old_instances_of_a_container_are_forgotten_in_the_end() -> None:
    clock = Turned()
    names = PodNames(clock)
    instances = [container_id(str(number)) for number in range(100)]
    for instance in instances:
        clock.now_s += 60
        names.put(read(pod("crash", containers={"app": instance})))

    assert instances[-1] in names.containers(instances)
    assert len(names.containers(instances)) <= KEEP_S / 60 + 2
