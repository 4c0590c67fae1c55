"""The agent's client against servers that redirect, drip, hang up, lie about who they are."""

import select
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from wattribute.core.errors import ConfigInvalid, SourceDenied, SourceFailed
from wattribute.http.answer import Answer, Stream
from wattribute.http.client import HttpClient, Keys
from wattribute_testing.bmc import FakeBmc
from wattribute_testing.kube.authority import Authority
from wattribute_testing.waiting import wait_until

KEYS = Keys("the.url", "the.ca_file")
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@contextmanager
def serving(*answers: bytes, pause_s: float = 0.0) -> Iterator[tuple[str, list[bytes]]]:
    """A server that answers each request with the next bytes; and the requests that it got."""
    requests: list[bytes] = []
    rest = list(answers)

    def talk(peer: socket.socket) -> None:
        with peer, suppress(OSError):
            while rest and (head := peer.recv(65536)):
                requests.append(head)
                for piece in rest.pop(0).split(b"|"):
                    if piece == b"END":
                        return
                    peer.sendall(piece)
                    select.select([peer], [], [], pause_s)  # or until the client hangs up
            peer.recv(1)  # until the client ends the connection

    def accept(listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                peer, _ = listener.accept()
                threading.Thread(target=talk, args=(peer,), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=accept, args=(listener,), daemon=True).start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", requests
        listener.shutdown(socket.SHUT_RDWR)


def test_requests_go_over_one_connection_with_the_usual_headers_and_those_that_are_given() -> None:
    with serving(OK, OK) as (url, requests):
        client = HttpClient(url, KEYS)
        answer = client.request("GET", "/a?b=c", {"Accept": "text/plain"})
        client.request("POST", "/d", body=b"{}")
        client.close()

    assert (answer.status, answer.headers["content-length"], answer.body) == (200, "2", b"ok")
    assert requests[0].startswith(b"GET /a?b=c HTTP/1.1\r\n")
    assert b"Accept: text/plain\r\n" in requests[0]
    assert b"User-Agent: wattribute\r\n" in requests[0]
    assert requests[1].startswith(b"POST /d ")
    assert b"Content-Type: application/json\r\n" in requests[1]


def test_a_connection_that_the_server_ended_meanwhile_is_opened_again_but_not_to_post_twice() -> (
    None
):
    with serving(OK + b"|END", OK + b"|END") as (url, requests):
        client = HttpClient(url, KEYS)
        assert [client.request("GET", "/").body for _ in range(2)] == [b"ok", b"ok"]
        with pytest.raises(SourceFailed):
            client.request("POST", "/", body=b"{}")
        client.close()

    assert len(requests) == 2


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok|END", "broke off after 2 bytes"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2000\r\n\r\n", "over 1000 bytes is not read"),
        (b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 2000 + b"|END", "over 1000 bytes is not read"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nok|END", "broke off"),
        (b"hello\r\n\r\n|END", "BadStatusLine hello"),
        (b"END", "RemoteDisconnected"),
        (b"", "no answer in time"),
    ],
)
def test_what_is_no_whole_answer_is_one_clear_line(answer: bytes, message: str) -> None:
    with serving(answer) as (url, _):
        client = HttpClient(url, KEYS, largest_bytes=1000)
        with pytest.raises(SourceFailed, match=message) as caught:
            client.request("GET", "/x", silence_s=0.3)
        client.close()

    assert str(caught.value).startswith(f"{url}/x: ")
    assert "\n" not in str(caught.value)


def test_an_answer_that_drips_is_given_up() -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n"
    with serving(head + b"|x" * 100, pause_s=0.02) as (url, _):
        client = HttpClient(url, KEYS, answer_s=0.2)
        began_s = time.monotonic()
        with pytest.raises(SourceFailed, match=r"no whole answer in 0\.2 s; given up"):
            client.request("GET", "/")
        client.close()

    assert time.monotonic() - began_s < 1.5


def test_a_server_that_cannot_be_reached_is_said() -> None:
    with pytest.raises(SourceFailed, match=r"^http://127\.0\.0\.1:1/x: connection refused$"):
        HttpClient("http://127.0.0.1:1", KEYS).request("GET", "/x")


def test_redirects_are_followed_on_this_host_if_nothing_is_sent() -> None:
    moved = b"HTTP/1.1 302 Found\r\nLocation: /there\r\nContent-Length: 0\r\n\r\n"
    with serving(moved, OK, moved) as (url, requests):
        client = HttpClient(url, KEYS)
        assert client.request("GET", "/here").body == b"ok"
        assert client.request("POST", "/here", body=b"{}").status == 302
        client.close()

    assert [request.split()[1] for request in requests] == [b"/here", b"/there", b"/here"]


def test_redirects_to_another_host_are_not_followed_and_the_setting_is_named() -> None:
    moved = b"HTTP/1.1 302 Found\r\nLocation: http://elsewhere/\r\nContent-Length: 0\r\n\r\n"
    with serving(moved) as (url, _):
        client = HttpClient(url, KEYS)
        with pytest.raises(SourceFailed, match=r"another host is not followed: set the\.url"):
            client.request("GET", "/")
        client.close()


@pytest.mark.parametrize(
    "link", ["//evil/x", "http://evil/x", "x", "/a b", "/\x7f", "/" + "a" * 2000]
)
def test_links_to_elsewhere_are_not_followed(link: str) -> None:
    with pytest.raises(SourceFailed):
        HttpClient("https://bmc", KEYS).local(link)


