import os
import re
import select
import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from wattribute.core.errors import ConfigInvalid, ListenFailed
from wattribute.core.records import Snapshot
from wattribute.http import server
from wattribute.http.listen import parse_address
from wattribute_testing.clock import FakeClock
from wattribute_testing.snapshots import SnapshotMaker
from wattribute_testing.waiting import wait_until

if TYPE_CHECKING:
    from conftest import Client

Start = Callable[..., Any]
Connect = Callable[..., "Client"]


def test_it_listens_on_several_addresses_and_says_where(
    start: Start, connect: Connect, snapshot: Snapshot
) -> None:
    exporter = start(snapshot, listen=("127.0.0.1:0", "127.0.0.2:0"))

    assert [address.host for address in exporter.addresses] == ["127.0.0.1", "127.0.0.2"]
    assert all(address.port for address in exporter.addresses)
    assert exporter.urls[0] == f"http://127.0.0.1:{exporter.addresses[0].port}"
    for number in range(2):
        assert connect(exporter, number).get("/healthz")[0] == 200


def test_an_address_that_is_named_twice_is_listened_on_once(
    start: Start, snapshot: Snapshot
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        free = f"127.0.0.1:{probe.getsockname()[1]}"
    exporter = start(snapshot, listen=(free, free))

    assert len(exporter.addresses) == 1


def test_an_address_without_a_host_means_all(
    start: Start, connect: Connect, snapshot: Snapshot
) -> None:
    exporter = start(snapshot, listen=(":0",))

    with socket.create_connection(("127.0.0.1", exporter.addresses[0].port), timeout=5):
        pass
    assert connect(exporter).get("/healthz")[0] == 200


def test_a_connection_serves_request_after_request(
    start: Start, connect: Connect, snapshot: Snapshot
) -> None:
    client = connect(start(snapshot))

    for path in ("/metrics", "/healthz", "/nothing", "/metrics"):
        status, headers, _ = client.get(path)
        assert status == (404 if path == "/nothing" else 200)
        assert headers["connection"] == "keep-alive"
    client.send("Connection: close")
    assert client.receive()[1]["connection"] == "close"
    assert client.at_end()


def test_requests_sent_at_once_are_answered_in_turn(
    start: Start, connect: Connect, snapshot: Snapshot
) -> None:
    client = connect(start(snapshot))
    client.send(path="/healthz")
    client.send(path="/nothing")

    assert [client.receive()[0] for _ in range(2)] == [200, 404]


def test_head_has_the_length_and_no_body(
    start: Start, connect: Connect, snapshot: Snapshot
) -> None:
    client = connect(start(snapshot))
    client.send(method="HEAD", path="/healthz")
    status, headers, _ = client.receive(body=False)

    assert (status, headers["content-length"]) == (200, "3")
    assert client.get("/healthz")[2] == b"ok\n"


def test_other_methods_are_told_which_are_allowed(
    start: Start, connect: Connect, snapshot: Snapshot
) -> None:
    client = connect(start(snapshot))
    client.send(method="DELETE")
    status, headers, _ = client.receive()

    assert (status, headers["allow"]) == (405, "GET, HEAD")


def test_what_is_not_http_gets_an_answer_and_the_end(
    start: Start, connect: Connect, snapshot: Snapshot
) -> None:
    client = connect(start(snapshot))
    client.socket.sendall(b"hello\r\n\r\n")

    assert client.receive()[0] == 400
    assert client.at_end()


def test_a_head_without_end_is_cut_off(start: Start, connect: Connect, snapshot: Snapshot) -> None:
    client = connect(start(snapshot))
    client.socket.sendall(b"GET / HTTP/1.1\r\nX: " + b"x" * server.MAX_HEAD_BYTES)

    assert client.receive()[0] == 431
    assert client.at_end()


def test_a_client_that_drips_its_request_is_told_off(
    start: Start, connect: Connect, snapshot: Snapshot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "HEAD_S", 0.15)
    client = connect(start(snapshot))
    began = time.monotonic()
    for byte in b"GET ":
        client.socket.sendall(bytes([byte]))
        assert select.select([client.socket], [], [], 0.02)[0] == []  # no answer yet

    assert client.receive()[0] == 408
    assert client.at_end()
    assert time.monotonic() - began < 8


def test_a_client_that_does_not_read_is_dropped(
    start: Start, connect: Connect, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "SEND_S", 0.2)
    large = SnapshotMaker(containers=600).tick()
    exporter = start(replace(large, at_ns=clock.monotonic_ns()))
    lazy = connect(exporter)
    for _ in range(8):  # more than the kernel's buffers hold
        lazy.send()

    assert connect(exporter).get("/healthz")[0] == 200
    wait_until(lambda: exporter.server.connections == 1)


def test_slow_clients_hold_up_nobody(start: Start, connect: Connect, snapshot: Snapshot) -> None:
    exporter = start(snapshot)
    for _ in range(20):
        connect(exporter).socket.sendall(b"GET /metr")

    began = time.monotonic()
    assert connect(exporter).get("/metrics")[0] == 200
    assert time.monotonic() - began < 8


def test_when_all_places_are_taken_the_longest_idle_client_goes(
    start: Start, connect: Connect, snapshot: Snapshot
) -> None:
    exporter = start(snapshot, max_connections=3)
    clients = []
    for number in range(3):
        clients.append(connect(exporter))
        assert clients[-1].get("/healthz")[0] == 200
        wait_until(lambda expected=number + 1: exporter.server.idle_connections == expected)

    assert connect(exporter).get("/healthz")[0] == 200
    assert clients[0].at_end()
    assert clients[2].get("/healthz")[0] == 200


def test_when_all_places_are_busy_a_new_client_is_refused(
    start: Start, connect: Connect, snapshot: Snapshot
) -> None:
    waiting, go = threading.Event(), threading.Event()

    def source() -> Snapshot:
        waiting.set()
        go.wait(5)
        return snapshot

    exporter = start(source, max_connections=1)
    busy = connect(exporter)
    busy.send()
    assert waiting.wait(5)

    refused = connect(exporter)
    assert refused.receive()[0] == 503
    go.set()
    assert busy.receive()[0] == 200


def test_four_scrapers_get_whole_pages_while_the_monitor_ticks(
    start: Start, connect: Connect, clock: FakeClock
) -> None:
    maker = SnapshotMaker(containers=60)
    snapshots = [replace(maker.tick(), at_ns=clock.monotonic_ns()) for _ in range(8)]
    newest = [snapshots[0]]
    exporter = start(lambda: newest[0])
    clients = [connect(exporter) for _ in range(4)]

    served: list[bytes] = []

    def scrape(client: "Client") -> list[bytes]:
        pages = []
        for _ in range(30):
            pages.append(client.get("/metrics")[2])
            served.append(pages[-1])
        return pages

    with ThreadPoolExecutor(4) as pool:
        jobs = [pool.submit(scrape, client) for client in clients]
        for snapshot in snapshots:
            newest[0] = snapshot
            shown = len(served)
            wait_until(lambda shown=shown: len(served) > shown + 4 or all(j.done() for j in jobs))
        seen = [job.result() for job in jobs]

    bodies = {body for pages in seen for body in pages}
    assert len(bodies) <= len(snapshots)
    assert len({body.count(b"\n") for body in bodies}) == 1
    for pages in seen:
        ticks = [re.search(rb"ticks_total (\d+)\n", page)[1] for page in pages]
        assert ticks == sorted(ticks)


def test_stopping_is_quick_whatever_clients_do(
    start: Start, connect: Connect, snapshot: Snapshot
) -> None:
    exporter = start(snapshot)
    idle, half = connect(exporter), connect(exporter)
    idle.get("/healthz")
    half.socket.sendall(b"GET /")

    began = time.monotonic()
    exporter.stop()

    assert time.monotonic() - began < 4
    assert idle.at_end()
    with pytest.raises(OSError, match="refused"):
        connect(exporter)


def test_a_port_in_use_is_named_with_what_would_help(start: Start, snapshot: Snapshot) -> None:
    taken = start(snapshot).addresses[0]

    with pytest.raises(
        ListenFailed, match=f"^127.0.0.1:{taken.port}: address already in use; .*--listen"
    ):
        start(snapshot, listen=("127.0.0.1:0", str(taken)))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may listen on every port")
def test_a_port_that_needs_privilege_is_named(start: Start, snapshot: Snapshot) -> None:
    with pytest.raises(ListenFailed, match="CAP_NET_BIND_SERVICE"):
        start(snapshot, listen=("127.0.0.1:1",))


def test_an_address_of_another_machine_is_named(start: Start, snapshot: Snapshot) -> None:
    with pytest.raises(ListenFailed, match=r"192\.0\.2\.1:0: .*no such address"):
        start(snapshot, listen=("192.0.2.1:0",))


@pytest.mark.parametrize("text", ["", "9102", "a:b", "::1:9102", "[::1]", "h:99999", "h:1:2"])
def test_what_is_not_an_address_is_refused(text: str) -> None:
    with pytest.raises(ConfigInvalid, match="HOST:PORT"):
        parse_address(text)


@pytest.mark.parametrize(
    ("text", "loopback"),
    [
        ("127.0.0.1:1", True), ("127.9.9.9:1", True), ("[::1]:1", True), ("localhost:1", True),
        (":1", False), ("0.0.0.0:1", False), ("[::]:1", False), ("10.0.0.1:1", False),
        ("example.org:1", False),
    ],
)  # fmt: skip
def test_loopback_is_known(text: str, loopback: bool) -> None:  # noqa: FBT001
    assert parse_address(text).is_loopback is loopback
    assert str(parse_address(text)) == text
