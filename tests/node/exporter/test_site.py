import gzip
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import msgspec
import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as om_families
from prometheus_client.parser import text_string_to_metric_families as families_of

from wattribute.core.records import Snapshot
from wattribute.node.exporter.api.shapes import Document
from wattribute_testing.clock import FakeClock
from wattribute_testing.raw_client import RawClient
from wattribute_testing.snapshots import ESTIMATED, SnapshotMaker

Start = Callable[..., Any]
Connect = Callable[..., RawClient]


def names(body: bytes) -> set[str]:
    return {family.name for family in families_of(body.decode())}


def test_the_chosen_families_are_at_metrics_and_the_newer_ones_always_at_their_own_path(
    start: Start, connect: Connect, snapshot: Snapshot
) -> None:
    for metrics, older, newer in (
        ("kepler-0.9", True, False), ("kepler-0.11", False, True), ("none", False, False),
    ):  # fmt: skip
        client = connect(start(snapshot, metrics=metrics))
        found = names(client.get("/metrics")[2])
        other = names(client.get("/metrics/kepler-0.11")[2])

        assert ("kepler_container_joules" in found) is older
        assert ("kepler_container_cpu_joules" in found) is newer
        assert "wattribute_node_joules" in found
        assert "kepler_container_cpu_joules" in other
        assert not {name for name in other if not name.startswith("kepler_")}
        assert "kepler_container_joules" not in other


def test_process_families_are_shown_when_asked_for(
    start: Start, connect: Connect, snapshot: Snapshot
) -> None:
    assert "kepler_process_joules" not in names(connect(start(snapshot)).get("/metrics")[2])
    client = connect(start(snapshot, processes=True))
    assert "kepler_process_joules" in names(client.get("/metrics")[2])
    assert "kepler_process_cpu_joules" in names(client.get("/metrics/kepler-0.11")[2])


def test_strangers_see_no_processes(start: Start, connect: Connect, snapshot: Snapshot) -> None:
    client = connect(start(snapshot, listen=("0.0.0.0:0",), processes=True))

    assert "kepler_process_joules" not in names(client.get("/metrics")[2])
    assert "kepler_process_cpu_joules" not in names(client.get("/metrics/kepler-0.11")[2])
    answer = json.loads(client.get("/api/v1/snapshot")[2])
    assert answer["processes"] is None
    assert answer["process_count"] == 6
    assert answer["containers"]


def test_content_is_negotiated(start: Start, connect: Connect, snapshot: Snapshot) -> None:
    client = connect(start(snapshot))

    _, headers, plain = client.get("/metrics")
    assert headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert "content-encoding" not in headers
    assert headers["vary"] == "Accept, Accept-Encoding"

    _, headers, body = client.get("/metrics", "Accept-Encoding: gzip")
    assert headers["content-encoding"] == "gzip"
    assert gzip.decompress(body) == plain

    _, headers, body = client.get("/metrics", "Accept: application/openmetrics-text")
    assert headers["content-type"].startswith("application/openmetrics-text; version=1.0.0")
    list(om_families(body.decode()))

    _, _, packed = client.get(
        "/metrics", "Accept: application/openmetrics-text", "Accept-Encoding: gzip"
    )
    assert gzip.decompress(packed) == body


def test_nothing_is_ready_before_the_first_snapshot(start: Start, connect: Connect) -> None:
    client = connect(start(None))

    for path in ("/metrics", "/metrics/kepler-0.11", "/readyz", "/api/v1/snapshot"):
        assert client.get(path)[::2] == (503, b"no reading yet\n")
    assert client.get("/healthz")[0] == 200
    assert client.get("/")[0] == 200


def test_an_agent_that_never_reads_is_not_healthy(
    start: Start, connect: Connect, clock: FakeClock
) -> None:
    client = connect(start(None))
    clock.advance(31)

    assert client.get("/healthz")[::2] == (503, b"no reading after 31 s\n")


