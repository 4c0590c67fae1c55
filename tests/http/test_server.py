"""The server's part that no answer of the agent shows: a handler that fails.

How it bounds connections and time is tested with the agent's answers: tests/node/exporter.
"""

import logging
import urllib.error
import urllib.request
from http import HTTPStatus

import pytest

from wattribute.http.message import Request, Response
from wattribute.http.server import Server


def test_a_handler_that_fails_is_logged_and_the_client_is_answered(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def handle(request: Request) -> Response:
        if request.path == "/bad":
            raise ValueError("s3cret")
        return Response(HTTPStatus.OK, b"ok")

    server = Server(("127.0.0.1:0",), handle, lambda client: client)
    server.start()
    url = f"http://{server.addresses[0]}"
    with pytest.raises(urllib.error.HTTPError, match="500") as caught:
        urllib.request.urlopen(f"{url}/bad", timeout=10)
    with urllib.request.urlopen(f"{url}/good", timeout=10) as answer:
        assert answer.read() == b"ok"
    server.stop()

    assert caught.value.read() == b"failed; the log says why\n"
    [record] = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert record.getMessage() == "no answer to GET /bad"
    assert "s3cret" in caplog.text
