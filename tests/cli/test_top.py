"""The command itself, against a server that answers as an agent does."""

import base64
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace

import msgspec
import pytest

from wattribute.cli.top import source
from wattribute.cli.top.picture import picture_of
from wattribute.cli.top.source import Agent, AgentRefused, AgentSilent, Login
from wattribute.cli.top.view import cells
from wattribute.core.errors import ConfigInvalid
from wattribute.node.exporter.api import shapes as api

Call = Callable[..., tuple[int, str, str]]
Put = Callable[..., SimpleNamespace]

DOCUMENT = api.Document(
    schema=api.SCHEMA, version="0.1.0", sequence=7, time_s=1e9, age_s=1.0, stale=False,
    elapsed_s=5.0, interval_s=5.0, policy="none",
    node=api.NodeDocument(name="n1", cpu="", virtual=True, cpus=2, memory_bytes=0),
    components=[
        api.Component(
            component="cpu", origin="estimated", sources=["trained_power_model"], watts=20.0,
            low_watts=15.0, high_watts=26.0, floor_watts=8.0, dynamic_joules=60.0,
            idle_joules=40.0, unpaid_idle_joules=40.0, unattributed_joules=0.0,
        )
    ],
    zones=[],
    containers=[
        api.ContainerRow(
            uid=1, kind="container", container_id="c" * 64, pod_uid="u1", pod_name="shop",
            container_name="web", namespace="sales", runtime="containerd", owner_kind="",
            owner_name="", watts=9.0, cpus=1.5, cpu_seconds=4.0, dynamic_joules=45.0,
            idle_joules=5.0, joules={"cpu": 50.0}, alive=True, held=False,
        )
    ],
    processes=[
        api.ProcessRow(
            pid=42, comm="ngi\x1bnx", container=1, vm="", watts=9.0, cpus=1.5, cpu_seconds=4.0,
            joules=45.0, alive=True,
        )
    ],
    process_count=1,
    vms=[],
    health=api.HealthDocument(
        meters=[], activity="tasks", activity_failures=0, dropped_records=0,
        dropped_intervals={}, ticks=7, skew_s=0.0, tick_cpu_s=0.0, tick_s=0.0, misfit=0.0,
        coverage=1.0, bpf_run_s=None, state_failures=0,
    ),
)  # fmt: skip


@contextmanager
def _serving(
    status: int = 200, body: bytes = msgspec.json.encode(DOCUMENT)
) -> Iterator[tuple[str, list[str]]]:
    """A server; its address and the Authorization headers that it got."""
    seen: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            seen.append(self.headers.get("Authorization", ""))
            found = self.path == "/api/v1/snapshot"
            self.send_response(status if found else 404)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", seen
        finally:
            server.shutdown()
            thread.join()


def test_one_plain_table(call: Call) -> None:
    with _serving() as (url, _):
        code, out, err = call("top", "--agent", url, "--once")

    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[0] == "n1: 20.0 W, 100 J estimated | cpu 20.0 W estimated (15.0 to 26.0)"
    assert lines[1] == f"{url}; activity by tasks; tick every 5 s; idle policy none"
    assert lines[3].split() == [
        *("PID", "WATTS", "JOULES", "CPU", "%", "COMMAND", "CONTAINER", "POD", "NAMESPACE")
    ]
    assert lines[4].split() == [
        *("42", "9.00", "45.0", "150.0", "ngi\\x1bnx", "web", "shop", "sales")
    ]


def test_one_table_in_json(call: Call) -> None:
    with _serving() as (url, _):
        code, out, _ = call("top", "--agent", url, "--json", "--by", "pod", "--filter", "SHOP")

    body = json.loads(out)
    assert code == 0
    assert body["watts"] == 20
    assert body["components"][0]["origin"] == "estimated"
    assert body["components"][0]["low_watts"] == 15
    assert [(row["pod"], row["joules"], row["cpu_percent"]) for row in body["rows"]] == [
        ("shop", 50, 150)
    ]


def test_a_special_row_says_its_name_once() -> None:
    row = msgspec.structs.replace(
        DOCUMENT.containers[0], kind="system", container_id="system_processes",
        pod_name="system_processes", container_name="system_processes", namespace="system",
    )  # fmt: skip
    special = picture_of(msgspec.structs.replace(DOCUMENT, containers=[row]), "here")

    assert cells(special.containers[0], "container")[3:] == ("system_processes", "", "system", "")
    assert cells(special.processes[0], "process")[5:] == ("system_processes", "", "system")  # type: ignore[index]


