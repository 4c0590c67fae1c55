from collections.abc import Callable, Iterator, Sequence
from http import HTTPStatus

import pytest

from wattribute.http.message import HttpRequest, Response
from wattribute.http.server import Server
from wattribute_testing.raw_client import RawClient


def answer(request: HttpRequest) -> Response:
    """A small page, a large one, and nothing else."""
    pages = {"/healthz": b"ok\n", "/metrics": b"x" * 1_000_000}
    status = HTTPStatus.OK if request.path in pages else HTTPStatus.NOT_FOUND
    return Response(status, pages.get(request.path, b"not here\n"))


@pytest.fixture
def start() -> Iterator[Callable[..., Server]]:
    """Starts servers, and stops them after the test."""
    servers: list[Server] = []

    def start_one(
        listen: Sequence[str] = ("127.0.0.1:0",),
        handle: Callable[[HttpRequest], Response] = answer,
        max_connections: int = 64,
    ) -> Server:
        servers.append(
            Server(listen, handle, lambda client: client, max_connections=max_connections)
        )
        servers[-1].start()
        return servers[-1]

    yield start_one
    for server in servers:
        server.stop()


@pytest.fixture
def connect() -> Iterator[Callable[..., RawClient]]:
    """Opens clients, and closes them after the test."""
    clients: list[RawClient] = []

    def connect_one(server: Server, number: int = 0) -> RawClient:
        clients.append(RawClient(server.addresses[number]))
        return clients[-1]

    yield connect_one
    for client in clients:
        client.close()
