"""List and watch against a fake API server, and what can go wrong."""

import logging
import time
from typing import Any

import pytest

from wattribute.node.workload.kube import apiserver, endpoint
from wattribute.node.workload.kube.pauses import Pauses
from wattribute_testing.kube import container_id, node, pod
from wattribute_testing.waiting import always, wait_until

A, B, C = (container_id(name) for name in "abc")


def names(source: Any, *ids: str) -> dict[str, str]:
    return {i: workload.pod for i, workload in source.lookup(ids).items()}


def test_pods_that_are_there_are_listed_from_the_servers_cache(rig: Any) -> None:
    rig.cluster.put_pod(pod("web", containers={"app": A}))
    rig.cluster.put_pod(pod("elsewhere", node_name="node-2", containers={"app": B}))
    api = rig.api()
    source = rig.watch(api.url)
    source.wait(10)

    assert names(source, A, B) == {A: "web"}
    assert api.seen[0].query == {"fieldSelector": "spec.nodeName=node-1", "resourceVersion": "0"}
    health = source.health()
    assert (health.up, health.failures, health.pods) == (True, 0, 1)


def test_the_watch_brings_new_changed_and_deleted_pods(rig: Any) -> None:
    api = rig.api()
    source = rig.watch(api.url)
    source.wait(10)
    rig.cluster.put_pod(pod("web", containers={"app": ""}))
    rig.cluster.put_pod(pod("web", containers={"app": A}, labels={"v": "1"}))
    wait_until(lambda: names(source, A))
    rig.cluster.put_pod(pod("web", containers={"app": A}, labels={"v": "2"}))
    wait_until(lambda: source.lookup([A])[A].labels == {"v": "2"})
    rig.cluster.delete_pod("default", "web")
    wait_until(lambda: source.health().pods == 0)

    assert names(source, A) == {A: "web"}  # its energy may still be without a name
    assert [seen.query.get("watch") for seen in api.seen if seen.path == "/api/v1/pods"] == [
        None,
        "1",
    ]


def test_a_container_that_lived_between_two_looks_has_its_name(rig: Any) -> None:
    source = rig.watch(rig.api().url)
    source.wait(10)
    rig.cluster.put_pod(pod("job", containers={"app": A}))
    rig.cluster.delete_pod("default", "job")
    rig.cluster.put_pod(pod("web", containers={"app": B}))
    wait_until(lambda: names(source, B))

    assert names(source, A) == {A: "job"}


def test_a_watch_that_the_server_ends_goes_on_where_it_was(rig: Any) -> None:
    api = rig.api()
    rig.cluster.put_pod(pod("web", containers={"app": A}))
    source = rig.watch(api.url, watch_s=1.5)
    wait_until(lambda: len([s for s in api.seen if s.query.get("watch")]) >= 2)
    rig.cluster.put_pod(pod("other", containers={"app": B}))
    wait_until(lambda: names(source, B))

    assert sum("watch" not in seen.query for seen in api.seen if "pods" in seen.path) == 1
    assert source.health().failures == 0


def test_bookmarks_move_the_watch_on_without_any_event(rig: Any) -> None:
    api = rig.api()
    api.bookmark_every_s = 0.05
    source = rig.watch(api.url)
    source.wait(10)
    version = source.version
    rig.cluster.put_pod(pod("elsewhere", node_name="node-2"))

    wait_until(lambda: source.version > version)
    assert source.health().pods == 0


def test_what_has_been_forgotten_is_listed_anew_and_from_the_newest_state(rig: Any) -> None:
    api = rig.api()
    rig.cluster.put_pod(pod("web", containers={"app": A}))
    source = rig.watch(api.url)
    source.wait(10)
    api.stop()
    wait_until(lambda: not source.health().up)
    rig.cluster.delete_pod("default", "web")
    rig.cluster.put_pod(pod("other", containers={"app": B}))
    rig.cluster.compact()
    api.start()
    wait_until(lambda: names(source, B))

    lists = [s.query for s in api.seen if s.path.endswith("pods") and "watch" not in s.query]
    assert lists[-1] == {"fieldSelector": "spec.nodeName=node-1"}
    assert source.health().pods == 1
    assert names(source, A) == {A: "web"}


