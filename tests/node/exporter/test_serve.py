import re
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from wattribute.core.records import Snapshot
from wattribute.node.exporter import Exporter
from wattribute_testing.clock import FakeClock
from wattribute_testing.raw_client import RawClient
from wattribute_testing.snapshots import SnapshotMaker

Start = Callable[..., Exporter]
Connect = Callable[..., RawClient]


def test_it_says_where_it_listens(start: Start, snapshot: Snapshot) -> None:
    exporter = start(snapshot, listen=("127.0.0.1:0", "127.0.0.2:0"))

    assert exporter.urls == tuple(f"http://{address}" for address in exporter.addresses)
    assert [address.host for address in exporter.addresses] == ["127.0.0.1", "127.0.0.2"]


def test_other_methods_are_told_which_are_allowed(
    start: Start, connect: Connect, snapshot: Snapshot
) -> None:
    client = connect(start(snapshot))
    client.send(method="DELETE")
    status, headers, _ = client.receive()

    assert (status, headers["allow"]) == (405, "GET, HEAD")
    assert headers["x-content-type-options"] == "nosniff"


def test_four_scrapers_get_whole_pages_while_the_monitor_ticks(
    start: Start, connect: Connect, clock: FakeClock
) -> None:
    maker = SnapshotMaker(containers=60)
    snapshots = [replace(maker.tick(), at_ns=clock.monotonic_ns()) for _ in range(8)]
    newest = [snapshots[0]]
    scrapes = threading.Semaphore(0)

    def source() -> Snapshot:
        scrapes.release()
        return newest[0]

    exporter = start(source)
    clients = [connect(exporter) for _ in range(4)]

    def scrape(client: RawClient) -> list[bytes]:
        return [client.get("/metrics")[2] for _ in range(30)]

    with ThreadPoolExecutor(4) as pool:
        jobs = [pool.submit(scrape, client) for client in clients]
        for snapshot in snapshots:
            newest[0] = snapshot
            for _ in range(4):
                assert scrapes.acquire(timeout=20)
        pages_of_clients = [job.result() for job in jobs]

    bodies = {body for pages in pages_of_clients for body in pages}
    assert len(bodies) <= len(snapshots)
    assert len({body.count(b"\n") for body in bodies}) == 1
    for pages in pages_of_clients:
        matches = [re.search(rb"ticks_total (\d+)\n", page) for page in pages]
        ticks = [int(match[1]) for match in matches if match is not None]
        assert len(ticks) == 30
        assert ticks == sorted(ticks)
