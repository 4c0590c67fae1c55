"""The model server's routes: models for machines, recordings into quarantine, Kepler's requests."""

import asyncio
import json
import os
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from wattribute.core.errors import ConfigInvalid
from wattribute.core.records import (
    Load,
    Machine,
    PooledWeights,
    PooledWorkload,
    encode_weights,
)
from wattribute.core.units import nanoseconds, watts
from wattribute.http import credentials
from wattribute.models.modelserver import watched_folder
from wattribute.models.modelserver.serve import Options, make_service
from wattribute.models.training.recordings import read_recordings
from wattribute.node.estimates.power_model import read_artefact
from wattribute.node.estimator.artefact import Fleet
from wattribute.node.estimator.model import ArtefactEstimator
from wattribute.node.estimator.power_recording import MAX_BYTES

EPYC = {"cpu_name": "AMD EPYC 9354 32-Core Processor", "cores": "32", "threads": "64"}
WRITE, READ = "w" * 32, "r" * 32
RECORDING = {
    "schema": 1, "version": "0", "recorded_at": "2026-01-02T03:04:05Z", "how": "steps",
    "machine_digest": "a" * 16, "machine": {"cpu_name": EPYC["cpu_name"]},
    "points": [{"scope": "pkg", "utilisation": 0.5, "watts": 200, "seconds": 30}],
}  # fmt: skip


class Client:
    """Requests to an ASGI application, without a socket."""

    def __init__(self, app: Any) -> None:
        self._app = app

    def request(self, method: str, path: str, **content: Any) -> Any:
        async def asked() -> Any:
            transport = httpx.ASGITransport(app=self._app)
            async with httpx.AsyncClient(transport=transport, base_url="http://server") as client:
                return await client.request(method, path, **content)

        return asyncio.run(asked())


class Served:
    """A service in a folder, and a client."""

    def __init__(self, folder: Path, **options: Any) -> None:
        self.models, self.quarantine = folder / "models", folder / "posted"
        self.models.mkdir(exist_ok=True)
        write, read = folder / "write", folder / "read"
        write.write_text(WRITE + "\n")
        read.write_text(READ + "\n")
        standard = {"models": self.models, "quarantine": self.quarantine, "token_file": write}
        if options.pop("guarded", False):
            standard |= {"read_token_file": read}
        self.client = Client(make_service(Options(**(standard | options))).app())

    def get(self, path: str, **content: Any) -> Any:
        return self.client.request("GET", path, **content)

    def post(self, body: bytes, token: str = WRITE) -> Any:
        headers = {"Authorization": f"Bearer {token}"}
        return self.client.request("POST", "/api/v1/recordings", content=body, headers=headers)


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Served:
    monkeypatch.setattr(credentials, "FAILURE_DELAY_S", 0.0)
    monkeypatch.setattr(watched_folder, "_LOOK_S", 0.0)
    return Served(tmp_path)


def taught() -> bytes:
    """An artefact that learned from machines with that EPYC."""
    fleet = Fleet(levels=[0.0, 1.0], cpu={"epyc-9354": {"pkg": [0.1, 0.1]}}, microarchitecture={})
    artefact = msgspec.structs.replace(read_artefact(), version="1+own", fleet=fleet)
    return msgspec.json.encode(artefact)


def test_the_best_model_for_a_machine_is_the_one_that_learned_from_its_like(
    served: Served,
) -> None:
    data = taught()
    (served.models / "own.json").write_bytes(data)

    best = served.get("/api/v1/model", params=EPYC)
    other = served.get("/api/v1/models", params={"cpu_name": "Intel Xeon Platinum 8280"}).json()
    listed = served.get("/api/v1/models", params=EPYC).json()["models"]

    assert best.content == data
    assert best.headers["x-wattribute-known"] == "recorded"
    assert [(m["name"], m["known"]) for m in listed] == [
        ("own.json", "recorded"),
        ("shipped", "cpu"),
    ]
    assert listed[0]["sha256"] == sha256(data).hexdigest()
    assert [m["known"] for m in other["models"]] == ["seen", "seen"]