def test_a_server_that_is_away_costs_only_the_names_of_what_is_new(
    rig: Any, caplog: pytest.LogCaptureFixture
) -> None:
    api = rig.api()
    rig.cluster.put_pod(pod("web", containers={"app": A}))
    source = rig.watch(api.url)
    source.wait(10)
    api.stop()
    with caplog.at_level(logging.INFO, "wattribute"):
        wait_until(lambda: source.health().failures > 5)
        assert names(source, A) == {A: "web"}
        assert not source.health().up
        rig.cluster.put_pod(pod("other", containers={"app": B}))
        api.start()
        wait_until(lambda: names(source, B))
        wait_until(lambda: source.health().up)

    said = [record.getMessage() for record in caplog.records]
    assert sum("connection refused" in text for text in said) == 1, said
    assert sum("answers again" in text for text in said) >= 1


def test_a_server_that_was_never_there_does_not_hold_up_the_start(rig: Any) -> None:
    source = rig.watch("http://127.0.0.1:1")
    source.wait(10)

    assert source.lookup([A]) == {}
    assert "connection refused" in source.health().message


def test_pauses_grow_are_jittered_and_bounded() -> None:
    rows = []
    for _ in range(50):
        pauses = Pauses()
        rows.append([pauses.next_s() for _ in range(12)])

    for step, mean_s in enumerate((1, 2, 4, 8, 16, 30, 30, 30, 30, 30, 30, 30)):
        column = [row[step] for row in rows]
        assert min(column) >= mean_s * 0.5
        assert max(column) <= mean_s * 1.5
        assert max(column) > min(column) * 1.2


