"""A fake kubelet: ``/pods`` of one node, as a real one answers."""

from http import HTTPStatus
from pathlib import Path

from wattribute_testing.kube.cluster import FakeCluster
from wattribute_testing.kube.faults import Seen
from wattribute_testing.kube.server import USER, Exchange, FakeServer, encoded


class FakeKubelet(FakeServer):
    """Serves the pods of one node; errors are plain text, unlike the API server's."""

    def __init__(
        self,
        cluster: FakeCluster,
        node_name: str = "node-1",
        *,
        tls: tuple[Path, Path] | None = None,
        tokens: set[str] | None = None,
    ) -> None:
        """Not listening yet; arguments as of ``FakeServer``."""
        super().__init__(cluster, tls=tls, tokens=tokens)
        self._node_name = node_name

    def error(self, status: int, message: str) -> bytes:
        """Return an error as plain text, as the kubelet does."""
        return (message or HTTPStatus(status).phrase).encode()

    def answer(self, exchange: Exchange, request: Seen) -> None:
        """Route a request."""
        if request.path.rstrip("/") != "/pods":
            exchange.whole(HTTPStatus.NOT_FOUND, b"404 page not found\n")
        elif not self.may("get", "nodes/pods"):
            text = (
                f"Forbidden (user={USER}, verb=get, resource=nodes, subresource(s)=[pods proxy])\n"
            )
            exchange.whole(HTTPStatus.FORBIDDEN, text.encode())
        else:
            pods, _ = self.cluster.pods()
            mine = [pod for pod in pods if pod["spec"].get("nodeName") == self._node_name]
            listed = {"kind": "PodList", "apiVersion": "v1", "metadata": {}}
            exchange.whole(HTTPStatus.OK, encoded(listed | {"items": mine or None}))