def test_an_etag_saves_the_second_transfer(served: Served) -> None:
    first = served.get("/api/v1/model", params=EPYC)
    again = served.get(
        "/api/v1/model", params=EPYC, headers={"If-None-Match": first.headers["etag"]}
    )

    assert first.headers["etag"] == f'"{sha256(first.content).hexdigest()}"'
    assert (again.status_code, again.content) == (304, b"")


def test_a_model_is_fetched_by_its_digest_with_its_signature(served: Served) -> None:
    data = taught()
    digest = sha256(data).hexdigest()
    (served.models / "own.json").write_bytes(data)
    (served.models / "own.json.sig").write_bytes(b"s" * 64)

    assert served.get(f"/api/v1/models/{digest}").content == data
    assert served.get(f"/api/v1/models/{digest}.sig").content == b"s" * 64
    assert served.get("/api/v1/models/" + "0" * 64).status_code == 404
    assert served.get(f"/api/v1/models/{digest}.exe").status_code == 404
    assert served.get("/api/v1/models/..%2fwrite").status_code == 404


def test_a_file_that_breaks_keeps_its_last_good_content_and_one_that_goes_is_gone(
    served: Served,
) -> None:
    file = served.models / "own.json"
    file.write_bytes(taught())
    good = served.get("/api/v1/models").json()

    file.write_bytes(b"{")
    (served.models / "other.json").write_bytes(b"not one")
    assert served.get("/api/v1/models").json() == good
    assert "wattribute_modelserver_models_refused 2" in served.get("/metrics").text

    file.unlink()
    assert [m["name"] for m in served.get("/api/v1/models").json()["models"]] == ["shipped"]


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ({}, "needs one of cpu_name"),
        ({"cores": "4"}, "needs one of cpu_name"),
        ({"cpu_name": "x" * 300}, "not one line"),
        ({"cpu_name": "a\x1bb"}, "not one line"),
        ({"cpu_name": "x", "cores": "-1"}, "cores: '-1' is no whole number"),
        ({"cpu_name": "x", "colour": "red"}, "unknown key 'colour'"),
    ],
)
def test_an_odd_description_is_refused_in_one_line(
    served: Served, query: dict[str, str], message: str
) -> None:
    answer = served.get("/api/v1/model", params=query)

    assert answer.status_code == 400
    assert message in answer.text
    assert answer.text.count("\n") == 1


def test_a_recording_lands_in_quarantine_and_nowhere_else(served: Served) -> None:
    body = json.dumps(RECORDING).encode()

    first, again = served.post(body), served.post(body)

    digest = sha256(body).hexdigest()
    assert (first.status_code, first.json()) == (201, {"sha256": digest, "state": "new"})
    assert (again.status_code, again.json()["state"]) == (200, "known")
    assert (served.quarantine / f"{digest}.json").read_bytes() == body
    assert "wattribute_modelserver_quarantined 1" in served.get("/metrics").text
    found = read_recordings(served.quarantine)
    assert (len(found.taken), len(found.waiting)) == (0, 1)
    assert len(read_recordings(served.quarantine, [digest[:8]]).taken) == 1


def test_posting_needs_the_token_and_reading_tokens_do_not_post(served: Served) -> None:
    body = json.dumps(RECORDING).encode()

    for token in ("", "x" * 32, READ):
        answer = served.post(body, token)
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == "Bearer"
    assert not list(served.quarantine.glob("*.json"))


def test_what_is_posted_is_bounded_and_checked(served: Served, tmp_path: Path) -> None:
    assert served.post(b"{").status_code == 400
    assert served.post(b" " * (MAX_BYTES + 1)).status_code == 413
    assert "not a power recording" in served.post(b"{}").text
    full = Served(tmp_path, most_recordings=1)
    assert full.post(json.dumps(RECORDING).encode()).status_code == 201
    answer = full.post(json.dumps(RECORDING | {"version": "1"}).encode())
    assert answer.status_code == 507
    assert "full" in answer.text


