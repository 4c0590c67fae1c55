"""Models from a server: pinned, kept, and never waited for."""

import base64
import contextlib
import logging
import threading
import time
from collections.abc import Callable, Iterator
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import resources
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from wattribute.core.errors import ConfigInvalid
from wattribute.core.records import Load, Machine
from wattribute.core.units import Nanoseconds
from wattribute.node.estimates import model_updates
from wattribute.node.estimates.machine_model import MachineModel
from wattribute.node.estimates.model_cache import ModelCache
from wattribute.node.estimates.model_updates import ModelUpdates, open_updates
from wattribute.node.estimates.power_model import open_estimator
from wattribute.node.estimator.artefact import MAX_BYTES
from wattribute.node.settings import EstimatorSettings, MonitorSettings, NodeSettings
from wattribute_testing.waiting import wait_until

SHIPPED = resources.files("wattribute.node.estimator").joinpath("power-model.json").read_bytes()
OWN = SHIPPED.replace(b'"model":"wattribute-power"', b'"model":"own-power"')
DIGEST = sha256(OWN).hexdigest()
MACHINE = Machine(cpu_name="AMD EPYC 9354 32-Core Processor", cores=32, threads=64)
IDLE = Load(Nanoseconds(0), 0.0)
SECRET = Ed25519PrivateKey.from_private_bytes(b"a key for tests".ljust(32))


def signature_of(message: bytes) -> bytes:
    return SECRET.sign(message)


def public_key() -> bytes:
    return SECRET.public_key().public_bytes_raw()


class FakeModelServer:
    """Answers as told, and notes what it was asked."""

    def __init__(self) -> None:
        self.answers: dict[str, bytes] = {}
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.hang = threading.Event()
        self.hang.set()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.asked.append((self.path, dict(self.headers)))
                outer.hang.wait(30)
                body = outer.answers.get(self.path.partition("?")[0])
                etag = f'"{sha256(body).hexdigest()}"' if body else ""
                status = 404 if body is None else 200
                if body is not None and self.headers.get("If-None-Match") == etag:
                    status, body = 304, b""
                self.send_response(status)
                self.send_header("ETag", etag)
                self.send_header("Content-Length", str(len(body or b"")))
                self.end_headers()
                with contextlib.suppress(OSError):  # it may have hung up
                    self.wfile.write(body or b"")

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def close(self) -> None:
        self.hang.set()
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def server() -> Iterator[FakeModelServer]:
    made = FakeModelServer()
    yield made
    made.close()


class Node:
    """An agent's power model, and its settings."""

    def __init__(self, folder: Path, url: str, **pins: str) -> None:
        self.settings = NodeSettings(
            estimator=EstimatorSettings(model_server=url, **pins),
            monitor=MonitorSettings(state=str(folder / "state.json")),
        )
        self.cache = folder / "power-model.json"
        self.stopped = False

    def start(self) -> MachineModel:
        self.stopped = False
        open_estimator.__globals__["_open"].cache_clear()  # as a new process
        estimator = open_estimator(self.settings, MACHINE)
        self.machine_model = MachineModel(estimator, MACHINE)
        self.machine_model.follow(open_updates(self.settings, self.machine_model))
        return self.machine_model

    def model(self, wanted: str = "") -> str:
        """The model in use; waits for the wanted one."""

        def in_use() -> str:
            self.machine_model.powers(IDLE)
            return self.machine_model.info.model

        if wanted:
            wait_until(lambda: in_use() == wanted)
        return in_use()

    def stop(self) -> None:
        if not self.stopped:
            self.stopped = True
            self.machine_model.close()


@pytest.fixture
def node(tmp_path: Path, server: FakeModelServer) -> Iterator[Callable[..., Node]]:
    made = []

    def make(**pins: str) -> Node:
        made.append(Node(tmp_path, server.url, **pins))
        return made[-1]

    yield make
    for one in made:
        one.stop()


def test_a_pinned_model_is_fetched_used_and_kept(
    server: FakeModelServer, node: Callable[..., Node]
) -> None:
    server.answers[f"/api/v1/models/{DIGEST}"] = OWN
    agent = node(sha256=DIGEST)

    agent.start()

    assert agent.model("own-power") == "own-power"
    assert agent.cache.read_bytes() == OWN
    assert agent.cache.stat().st_mode & 0o777 == 0o600
    agent.stop()
    server.asked.clear()
    agent.start()
    assert agent.model() == "own-power"  # from the disk, before anything was asked
    assert server.asked == []  # nothing else would be believed


def test_a_server_that_hangs_delays_nothing(
    server: FakeModelServer, node: Callable[..., Node]
) -> None:
    server.hang.clear()
    server.answers[f"/api/v1/models/{DIGEST}"] = OWN
    agent = node(sha256=DIGEST)

    start = time.monotonic()
    agent.start()
    assert agent.model() == "wattribute-power"
    assert time.monotonic() - start < 5  # it hangs for 30

    server.hang.set()
    assert agent.model("own-power") == "own-power"