def test_agents_whose_watches_end_at_one_instant_come_back_over_ten_seconds(
    rig: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(apiserver, "_STEADY_S", 0.0)
    api = rig.api()

    class Noted(Pauses):
        spread = False

        def reset(self, *, spread: bool = False) -> None:
            self.spread = self.spread or spread
            super().reset(spread=spread)

    noted = Noted(first_s=0.01, longest_s=0.01, spread_s=0.01)
    source = rig.watch(api.url, pauses=noted)
    wait_until(lambda: any(seen.query.get("watch") for seen in api.seen))
    api.stop()
    wait_until(lambda: noted.spread)
    source.close()

    firsts, seconds = [], []
    for _ in range(200):
        pauses = Pauses()
        pauses.reset(spread=True)
        firsts.append(pauses.next_s())
        seconds.append(pauses.next_s())
    assert min(firsts) < 1
    assert 9 < max(firsts) <= 10
    assert 1 <= min(seconds) <= max(seconds) <= 3


def test_the_server_says_when_to_come_back(rig: Any) -> None:
    api = rig.api()
    api.faults.status, api.faults.retry_after_s = 429, 1
    source = rig.watch(api.url)
    source.wait(10)

    always(lambda: len(api.seen) == 1, 0.5)
    assert "429" in source.health().message
    api.faults.status = 0
    wait_until(lambda: source.health().up)


def test_a_token_that_expires_is_read_again(rig: Any) -> None:
    certificate = rig.authority().issue(["127.0.0.1"])
    rig.token_file.write_text("old\n")
    rig.cluster.put_pod(pod("web", containers={"app": A}))
    api = rig.api(tls=certificate, tokens={"new"})
    source = rig.watch(api.url)
    source.wait(10)
    health = source.health()
    assert "401" in health.message
    assert str(rig.token_file) in health.message
    assert "expired" in health.message
    assert source.denied
    rig.token_file.write_text("new\n")

    wait_until(lambda: names(source, A))
    assert {seen.token for seen in api.seen} == {"old", "new"}


def test_a_missing_token_is_named(rig: Any) -> None:
    certificate = rig.authority().issue(["127.0.0.1"])
    source = rig.watch(rig.api(tls=certificate, tokens={"t"}).url)
    source.wait(10)

    assert (
        f"workload.kube_token_file {rig.token_file}: no readable token" in source.health().message
    )


def test_a_token_is_never_sent_unencrypted(rig: Any) -> None:
    rig.token_file.write_text("secret")
    api = rig.api()
    rig.watch(api.url).wait(10)

    assert {seen.token for seen in api.seen} == {""}


@pytest.mark.parametrize("rights", [set(), {("list", "pods")}])
def test_a_missing_right_is_named_with_the_rule_that_gives_it(
    rig: Any, rights: set[tuple[str, str]]
) -> None:
    api = rig.api()
    api.allowed = rights
    source = rig.watch(api.url)
    message = wait_until(lambda: source.health().message)

    assert "403" in message
    assert 'ClusterRole must allow apiGroups [""], resources ["pods"], verbs ["list", "watch"]' in (
        message
    )
    assert source.denied
    api.allowed = None
    wait_until(lambda: source.health().up)


def test_tls_is_verified_against_the_clusters_authority(rig: Any) -> None:
    certificate = rig.authority().issue(["127.0.0.1"])
    rig.cluster.put_pod(pod("web", containers={"app": A}))
    source = rig.watch(rig.api(tls=certificate).url)

    wait_until(lambda: names(source, A))


@pytest.mark.parametrize(
    ("hosts", "trusted", "words"),
    [
        (["127.0.0.1"], False, "workload.kube_ca_file"),
        (["kubernetes.default.svc"], True, "IP address mismatch"),
    ],
)
def test_a_certificate_that_is_not_trusted_is_said_with_the_fix(
    rig: Any, hosts: list[str], trusted: Any, words: str
) -> None:
    certificate = rig.authority().issue(hosts)
    if not trusted:
        rig.ca_file = ""
    api = rig.api(tls=certificate)
    source = rig.watch(api.url)
    source.wait(10)
    message = source.health().message

    assert "certificate is not trusted" in message
    assert words in message
    assert api.seen == []


def test_a_file_of_certificates_that_holds_none_is_named(rig: Any) -> None:
    certificate = rig.authority().issue(["127.0.0.1"])
    rig.ca_file = rig.folder / "empty"
    api = rig.api(tls=certificate)
    source = rig.watch(api.url)
    source.wait(10)
    assert f"workload.kube_ca_file {rig.ca_file}: No such file" in source.health().message
    rig.ca_file.write_text("junk")

    wait_until(lambda: "no certificate in it" in source.health().message)


@pytest.mark.parametrize(
    "junk", [b"", b"{", b"<html>", b"[]", b'{"items": 5}', b"\xff\xfe", b"[" * 100_000, b"{}"]
)
def test_a_malformed_list_is_one_clear_line(rig: Any, junk: bytes) -> None:
    api = rig.api()
    api.faults.junk = junk
    source = rig.watch(api.url)
    source.wait(10)
    message = source.health().message
    assert "not a list of pods" in message
    assert "\n" not in message
    assert len(message) < 500
    api.faults.junk = None

    wait_until(lambda: source.health().up)


@pytest.mark.parametrize("junk", [b"{", b'{"type": 5}', b'{"type":"ADDED","object":[]}', b"null"])
def test_a_malformed_event_leads_to_a_new_list(rig: Any, junk: bytes) -> None:
    api = rig.api()
    source = rig.watch(api.url)
    source.wait(10)
    api.faults.junk = junk
    api.faults.watch_ends_at_once = False
    rig.cluster.compact()  # ends the watch that is on: the next one gets the junk
    rig.cluster.put_pod(pod("web", containers={"app": A}))
    api.stop()
    api.start()
    wait_until(lambda: source.health().failures > 0)
    api.faults.junk = None

    wait_until(lambda: names(source, A))


def test_a_pod_that_cannot_be_read_costs_only_itself(rig: Any) -> None:
    broken = pod("broken", containers={"app": B})
    broken["spec"]["containers"] = "no list"
    rig.cluster.put_pod(broken)
    rig.cluster.put_pod(pod("web", containers={"app": A}))
    source = rig.watch(rig.api().url)
    source.wait(10)

    assert names(source, A, B) == {A: "web"}
    rig.cluster.put_pod(broken)
    rig.cluster.put_pod(pod("new", containers={"app": C}))
    wait_until(lambda: names(source, C))
    assert source.health().failures == 0


@pytest.mark.parametrize("endless", [False, True])
def test_an_answer_of_100_megabytes_is_refused(
    rig: Any, endless: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(endpoint, "LARGEST_BYTES", 4 << 20)
    api = rig.api()
    if endless:
        api.faults.endless = True
    else:
        api.faults.huge_bytes = 100 << 20
    source = rig.watch(api.url)
    source.wait(20)

    assert "over 4 MiB is not read" in source.health().message


def test_a_list_that_comes_too_slowly_is_given_up(
    rig: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(endpoint, "ANSWER_S", 0.3)
    api = rig.api()
    api.faults.byte_every_s = 0.01
    source = rig.watch(api.url)
    source.wait(10)

    assert "no whole answer" in source.health().message


def test_a_server_that_is_silent_is_given_up(rig: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endpoint, "ANSWER_S", 0.2)
    api = rig.api()
    api.faults.silent.set()
    source = rig.watch(api.url)
    source.wait(10)
    assert "no answer in time" in source.health().message
    api.faults.silent.clear()

    wait_until(lambda: source.health().up)


def test_a_list_that_breaks_off_is_not_taken_for_the_whole(rig: Any) -> None:
    for number in range(20):
        rig.cluster.put_pod(pod(f"web-{number}"))
    api = rig.api()
    api.faults.cut_after_bytes = 3000
    source = rig.watch(api.url)
    source.wait(10)
    assert "broke off" in source.health().message
    assert source.health().pods == 0
    api.faults.cut_after_bytes = 0

    wait_until(lambda: source.health().pods == 20)


def test_a_stream_that_breaks_in_an_event_goes_on_before_it(rig: Any) -> None:
    api = rig.api()
    source = rig.watch(api.url)
    source.wait(10)
    wait_until(lambda: any(seen.query.get("watch") for seen in api.seen))
    api.faults.cut_after_bytes = 300
    rig.cluster.put_pod(pod("web", containers={"app": A}))
    wait_until(lambda: source.health().failures)
    assert names(source, A) == {}
    api.faults.cut_after_bytes = 0

    wait_until(lambda: names(source, A))
    assert sum("watch" not in seen.query for seen in api.seen if "pods" in seen.path) == 1


def test_a_slow_stream_is_read_as_it_comes(rig: Any) -> None:
    api = rig.api()
    source = rig.watch(api.url)
    source.wait(10)
    api.faults.byte_every_s = 0.0002
    rig.cluster.put_pod(pod("web", containers={"app": A}))

    wait_until(lambda: names(source, A))
    assert source.health().failures == 0


def test_watches_that_end_at_once_are_not_begun_again_at_once(rig: Any) -> None:
    api = rig.api()
    api.faults.watch_ends_at_once = True
    source = rig.watch(api.url)
    wait_until(lambda: source.health().failures >= 3)

    assert "ended the watch at once" in source.health().message


def test_facts_of_the_node_are_asked_once_and_from_the_cache(rig: Any) -> None:
    rig.cluster.put_node(
        node("node-1", provider_id="gce://x", capacity={"cpu": "2", "memory": "1Gi"})
    )
    api = rig.api()
    source = rig.watch(api.url, watch_s=0.6)
    wait_until(lambda: source.node().provider_id == "gce://x")
    wait_until(lambda: len([s for s in api.seen if s.query.get("watch")]) >= 2)

    asked = [seen for seen in api.seen if "nodes" in seen.path]
    assert len(asked) == 1
    assert asked[0].query == {"resourceVersion": "0"}
    assert source.node().capacity == {"cpu_mcore": 2000, "memory_bytes": 1 << 30}


@pytest.mark.parametrize("rights", [True, False])
def test_facts_that_may_not_be_read_are_said_once_and_names_go_on(
    rig: Any, rights: Any, caplog: pytest.LogCaptureFixture
) -> None:
    api = rig.api()
    rig.cluster.put_pod(pod("web", containers={"app": A}))
    if not rights:
        api.allowed = {("list", "pods"), ("watch", "pods")}
    with caplog.at_level(logging.WARNING, "wattribute"):
        source = rig.watch(api.url, watch_s=0.6)
        wait_until(lambda: len([s for s in api.seen if s.query.get("watch")]) >= 3)

    said = [r.getMessage() for r in caplog.records if "facts of the node" in r.getMessage()]
    assert len(said) == 1
    assert ('resources ["nodes"], verbs ["get"]' in said[0]) != rights
    assert names(source, A) == {A: "web"}
    assert source.health().up


def test_closing_ends_a_watch_at_once(rig: Any) -> None:
    api = rig.api()
    source = rig.watch(api.url)
    source.wait(10)
    wait_until(lambda: any(seen.query.get("watch") for seen in api.seen))
    began_s = time.monotonic()
    source.close()

    assert time.monotonic() - began_s < 0.9
    assert not source.running


@pytest.mark.parametrize("url", ["", "kubernetes", "ftp://x", "https://", "https://x:99999"])
def test_what_is_no_address_is_refused(rig: Any, url: str) -> None:
    from wattribute.core.errors import ConfigInvalid

    with pytest.raises(ConfigInvalid, match=r"workload\.kube_url"):
        rig.endpoint(url)
