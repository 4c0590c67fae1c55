"""Polling a fake kubelet: how often, and what it does not know."""

import time
from itertools import count, pairwise
from typing import Any

import pytest

from wattribute.node.workload.kube.node import NodeWatch
from wattribute_testing.kube import container_id, node, pod, static_pod
from wattribute_testing.waiting import always, wait_until

A, B = container_id("a"), container_id("b")
HASH = "0123456789abcdef0123456789abcdef"


def names(source: Any, *ids: str) -> dict[str, str]:
    return {i: workload.pod for i, workload in source.lookup(ids).items()}


def test_pods_of_the_node_are_named(rig: Any) -> None:
    rig.cluster.put_pod(pod("web", containers={"app": A}))
    source = rig.poll(rig.kubelet().url)
    source.wait(10)

    assert names(source, A, B) == {A: "web"}
    assert source.health().up


def test_an_unknown_container_makes_it_ask_again(rig: Any) -> None:
    kubelet = rig.kubelet()
    source = rig.poll(kubelet.url)
    source.wait(10)
    rig.cluster.put_pod(pod("web", containers={"app": A}))
    always(lambda: len(kubelet.seen) == 1, 0.2)  # nobody asked for it

    assert wait_until(lambda: names(source, A)) == {A: "web"}
    assert len(kubelet.seen) == 2


def test_all_unknown_containers_are_asked_for_together_and_not_too_often(rig: Any) -> None:
    kubelet = rig.kubelet()
    source = rig.poll(kubelet.url, least_s=0.2)
    source.wait(10)
    numbers = count()

    def miss() -> bool:
        number = next(numbers)
        source.lookup([container_id(f"new-{number}"), container_id(f"other-{number}")])
        return True

    always(miss, 1.0)
    times = [seen.at_s for seen in kubelet.seen]

    assert 4 <= len(times) <= 7
    assert min(after - before for before, after in pairwise(times)) >= 0.19


def test_a_container_that_stays_unknown_stops_being_a_reason_to_ask(rig: Any) -> None:
    kubelet = rig.kubelet()
    source = rig.poll(kubelet.url, least_s=0.02)
    source.wait(10)

    def asked(times: int) -> bool:
        source.lookup([A])
        return len(kubelet.seen) == times

    wait_until(lambda: asked(1 + 3))
    always(lambda: asked(1 + 3), 0.2)


def test_what_nobody_asks_for_is_read_now_and_then(rig: Any) -> None:
    kubelet = rig.kubelet()
    source = rig.poll(kubelet.url, every_s=0.1)
    wait_until(lambda: len(kubelet.seen) >= 3)
    rig.cluster.put_pod(pod("web", containers={"app": A}))

    wait_until(lambda: source.health().pods == 1)


def test_a_static_pod_is_found_by_the_hash_in_its_cgroup(rig: Any) -> None:
    rig.cluster.put_pod(static_pod("etcd-node-1", HASH, mirror=False, containers={"etcd": A}))
    source = rig.poll(rig.kubelet().url)
    source.wait(10)

    assert source.pods([HASH])[HASH].pod == "etcd-node-1"


def test_a_missing_right_names_the_one_that_is_no_danger(rig: Any) -> None:
    kubelet = rig.kubelet()
    kubelet.allowed = set()
    source = rig.poll(kubelet.url)
    source.wait(10)

    message = source.health().message
    assert "403" in message
    assert 'resources ["nodes/pods"], verbs ["get"]' in message


def test_a_token_that_expires_is_read_again(rig: Any) -> None:
    certificate = rig.authority().issue(["127.0.0.1"])
    rig.token_file.write_text("old")
    kubelet = rig.kubelet(tls=certificate, tokens={"new"})
    rig.cluster.put_pod(pod("web", containers={"app": A}))
    source = rig.poll(kubelet.url)
    source.wait(10)
    assert "401" in source.health().message
    rig.token_file.write_text("new")

    wait_until(lambda: names(source, A))


def test_a_certificate_of_its_own_making_is_refused_with_the_fix(rig: Any) -> None:
    own = rig.authority().issue(["127.0.0.1"])
    rig.ca_file = ""
    source = rig.poll(rig.kubelet(tls=own).url)
    source.wait(10)

    assert "certificate is not trusted" in source.health().message
    assert "workload.kube_ca_file" in source.health().message


@pytest.mark.parametrize("junk", [b"", b"{}", b"ok", b'{"items": [1, 2]}', b'{"kind":"PodList"'])
def test_an_answer_that_is_no_list_is_one_clear_line(rig: Any, junk: bytes) -> None:
    kubelet = rig.kubelet()
    kubelet.faults.junk = junk
    source = rig.poll(kubelet.url)
    source.wait(10)

    assert "not a list of pods" in source.health().message


def test_a_kubelet_that_is_away_costs_only_the_names_of_what_is_new(rig: Any) -> None:
    kubelet = rig.kubelet()
    rig.cluster.put_pod(pod("web", containers={"app": A}))
    source = rig.poll(kubelet.url)
    source.wait(10)
    kubelet.stop()
    wait_until(lambda: names(source, A, B) and source.health().failures > 2)
    assert names(source, A, B) == {A: "web"}
    rig.cluster.put_pod(pod("other", containers={"app": B}))
    kubelet.start()

    wait_until(lambda: names(source, B))


def test_facts_of_the_node_come_from_the_api_server(rig: Any) -> None:
    rig.cluster.put_node(node("node-1", provider_id="aws:///x"))
    source = rig.poll(rig.kubelet().url, api=rig.api().url)
    wait_until(lambda: source.node().provider_id == "aws:///x")

    assert source.health().requests >= 2


def test_facts_that_failed_are_asked_for_later(rig: Any) -> None:
    now = [0.0]
    api = rig.api()
    watch = NodeWatch(rig.endpoint(api.url), "node-1", shared=False, clock_s=lambda: now[0])
    watch.refresh()
    watch.refresh()
    assert len(api.seen) == 1
    rig.cluster.put_node(node("node-1", provider_id="aws:///x"))
    now[0] = 301
    watch.refresh()
    assert watch.facts.provider_id == "aws:///x"
    now[0] += 1799
    watch.refresh()
    assert len(api.seen) == 2
    rig.cluster.put_node(node("node-1", capacity={"nvidia.com/gpu": "8"}))
    now[0] += 2
    watch.refresh()

    assert watch.facts.capacity == {"gpu": 8}


def test_closing_wakes_it(rig: Any) -> None:
    source = rig.poll(rig.kubelet().url, least_s=0.01)
    source.wait(10)
    began_s = time.monotonic()
    source.close()

    assert time.monotonic() - began_s < 0.9
    assert not source.running
