"""One scraper: ``python -m bench.scraper PORT SECONDS PERIOD`` prints its latencies in seconds."""

import http.client
import json
import random
import sys
import time

_HEADERS = {
    "Accept": "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.4",
    "Accept-Encoding": "gzip",
}
"""As Prometheus asks."""


def main(port: int, seconds: float, period_s: float) -> None:
    """Scrape over one connection, at instants that have nothing to do with the agent's."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    latencies: list[float] = []
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        time.sleep(random.uniform(0.5, 1.5) * period_s)  # noqa: S311 - spread, not secret
        start = time.perf_counter()
        connection.request("GET", "/metrics", headers=_HEADERS)
        answer = connection.getresponse()
        answer.read()
        latencies.append(time.perf_counter() - start)
        if answer.status != http.HTTPStatus.OK:
            raise SystemExit(f"status {answer.status}")
    print(json.dumps(latencies))


if __name__ == "__main__":
    main(int(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3]))
