"""The client of services, against servers that break off, drip, send too much or are not there."""

import logging
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from wattribute.core.errors import SourceFailed, SourceInterrupted
from wattribute.http.httpx_client import HttpxClient
from wattribute.http.tls import client_context
from wattribute_testing.bmc import FakeBmc
from wattribute_testing.kube.authority import Authority

_HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n"


@contextmanager
def serving(*pieces: bytes, pause_s: float = 0.0) -> Iterator[tuple[str, list[bytes]]]:
    """A server that answers its one request with these pieces; and the requests that it got."""
    requests: list[bytes] = []
    ended = threading.Event()

    def talk(listener: socket.socket) -> None:
        with suppress(OSError):
            peer, _ = listener.accept()
            with peer:
                request = peer.recv(65536)
                while b"Content-Length: 3" in request and not request.endswith(b"d=e"):
                    request += peer.recv(65536)
                requests.append(request)
                for piece in pieces:
                    peer.sendall(piece)
                    ended.wait(pause_s)
                if not pieces:
                    peer.recv(1)  # until the client closes the connection

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=talk, args=(listener,), daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", requests
        ended.set()
        listener.shutdown(socket.SHUT_RDWR)
    thread.join(5)


@pytest.fixture
def client() -> Iterator[HttpxClient]:
    with HttpxClient(timeout_s=5) as client:
        yield client


def test_query_form_headers_and_password_are_sent(client: HttpxClient) -> None:
    with (
        serving(_HEAD % 2, b"ok") as (url, requests),
        client.send(
            "POST",
            f"{url}/path",
            query={"a": "b"},
            form={"d": "e"},
            headers={"X-Mine": "f"},
            auth=("user", "password"),
        ) as reply,
    ):
        assert (reply.status, reply.read(100)) == (200, b"ok")

    assert requests[0].startswith(b"POST /path?a=b HTTP/1.1\r\n")
    assert b"\r\nX-Mine: f\r\n" in requests[0]
    assert b"\r\nAuthorization: Basic dXNlcjpwYXNzd29yZA==\r\n" in requests[0]
    assert requests[0].endswith(b"\r\n\r\nd=e")


def test_pieces_have_the_size_that_was_asked_for(client: HttpxClient) -> None:
    with serving(_HEAD % 5, b"abcde") as (url, _), client.send("GET", url) as reply:
        assert list(reply.pieces(2)) == [b"ab", b"cd", b"e"]


def test_redirects_are_answers_and_not_followed(client: HttpxClient) -> None:
    moved = b"HTTP/1.1 302 Found\r\nLocation: http://elsewhere/\r\nContent-Length: 0\r\n\r\n"
    with serving(moved) as (url, requests), client.send("GET", url) as reply:
        assert reply.status == 302

    assert len(requests) == 1


def test_a_body_that_breaks_off_is_an_error_of_its_own(client: HttpxClient) -> None:
    with (
        serving(_HEAD % 9, b"ok") as (url, _),
        client.send("GET", url) as reply,
        pytest.raises(SourceInterrupted) as caught,
    ):
        reply.read(100)

    assert str(caught.value).startswith("the answer broke off: ")


def test_a_body_that_is_too_large_is_not_read(client: HttpxClient) -> None:
    body = b"x" * (2 << 20)
    with (
        serving(_HEAD % len(body), body) as (url, _),
        client.send("GET", url) as reply,
        pytest.raises(SourceFailed, match="answered more than 1 MiB"),
    ):
        reply.read(1 << 20)


def test_a_body_that_drips_is_given_up(client: HttpxClient) -> None:
    with serving(_HEAD % 100, *[b"x"] * 100, pause_s=0.02) as (url, _):
        began_s = time.monotonic()
        with client.send("GET", url) as reply, pytest.raises(SourceFailed) as caught:
            reply.read(1000, longest_s=0.2)

    assert str(caught.value) == "took longer than 0.2 s"
    assert time.monotonic() - began_s < 1.5


def test_a_server_that_is_silent_is_given_up() -> None:
    with (
        serving() as (url, _),
        HttpxClient(timeout_s=0.2) as client,
        pytest.raises(SourceFailed, match="no answer in time"),
    ):
        client.send("GET", url)


def test_a_server_that_is_not_there_is_said(client: HttpxClient) -> None:
    with pytest.raises(SourceFailed, match=r"^no connection: .*refused"):
        client.send("GET", "http://127.0.0.1:1")


@pytest.mark.parametrize("url", ["ftp://127.0.0.1/s3cret", "http://[/s3cret", "//s3cret"])
def test_an_address_that_is_none_is_not_shown(client: HttpxClient, url: str) -> None:
    with pytest.raises(SourceFailed) as caught:
        client.send("GET", url)

    assert "s3cret" not in str(caught.value)


def test_neither_log_nor_error_shows_a_query_or_a_header(
    client: HttpxClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    secret = {"token": "s3cret"}
    with (
        serving(_HEAD % 9, b"ok") as (url, requests),
        client.send("GET", url, query=secret, headers=secret) as reply,
        pytest.raises(SourceFailed) as caught,
    ):
        reply.read(100)

    assert requests[0].count(b"s3cret") == 2
    assert "s3cret" not in caplog.text + repr(caught.value)


def test_only_certificates_that_are_trusted_are_taken(client: HttpxClient, tmp_path: Path) -> None:
    authority = Authority(tmp_path, "server")
    context = client_context(str(authority.certificate), "the.ca_file")
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    with FakeBmc(tls=authority.issue(["127.0.0.1"])) as server:
        url = f"{server.url}/redfish/v1"
        with HttpxClient(timeout_s=5, context=context) as trusting:
            assert trusting.send("GET", url).status == 200
        with pytest.raises(SourceFailed, match=r"^no connection: .*certificate verify failed"):
            client.send("GET", url)
