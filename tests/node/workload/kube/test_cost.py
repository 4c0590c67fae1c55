"""What of a pod is kept, and how often is asked; milliseconds and MiB are in `make bench`."""

import json
import pickle
from typing import Any

from wattribute.node.workload.kube.describe import describe
from wattribute.node.workload.kube.shapes import POD
from wattribute_testing.kube import pod_of_real_size
from wattribute_testing.waiting import wait_until

SENT_BYTES = 10_000
KEPT_BYTES = 3_000


def sent(name: str) -> bytes:
    return json.dumps(pod_of_real_size(name), separators=(",", ":")).encode()


def test_of_a_pod_of_real_size_little_is_kept() -> None:
    body = sent("web-1")
    described = describe(POD.decode(body))

    assert len(body) > SENT_BYTES
    assert len(described.containers) == 3
    assert len(pickle.dumps(described)) < KEPT_BYTES
    assert b"VARIABLE" not in pickle.dumps(described)


def test_what_has_not_changed_is_not_kept_twice_by_another_list(rig: Any) -> None:
    pods = [pod_of_real_size(f"web-{number}") for number in range(20)]
    for sent_pod in pods:
        rig.cluster.put_pod(sent_pod)
    api = rig.api()
    source = rig.poll(rig.kubelet().url, api=api.url, every_s=0.05)
    source.wait(10)
    before = source.pods(sent_pod["metadata"]["uid"] for sent_pod in pods)
    requests = source.health().requests
    wait_until(lambda: source.health().requests >= requests + 2)
    after = source.pods(before)

    assert len(before) == 20
    assert all(after[uid] is before[uid] for uid in before)


def test_a_full_list_of_500_pods_is_one_request(rig: Any) -> None:
    for number in range(500):
        rig.cluster.put_pod(pod_of_real_size(f"web-{number}"))
    api = rig.api()
    source = rig.watch(api.url)
    source.wait(30)

    assert source.health().pods == 500
    lists = [s for s in api.seen if s.path == "/api/v1/pods" and "watch" not in s.query]
    assert len(lists) == 1