@pytest.mark.parametrize("asked", [0, 1])
def test_closing_ends_a_request_that_hangs(
    server: FakeModelServer, node: Callable[..., Node], asked: int
) -> None:
    server.hang.clear()
    agent = node(sha256=DIGEST)
    agent.start()
    wait_until(lambda: len(server.asked) >= asked)

    start = time.monotonic()
    agent.stop()

    assert time.monotonic() - start < model_updates.CLOSE_S


def test_a_signed_model_is_taken_and_asked_for_by_what_the_machine_is(
    server: FakeModelServer, node: Callable[..., Node]
) -> None:
    server.answers["/api/v1/model"] = OWN
    server.answers[f"/api/v1/models/{DIGEST}.sig"] = signature_of(OWN)
    agent = node(public_key=base64.b64encode(public_key()).decode())

    agent.start()
    assert agent.model("own-power") == "own-power"
    agent.stop()
    agent.start()

    assert agent.model() == "own-power"
    wait_until(lambda: len(server.asked) >= 3)
    assert "cpu_name=AMD+EPYC+9354" in server.asked[0][0]
    assert server.asked[2][1]["If-None-Match"] == f'"{DIGEST}"'


@pytest.mark.parametrize("cause", ["digest", "signature", "schema", "json", "size", "gone"])
def test_what_cannot_be_believed_is_said_once_and_the_good_one_stays(
    server: FakeModelServer,
    node: Callable[..., Node],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    cause: str,
) -> None:
    monkeypatch.setattr(model_updates, "_FIRST_PAUSE_S", 0.01)
    monkeypatch.setattr(logging.getLogger("wattribute"), "propagate", True)
    data = {
        "digest": OWN,
        "signature": OWN,
        "schema": OWN.replace(b'"schema":1', b'"schema":9'),
        "json": b"{",
        "size": OWN + b" " * MAX_BYTES,
        "gone": None,
    }[cause]
    said = {
        "digest": "pinned is",
        "signature": "not signed with estimator.public_key",
        "schema": "schema 9; this version reads 1",
        "json": "not a model artefact",
        "size": "MiB is not read",
        "gone": "answer 404",
    }[cause]
    digest = "ab" * 32 if cause == "digest" else sha256(data or b"").hexdigest()
    if data is not None:
        server.answers[f"/api/v1/models/{digest}"] = data
    pins = {"sha256": digest}
    if cause == "signature":
        pins["public_key"] = base64.b64encode(public_key()).decode()
        server.answers[f"/api/v1/models/{digest}.sig"] = signature_of(OWN + b"x")
    agent = node(**pins)

    with caplog.at_level("WARNING"):
        agent.start()
        wait_until(lambda: len(server.asked) >= 6)

    assert agent.model() == "wattribute-power"
    warnings = [r.getMessage() for r in caplog.records if "model server" in r.getMessage()]
    assert len(warnings) == 1
    assert said in warnings[0]
    assert not agent.cache.exists()


def test_a_cache_that_was_changed_is_not_used(
    server: FakeModelServer, node: Callable[..., Node]
) -> None:
    agent = node(sha256=DIGEST)
    agent.cache.write_bytes(OWN + b" ")

    agent.start()

    assert agent.model() == "wattribute-power"
    server.answers[f"/api/v1/models/{DIGEST}"] = OWN
    assert server.url


def test_the_token_is_sent_and_its_absence_is_explained(
    server: FakeModelServer, node: Callable[..., Node], tmp_path: Path
) -> None:
    token = tmp_path / "token"
    token.write_text("t" * 32 + "\n")
    server.answers[f"/api/v1/models/{DIGEST}"] = OWN
    agent = node(sha256=DIGEST, model_server_token_file=str(token))

    agent.start()

    assert agent.model("own-power") == "own-power"
    assert server.asked[0][1]["Authorization"] == "Bearer " + "t" * 32


@pytest.mark.parametrize(
    ("room", "message"),
    [
        (EstimatorSettings(model_server="http://localhost:1"), "needs estimator.sha256"),
        (
            EstimatorSettings(
                model_server="models:8100", sha256="ab" * 32, public_key="A" * 43 + "="
            ),
            "",
        ),
        (
            EstimatorSettings(model_server="ftp://x", sha256="ab" * 32),
            "estimator.model_server: 'ftp://x'",
        ),
    ],
)
def test_settings_that_cannot_be_right_are_refused(
    room: EstimatorSettings, message: str, tmp_path: Path
) -> None:
    def opened() -> None:
        ModelUpdates(room, ModelCache(None), lambda: MACHINE, lambda _: None).close()  # type: ignore[arg-type, return-value]

    if not message:
        opened()
        return
    with pytest.raises(ConfigInvalid, match=message):
        opened()
    if "needs" in message:
        with pytest.raises(ConfigInvalid, match=message):
            open_estimator(NodeSettings(estimator=room), Machine(cores=3))
    assert tmp_path.exists()
