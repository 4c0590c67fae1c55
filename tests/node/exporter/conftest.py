from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import pytest

from wattribute.core.records import Snapshot
from wattribute.core.units import Nanoseconds
from wattribute.node.exporter import Exporter, NodeLabels
from wattribute.node.exporter.exposition import Renderer, openmetrics, text
from wattribute.node.exporter.family import Family
from wattribute.node.exporter.layout import ContainerLabels, ProcessLabels
from wattribute.node.exporter.scene import Scene
from wattribute.node.settings import ExporterSettings
from wattribute_testing.clock import FakeClock
from wattribute_testing.raw_client import RawClient
from wattribute_testing.snapshots import SnapshotMaker

NODE = NodeLabels("node-1", instance_type="m7i.metal", region="eu-west-1", version="9.9.9")


class Painter:
    """Renders families as one metrics path does, snapshot after snapshot."""

    def __init__(self) -> None:
        self._renderer = Renderer()
        self._containers = ContainerLabels()
        self._processes = ProcessLabels()

    def scene(self, snapshot: Snapshot) -> Scene:
        allowed = ("app", "app.kubernetes.io/*", "team")
        return Scene(snapshot, NODE, allowed, self._containers, self._processes)

    def text(self, snapshot: Snapshot, families: Sequence[Family]) -> str:
        return b"".join(text(self._renderer.render(families, self.scene(snapshot)))).decode()

    def openmetrics(self, snapshot: Snapshot, families: Sequence[Family]) -> str:
        pieces = self._renderer.render(families, self.scene(snapshot))
        return b"".join(openmetrics(pieces)).decode()


@pytest.fixture
def painter() -> Painter:
    return Painter()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


Start = Callable[..., Exporter]


@pytest.fixture
def start(clock: FakeClock) -> Iterator[Start]:
    """Starts exporters, and stops them after the test."""
    started: list[Exporter] = []

    def start_one(
        snapshot: Snapshot | Callable[[], Snapshot | None] | None = None,
        listen: Sequence[str] = ("127.0.0.1:0",),
        **chosen: object,
    ) -> Exporter:
        source = snapshot if callable(snapshot) else lambda: snapshot
        exporter = Exporter(
            ExporterSettings(listen=tuple(listen), **chosen),  # type: ignore[arg-type]
            source,
            interval_s=5.0,
            node=NODE,
            clock=clock,
        )
        exporter.start()
        started.append(exporter)
        return exporter

    yield start_one
    for exporter in started:
        exporter.stop()


@pytest.fixture
def snapshot(clock: FakeClock) -> Snapshot:
    made = SnapshotMaker(containers=2, processes=6).tick()
    return replace(made, at_ns=Nanoseconds(clock.monotonic_ns()))


Connect = Callable[..., RawClient]


@pytest.fixture
def connect() -> Iterator[Connect]:
    """Opens clients, and closes them after the test."""
    opened: list[RawClient] = []

    def connect_one(exporter: Exporter) -> RawClient:
        opened.append(RawClient(exporter.addresses[0]))
        return opened[-1]

    yield connect_one
    for client in opened:
        client.close()