def test_with_a_reading_token_everything_but_health_needs_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(credentials, "FAILURE_DELAY_S", 0.0)
    served = Served(tmp_path, guarded=True, listen=":8100")

    assert served.get("/healthz").status_code == 200
    assert served.get("/readyz").status_code == 200
    for path in ("/api/v1/models", "/api/v1/weights", "/metrics", "/best-models"):
        assert served.get(path).status_code == 401
        for token in (READ, WRITE):
            headers = {"Authorization": f"Bearer {token}"}
            assert served.get(path, headers=headers).status_code == 200


def test_a_token_that_is_replaced_counts_at_once(served: Served, tmp_path: Path) -> None:
    (tmp_path / "write").write_text("n" * 32)

    assert served.post(json.dumps(RECORDING).encode(), WRITE).status_code == 401
    assert served.post(json.dumps(RECORDING).encode(), "n" * 32).status_code == 201


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"listen": ":8100"}, "not only this machine can reach it"),
        ({"listen": "8100"}, "is not an address"),
        ({"quarantine": Path("posted")}, "only with --token-file"),
        ({"models": Path("/nowhere")}, "no such folder"),
        ({"token_file": Path("/nowhere")}, "No such file"),
        ({"token_file": Path(os.devnull)}, "needs one word of 16 characters"),
        ({"tls_cert": Path("cert.pem")}, "go together"),
    ],
)
def test_a_service_that_would_do_more_than_was_said_does_not_start(
    options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigInvalid, match=message):
        make_service(Options(**options))


WEIGHTS = PooledWeights(
    cpu="epyc-9354", method="learned-1", written_at="2026-10-01T00:00:00Z",
    zones={"package": (PooledWorkload(
        owner_kind="Deployment", owner_name="web", namespace="shop", container="app",
        log_ratio=0.3, deviation=0.1, nodes=3, cpu_hours=5.0,
    ),)},
)  # fmt: skip


def test_pooled_weights_are_served_by_cpu_and_by_digest_with_their_signature(
    served: Served,
) -> None:
    data = encode_weights(WEIGHTS)
    (served.models / "epyc-9354.weights.json").write_bytes(data)
    (served.models / "epyc-9354.weights.json.sig").write_bytes(b"s" * 64)
    digest = sha256(data).hexdigest()

    listed = served.get("/api/v1/weights").json()["weights"]
    best = served.get("/api/v1/weights", params=EPYC)
    headers = {"If-None-Match": best.headers["etag"]}

    assert [(w["cpu"], w["workloads"], w["sha256"], w["signed"]) for w in listed] == [
        ("epyc-9354", {"package": 1}, digest, True)
    ]
    assert best.content == data
    single_socket = {"cpu_name": "AMD EPYC 9354P"}
    assert served.get("/api/v1/weights", params=single_socket).content == data
    assert served.get("/api/v1/weights", params=EPYC, headers=headers).status_code == 304
    assert served.get(f"/api/v1/weights/{digest}").content == data
    assert served.get(f"/api/v1/weights/{digest}.sig").content == b"s" * 64
    assert len(served.get("/api/v1/models").json()["models"]) == 1


def test_no_weights_are_served_for_another_cpu_or_of_a_broken_file(served: Served) -> None:
    xeon = {"cpu_name": "Intel Xeon Platinum 8280"}
    assert served.get("/api/v1/weights").json() == {"weights": []}
    (served.models / "broken.weights.json").write_bytes(b"{}")
    (served.models / "epyc.weights.json").write_bytes(encode_weights(WEIGHTS))

    answer = served.get("/api/v1/weights", params=xeon)

    assert answer.status_code == 404
    assert "no pooled weights of xsp-8280" in answer.text
    assert served.get("/api/v1/weights", params={"cpu_name": "AMD EPYC"}).status_code == 404
    assert served.get("/api/v1/weights", params={"colour": "red"}).status_code == 400
    assert served.get("/api/v1/weights/..%2fwrite").status_code == 404
    metrics = served.get("/metrics").text
    assert "wattribute_modelserver_weights 1" in metrics
    assert "wattribute_modelserver_weights_refused 1" in metrics
    assert "wattribute_modelserver_models_refused 0" in metrics


