"""A Prometheus HTTP API that answers every query with what a test says.

For queries of a program's own; what real servers do is tested with real ones.
"""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Self
from urllib.parse import parse_qs

if TYPE_CHECKING:
    from collections.abc import Callable

Result = list[dict[str, object]]


class _Handler(BaseHTTPRequestHandler):
    server: "_Http"

    def do_POST(self) -> None:
        """An instant query; one of a range of raw samples ends with ``]``."""
        owner = self.server.owner
        form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        query = form["query"][0]
        owner.asked.append(query)
        data = {
            "resultType": "matrix" if query.endswith("]") else "vector",
            "result": owner.result(query, float(form["time"][0])),
        }
        body = json.dumps({"status": "success", "data": data}, separators=(",", ":")).encode()
        self.send_response(owner.status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
        """Nothing on standard error."""


class _Http(ThreadingHTTPServer):
    daemon_threads = True
    owner: "FakePrometheus"


class FakePrometheus:
    """``/api/v1/query``; a context manager."""

    def __init__(self) -> None:
        """Answers with nothing, until ``result`` is set."""
        self.status = 200
        self.result: Callable[[str, float], Result] = lambda _query, _at: []
        """From a query and its time to the result, in the API's form."""
        self.asked: list[str] = []
        """Queries, in order."""
        self._http = _Http(("127.0.0.1", 0), _Handler)
        self._http.owner = self

    @property
    def url(self) -> str:
        """The address to set as ``ledger.prometheus_url``."""
        return f"http://127.0.0.1:{self._http.server_address[1]}"

    def __enter__(self) -> Self:
        """Start to listen on a free port."""
        threading.Thread(target=self._http.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *exc: object) -> None:
        """Close the server and its socket."""
        self._http.shutdown()
        self._http.server_close()