def test_links_may_be_whole_urls_of_this_host() -> None:
    client = HttpClient("https://bmc", KEYS)

    assert client.local("https://bmc:443/redfish/v1/?a=b#c") == "/redfish/v1/?a=b"


@pytest.mark.parametrize(
    "url",
    ["", "host", "host:80", "ftp://x", "https://", "https://h:0", "https://[1", "http://u:p@h"],
)
def test_addresses_that_are_none(url: str) -> None:
    with pytest.raises(ConfigInvalid, match=r"^the\.url: .* is not an address; write") as caught:
        HttpClient(url, KEYS)
    assert "u:p" not in str(caught.value)


def test_the_path_of_the_address_is_for_the_caller() -> None:
    client = HttpClient("https://host:6443/k8s/clusters/c-1/", KEYS)

    assert (client.url, client.prefix) == ("https://host:6443", "/k8s/clusters/c-1")


class TestStream:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"

    def stream(self, client: HttpClient) -> Stream:
        stream = client.stream("/", {}, silence_s=5)
        assert isinstance(stream, Stream)
        return stream

    def test_lines_come_one_by_one_to_the_end(self) -> None:
        with serving(self.head + b"3\r\na\nb\r\n|2\r\nc\n\r\n0\r\n\r\n") as (url, _):
            client = HttpClient(url, KEYS)
            stream = self.stream(client)
            assert [stream.line(100) for _ in range(3)] == [b"a\n", b"bc\n", b""]
            client.close()

    @pytest.mark.parametrize(
        ("body", "message"),
        [
            (b"3\r\na\nb\r\n0\r\n\r\n", "broke in the middle of a line"),
            (b"9\r\n123456789\r\n", "a line is longer than 8 bytes"),
            (b"9\r\n1|END", "the stream broke"),
        ],
    )
    def test_what_is_no_line_is_a_failure(self, body: bytes, message: str) -> None:
        with serving(self.head + body) as (url, _):
            client = HttpClient(url, KEYS)
            stream = self.stream(client)
            with pytest.raises(SourceFailed, match=message):
                list(iter(lambda: stream.line(8), b""))
            client.close()

    def test_an_answer_of_another_status_is_whole(self) -> None:
        with serving(b"HTTP/1.1 410 Gone\r\nContent-Length: 3\r\n\r\nold") as (url, _):
            client = HttpClient(url, KEYS)
            answer = client.stream("/", {}, silence_s=5)
            client.close()

        assert isinstance(answer, Answer)
        assert (answer.status, answer.body) == (410, b"old")


class TestInterrupt:
    def end(self, ask: Callable[[HttpClient], object], url: str, requests: list[bytes]) -> str:
        client = HttpClient(url, KEYS)
        messages: list[str] = []

        def work() -> None:
            try:
                ask(client)
            except SourceFailed as exc:
                messages.append(str(exc))

        thread = threading.Thread(target=work)
        thread.start()
        wait_until(lambda: requests)
        client.interrupt()
        thread.join(5)
        assert not thread.is_alive()
        with pytest.raises(SourceFailed, match="given up, because this program ends"):
            client.request("GET", "/")
        client.close()
        return messages[0]

    def test_a_request_that_waits_ends_at_once(self) -> None:
        with serving(b"") as (url, requests):
            message = self.end(lambda client: client.request("GET", "/"), url, requests)

        assert "given up, because this program ends" in message

    def test_so_does_a_body_that_the_server_closes_after(self) -> None:
        head = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nno end"
        with serving(head) as (url, requests):
            message = self.end(lambda client: client.request("GET", "/"), url, requests)

        assert "given up, because this program ends" in message

    def test_a_last_word_may_still_be_sent(self) -> None:
        with serving(OK) as (url, requests):
            client = HttpClient(url, KEYS)
            client.interrupt()
            assert client.request("DELETE", "/session").status == 200
            client.close()

        assert requests[0].startswith(b"DELETE /session ")


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ca"), "server")


class TestTls:
    def test_a_certificate_must_be_signed_by_whom_the_file_names(
        self, authority: Authority, tmp_path: Path
    ) -> None:
        stranger = Authority(tmp_path, "stranger").certificate
        with FakeBmc(tls=authority.issue(["127.0.0.1"])) as server:
            trusted = HttpClient(server.url, KEYS, ca_file=str(authority.certificate))
            assert trusted.request("GET", "/redfish/v1").status == 200
            trusted.close()
            for ca_file in ("", str(stranger)):
                with pytest.raises(SourceDenied, match=r"not trusted .*the\.ca_file"):
                    HttpClient(server.url, KEYS, ca_file=ca_file).request("GET", "/redfish/v1")
            blind = HttpClient(server.url, KEYS, insecure=True)
            assert blind.request("GET", "/redfish/v1").status == 200
            blind.close()

    def test_and_for_this_host(self, authority: Authority) -> None:
        with FakeBmc(tls=authority.issue(["other.example"], "other")) as server:
            client = HttpClient(server.url, KEYS, ca_file=str(authority.certificate))
            with pytest.raises(SourceDenied, match=r"not trusted .*127\.0\.0\.1"):
                client.request("GET", "/redfish/v1")
            assert server.seen == []