def test_processes_that_the_agent_does_not_show_are_explained(call: Call) -> None:
    hidden = msgspec.structs.replace(DOCUMENT, processes=None)
    with _serving(body=msgspec.json.encode(hidden)) as (url, _):
        _, out, _ = call("top", "--agent", url, "--once")

    assert "processes are shown only on the machine itself, or with --user" in out


def test_an_old_snapshot_is_said_to_be_old(call: Call) -> None:
    old = msgspec.structs.replace(DOCUMENT, age_s=99.0)
    with _serving(body=msgspec.json.encode(old)) as (url, _):
        assert "last tick 99 s ago" in call("top", "--agent", url, "--once")[1]


def test_a_picture_of_the_live_table(call: Call, tmp_path: Path) -> None:
    file = tmp_path / "top.svg"
    with _serving() as (url, _):
        assert call("top", "--agent", url, "--svg", str(file))[0] == 0

    assert "ngi\\x1bnx" in file.read_text(encoding="utf-8")


def test_a_user_shows_a_password(call: Call, tmp_path: Path) -> None:
    secret = tmp_path / "password"
    secret.write_text("s3cret\n")
    with _serving() as (url, seen):
        call("top", "--agent", url, "--once", "--user", "ann", "--password-file", str(secret))

    assert seen[0] == "Basic " + base64.b64encode(b"ann:s3cret").decode()


@pytest.mark.parametrize(
    ("status", "body", "message"),
    [
        (401, b"", "use --user"),
        (503, b"", "answered 503"),
        (200, b"<html>", "not an agent's snapshot"),
        (200, msgspec.json.encode(msgspec.structs.replace(DOCUMENT, schema=2)), "use its top"),
    ],
)
def test_an_answer_that_is_no_snapshot_is_refused(status: int, body: bytes, message: str) -> None:
    with _serving(status, body) as (url, _), pytest.raises(AgentRefused, match=message):
        Agent(url, Login()).read()


def test_nobody_at_the_address_is_one_line_and_exit_5(call: Call) -> None:
    code, out, err = call("top", "--agent", "http://127.0.0.1:1", "--once")

    assert (code, out) == (5, "")
    assert err == (
        "wattribute: error: http://127.0.0.1:1/api/v1/snapshot: connection refused; "
        "is the agent running?\n"
    )


@pytest.mark.parametrize("url", ["localhost:9102", "ftp://x", "file:///etc/passwd", "http://[::1"])
def test_what_is_no_address_is_said(url: str, call: Call) -> None:
    code, _, err = call("top", "--agent", url, "--once")

    assert code == 2
    assert "is not an address" in err


def test_certificates_that_are_none_are_said(tmp_path: Path) -> None:
    file = tmp_path / "ca.pem"
    file.write_text("no certificate")

    with pytest.raises(ConfigInvalid, match="no certificate in it"):
        Agent("https://127.0.0.1:1", Login(ca_file=file))


@pytest.mark.parametrize("options", [(), ("--local",)])
def test_without_an_agent_or_on_demand_it_measures_by_itself(
    options: tuple[str, ...], call: Call, put: Put, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []

    class Monitor:
        ticks = 0

        def tick(self) -> None:
            self.ticks += 1

        def snapshot(self) -> None:
            assert self.ticks >= 2

    @contextmanager
    def local_monitor(settings: object) -> Iterator[Monitor]:
        seen.append(settings)
        yield Monitor()

    put("agent", local_monitor=local_monitor)
    monkeypatch.setattr(source, "DEFAULT_URL", "http://127.0.0.1:1")
    monkeypatch.setattr(source, "document", lambda *_, **__: DOCUMENT)
    monkeypatch.setattr(Monitor, "snapshot", lambda _: "a snapshot")
    monkeypatch.setenv("WATTRIBUTE_MONITOR__STATE", "/the/agent's")

    code, out, _ = call("top", "--once", *options)

    assert code == 0
    assert "no agent: measured by this program" in out
    assert seen[0].monitor.state == ""  # type: ignore[attr-defined]


def test_an_agent_that_was_not_named_but_refuses_is_not_done_without(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from wattribute.node.settings import NodeSettings

    with _serving(401) as (url, _):
        monkeypatch.setattr(source, "DEFAULT_URL", url)
        with (
            pytest.raises(AgentRefused),
            source.opened(None, Login(), NodeSettings(), 1.0),
        ):
            pass


def test_silence_is_an_error_of_its_own() -> None:
    with pytest.raises(AgentSilent):
        Agent("http://127.0.0.1:1", Login()).read()


def test_by_itself_and_from_an_agent_contradict_each_other(call: Call) -> None:
    assert call("top", "--local", "--agent", "http://127.0.0.1:1")[0] == 2
