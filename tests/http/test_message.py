from http import HTTPStatus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wattribute.http.message import RequestRefused, Response, head_of, parse


def test_a_request_is_read() -> None:
    request = parse(b"GET /a?b=c&d HTTP/1.1\r\nHost: x\r\nAccept: a\r\nACCEPT:  b \r\nX-E:")

    assert (request.method, request.path, request.query) == ("GET", "/a", "b=c&d")
    assert request.headers == {"host": "x", "accept": "a,b", "x-e": ""}
    assert request.keep_alive


@pytest.mark.parametrize(
    ("head", "keep_alive"),
    [
        (b"GET / HTTP/1.1\r\nConnection: close", False),
        (b"GET / HTTP/1.1\r\nConnection: Keep-Alive", True),
        (b"GET / HTTP/1.0", False),
        (b"GET / HTTP/1.0\r\nConnection: keep-alive", True),
    ],
)
def test_who_keeps_the_connection(head: bytes, keep_alive: bool) -> None:  # noqa: FBT001
    assert parse(head).keep_alive is keep_alive


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"", HTTPStatus.BAD_REQUEST),
        (b"\x16\x03\x01\x02", HTTPStatus.BAD_REQUEST),
        (b"GET /", HTTPStatus.BAD_REQUEST),
        (b"GET  / HTTP/1.1", HTTPStatus.BAD_REQUEST),
        (b"GET http://x/ HTTP/1.1", HTTPStatus.BAD_REQUEST),
        (b"GET / HTTP/2.0", HTTPStatus.HTTP_VERSION_NOT_SUPPORTED),
        (b"GET / HTTP/1.1\r\nno colon", HTTPStatus.BAD_REQUEST),
        (b"GET / HTTP/1.1\r\na: b\r\n c", HTTPStatus.BAD_REQUEST),
        (b"GET / HTTP/1.1\r\nna me: b", HTTPStatus.BAD_REQUEST),
        (b"POST / HTTP/1.1\r\nContent-Length: 5", HTTPStatus.REQUEST_ENTITY_TOO_LARGE),
        (b"POST / HTTP/1.1\r\nContent-Length: -1", HTTPStatus.REQUEST_ENTITY_TOO_LARGE),
        (b"GET / HTTP/1.1\r\nTransfer-Encoding: chunked", HTTPStatus.REQUEST_ENTITY_TOO_LARGE),
    ],
)
def test_what_is_not_understood_is_refused(head: bytes, status: HTTPStatus) -> None:
    with pytest.raises(RequestRefused) as refused:
        parse(head)

    assert refused.value.status == status


@given(st.binary())
def test_any_bytes_are_a_request_or_refused(head: bytes) -> None:
    try:
        request = parse(head)
    except RequestRefused:
        return
    assert request.path.startswith("/")


@given(st.lists(st.tuples(st.from_regex(r"[A-Za-z-]{1,9}", fullmatch=True), st.from_regex(
    r"[ -~]{0,20}", fullmatch=True)), max_size=5))  # fmt: skip
def test_a_head_has_one_line_per_header(headers: list[tuple[str, str]]) -> None:
    head = head_of(Response(HTTPStatus.OK, b"abc", headers=tuple(headers)), keep_alive=True)

    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    assert head.endswith(b"\r\n\r\n")
    assert head.count(b"\r\n") == 1 + 3 + len(headers) + 1
    assert b"Content-Length: 3\r\n" in head