Ask = Callable[..., Any]
SPEC = {"processor": "intel_xeon_platinum_8259cl", "cores": 96, "chips": 2, "memory": 384,
        "frequency": 2500}  # fmt: skip


@pytest.fixture
def ask(served: Served) -> Ask:
    """Kepler's request for weights, with changes."""

    def asked(**change: Any) -> Any:
        request = {
            "metrics": ["bpf_cpu_time_ms", "bpf_page_cache_hit"], "output_type": "AbsPower",
            "source": "rapl-sysfs", "node_type": -1, "weight": True, "trainer_name": "",
            "filter": "", "machine_spec": SPEC,
        }  # fmt: skip
        return served.client.request("POST", "/model", json=request | change)

    return asked


def power_w(answer: Any, component: str, load: float, threads: int = 96) -> float:
    """What Kepler makes of weights."""
    all_weights = answer.json()[component]["All_Weights"]
    variable = all_weights["Numerical_Variables"]["bpf_cpu_time_ms"]
    ms_per_s = load * threads * 1000
    return all_weights["Bias_Weight"] + variable["weight"] * ms_per_s / variable["scale"]


def test_kepler_gets_a_line_near_to_the_curve(ask: Ask) -> None:
    machine = Machine(cpu_name="Intel Xeon Platinum 8259CL", packages=2, cores=48, threads=96,
                      memory_bytes=384 * 10**9, base_mhz=2500)  # fmt: skip
    estimator = ArtefactEstimator(read_artefact())

    answer = ask()

    for load in (0.0, 0.3, 0.6, 0.9):
        power = estimator.predict(machine, Load(nanoseconds(1), load))["cpu"]
        expected = watts(power.idle_uw + power.dynamic_uw)
        assert power_w(answer, "package", load) == pytest.approx(expected, rel=0.25)
    assert answer.json()["model_name"].startswith("SGDRegressorTrainer_")
    dynamic = ask(output_type="DynPower")
    assert power_w(dynamic, "package", 0.0) == 0
    assert ask(source="acpi").json().keys() == {"platform", "model_name", "machine_spec"}


def test_a_few_threads_of_a_large_cpu_are_a_guest(ask: Ask) -> None:
    whole = ask()
    guest = ask(machine_spec=SPEC | {"cores": 8, "chips": 1, "memory": 32})

    assert power_w(guest, "package", 1.0, 8) < power_w(whole, "package", 1.0) / 5


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"weight": False}, "pickled models are never served"),
        ({"metrics": ["cpu_cycles"]}, "needs the metric bpf_cpu_time_ms"),
        ({"source": "hmc"}, "for source 'hmc'"),
        ({"machine_spec": None}, "needs machine_spec"),
        ({"machine_spec": SPEC | {"cores": -3}}, "not a request for a model"),
        ({"output_type": "Moon"}, "not a request for a model"),
    ],
)
def test_what_kepler_cannot_have_is_said_in_one_line(
    ask: Ask, change: dict[str, Any], message: str
) -> None:
    answer = ask(**change)

    assert answer.status_code == 400
    assert message in answer.text


def test_the_list_of_best_models_has_keplers_shape(served: Served) -> None:
    every = served.get("/best-models").json()
    one = served.get("/best-models", params={"ot": "AbsPower", "fg": "BPFOnly"}).json()
    long = served.get("/best-models", params={"output-type": "AbsPower"}).json()

    assert every.keys() == {"AbsPower", "DynPower"}
    assert one == long == {"AbsPower": {"BPFOnly": "SGDRegressorTrainer_wattribute-power-"
                                        + read_artefact().version}}  # fmt: skip
