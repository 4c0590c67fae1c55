"""The server against clients that drip, do not read, are too many, or do not speak HTTP."""

import logging
import select
import socket
import threading
import time
from collections.abc import Callable
from http import HTTPStatus

import pytest

from wattribute.core.errors import ListenFailed
from wattribute.http import server as server_module
from wattribute.http.message import HttpRequest, Response
from wattribute.http.server import Server
from wattribute_testing.raw_client import RawClient
from wattribute_testing.waiting import wait_until

Start = Callable[..., Server]
Connect = Callable[..., RawClient]


def test_it_listens_on_several_addresses_and_says_where(start: Start, connect: Connect) -> None:
    server = start(("127.0.0.1:0", "127.0.0.2:0"))

    assert [address.host for address in server.addresses] == ["127.0.0.1", "127.0.0.2"]
    assert all(address.port for address in server.addresses)
    for number in range(2):
        assert connect(server, number).get("/healthz")[0] == 200


def test_an_address_that_is_named_twice_is_listened_on_once(start: Start) -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        free = f"127.0.0.1:{probe.getsockname()[1]}"

    assert len(start((free, free)).addresses) == 1


def test_an_address_without_a_host_means_all(start: Start, connect: Connect) -> None:
    server = start((":0",))

    with socket.create_connection(("127.0.0.1", server.addresses[0].port), timeout=5):
        pass
    assert connect(server).get("/healthz")[0] == 200


def test_it_listens_on_no_address_where_one_cannot_be_had(start: Start) -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        free = f"127.0.0.1:{probe.getsockname()[1]}"
    with pytest.raises(ListenFailed):
        start((free, "192.0.2.1:0"))

    assert start((free,)).addresses[0].port


def test_a_connection_serves_request_after_request(start: Start, connect: Connect) -> None:
    client = connect(start())

    for path in ("/metrics", "/healthz", "/nothing", "/metrics"):
        status, headers, _ = client.get(path)
        assert status == (404 if path == "/nothing" else 200)
        assert headers["connection"] == "keep-alive"
    client.send("Connection: close")
    assert client.receive()[1]["connection"] == "close"
    assert client.at_end()


def test_requests_sent_at_once_are_answered_in_turn(start: Start, connect: Connect) -> None:
    client = connect(start())
    client.send(path="/healthz")
    client.send(path="/nothing")

    assert [client.receive()[0] for _ in range(2)] == [200, 404]


def test_head_has_the_length_and_no_body(start: Start, connect: Connect) -> None:
    client = connect(start())
    client.send(method="HEAD", path="/healthz")
    status, headers, _ = client.receive(body=False)

    assert (status, headers["content-length"]) == (200, "3")
    assert client.get("/healthz")[2] == b"ok\n"


def test_bytes_that_are_not_http_get_an_answer_and_the_end(start: Start, connect: Connect) -> None:
    client = connect(start())
    client.socket.sendall(b"hello\r\n\r\n")

    assert client.receive()[0] == 400
    assert client.at_end()


def test_a_head_without_end_is_cut_off(start: Start, connect: Connect) -> None:
    client = connect(start())
    client.socket.sendall(b"GET / HTTP/1.1\r\nX: " + b"x" * server_module.MAX_HEAD_BYTES)

    assert client.receive()[0] == 431
    assert client.at_end()


def test_a_client_that_drips_its_request_is_given_up(
    start: Start, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server_module, "HEAD_S", 0.15)
    client = connect(start())
    began_s = time.monotonic()
    while not select.select([client.socket], [], [], 0.02)[0]:
        client.socket.sendall(b"x")
        assert time.monotonic() - began_s < 8

    assert client.receive()[0] == 408
    assert client.at_end()


def test_a_client_that_does_not_read_is_dropped(
    start: Start, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server_module, "SEND_S", 0.2)
    server = start()
    lazy = connect(server)
    for _ in range(8):  # more than the kernel's buffers hold
        lazy.send()

    assert connect(server).get("/healthz")[0] == 200
    wait_until(lambda: server.open_connections == 1)


def test_slow_clients_delay_nobody(start: Start, connect: Connect) -> None:
    server = start()
    for _ in range(20):
        connect(server).socket.sendall(b"GET /metr")

    began_s = time.monotonic()
    assert connect(server).get("/metrics")[0] == 200
    assert time.monotonic() - began_s < 8


def test_at_the_limit_the_client_that_is_idle_the_longest_goes(
    start: Start, connect: Connect
) -> None:
    server = start(max_connections=3)
    clients = []
    for number in range(3):
        clients.append(connect(server))
        assert clients[-1].get("/healthz")[0] == 200
        wait_until(lambda expected=number + 1: server.idle_connections == expected)

    assert connect(server).get("/healthz")[0] == 200
    assert clients[0].at_end()
    assert clients[2].get("/healthz")[0] == 200


def test_at_the_limit_a_new_client_is_refused_if_none_is_idle(
    start: Start, connect: Connect
) -> None:
    waiting, go_on = threading.Event(), threading.Event()

    def handle(_: HttpRequest) -> Response:
        waiting.set()
        go_on.wait(5)
        return Response(HTTPStatus.OK, b"")

    server = start(handle=handle, max_connections=1)
    busy = connect(server)
    busy.send()
    assert waiting.wait(5)

    assert connect(server).receive()[0] == 503
    go_on.set()
    assert busy.receive()[0] == 200


def test_stopping_is_quick_whatever_clients_do(start: Start, connect: Connect) -> None:
    server = start()
    idle, half = connect(server), connect(server)
    idle.get("/healthz")
    half.socket.sendall(b"GET /")

    began_s = time.monotonic()
    server.stop()

    assert time.monotonic() - began_s < 4
    assert idle.at_end()
    with pytest.raises(OSError, match="refused"):
        connect(server)


def test_a_handler_that_fails_is_logged_and_the_client_is_answered(
    start: Start, connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    def handle(request: HttpRequest) -> Response:
        if request.path == "/bad":
            raise ValueError("s3cret")
        return Response(HTTPStatus.OK, b"ok")

    client = connect(start(handle=handle))

    status, _, body = client.get("/bad")
    assert (status, body) == (500, b"failed; the log says why\n")
    assert client.get("/good")[2] == b"ok"
    [record] = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert record.getMessage() == "no answer to GET /bad"
    assert "s3cret" in caplog.text