def test_a_stale_snapshot_shows_health_alone(
    start: Start, connect: Connect, clock: FakeClock, snapshot: Snapshot
) -> None:
    client = connect(start(snapshot))
    clock.advance(29)
    assert client.get("/healthz")[0] == 200
    assert "kepler_container_joules" in names(client.get("/metrics")[2])

    clock.advance(2)
    assert client.get("/healthz")[::2] == (503, b"the last reading is 31 s old\n")
    assert client.get("/readyz")[0] == 200
    found = names(client.get("/metrics")[2])
    assert "wattribute_snapshot_timestamp_seconds" in found
    assert not {name for name in found if name.startswith("kepler_")}
    assert not {name for name in found if "joules" in name or "watts" in name}
    assert names(client.get("/metrics/kepler-0.11")[2]) == {"kepler_build_info"}
    answer = json.loads(client.get("/api/v1/snapshot")[2])
    assert (answer["stale"], answer["age_s"]) == (True, 31.0)


def test_with_long_intervals_patience_is_three_of_them(
    start: Start, connect: Connect, clock: FakeClock
) -> None:
    maker = SnapshotMaker(interval_ns=20_000_000_000)
    client = connect(start(maker.tick()))
    clock.advance(59)
    assert client.get("/healthz")[0] == 200
    clock.advance(2)
    assert client.get("/healthz")[0] == 503


def test_no_sample_has_a_timestamp(start: Start, connect: Connect, snapshot: Snapshot) -> None:
    page = connect(start(snapshot, processes=True)).get("/metrics")[2].decode()

    for family in families_of(page):
        assert all(sample.timestamp is None for sample in family.samples)


def test_the_snapshot_has_the_documented_shape(
    start: Start, connect: Connect, clock: FakeClock
) -> None:
    maker = SnapshotMaker(containers=3, processes=9, vms=1, channels=ESTIMATED)
    made = replace(maker.tick(), at_ns=clock.monotonic_ns())
    status, headers, body = connect(start(made)).get("/api/v1/snapshot")
    answer = msgspec.json.decode(body, type=Document)

    assert (status, headers["content-type"], answer.schema) == (200, "application/json", 1)
    assert answer.node.name == "node-1"
    assert sum(row.watts for row in answer.containers) == pytest.approx(
        made.containers.power_uw.sum() / 1e6
    )
    for component in answer.components:
        assert component.origin == "estimated"
        assert component.low_watts < component.watts < component.high_watts
    node = sum(c.dynamic_joules + c.idle_joules for c in answer.components)
    spread = sum(row.dynamic_joules + row.idle_joules for row in answer.containers)
    nobody = sum(c.unpaid_idle_joules + c.unattributed_joules for c in answer.components)
    assert node == pytest.approx(spread + nobody)
    assert answer.processes is not None
    assert {process.container for process in answer.processes} <= {
        row.uid for row in answer.containers
    }


def test_as_many_processes_as_asked_for_the_greatest_first(
    start: Start, connect: Connect, snapshot: Snapshot
) -> None:
    client = connect(start(snapshot))
    watts = [row["watts"] for row in json.loads(client.get("/api/v1/snapshot")[2])["processes"]]
    assert watts == sorted(watts, reverse=True)
    assert len(watts) == 6

    for asked, given in (("0", 0), ("2", 2), ("999999999999", 6)):
        answer = json.loads(client.get(f"/api/v1/snapshot?processes={asked}")[2])
        assert len(answer["processes"]) == given
    for asked in ("-1", "x", "1.5", "%00"):
        status, _, body = client.get(f"/api/v1/snapshot?processes={asked}")
        assert status == 400
        assert b"not a whole number" in body


def test_the_snapshot_comes_in_gzip_too(start: Start, connect: Connect, snapshot: Snapshot) -> None:
    client = connect(start(snapshot))

    packed = client.get("/api/v1/snapshot", "Accept-Encoding: gzip")[2]
    assert gzip.decompress(packed) == client.get("/api/v1/snapshot")[2]


def test_a_path_that_is_not_there_says_which_are(
    start: Start, connect: Connect, snapshot: Snapshot
) -> None:
    status, _, body = connect(start(snapshot)).get("/nothing")

    assert status == 404
    assert b"/metrics/kepler-0.11" in body
