import base64
import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import bcrypt
import pytest
import yaml

from wattribute.core.records import Snapshot
from wattribute.http import access, credentials

Start = Callable[..., Any]
Connect = Callable[..., Any]

SECRET = bcrypt.hashpw(b"opensesame", bcrypt.gensalt(4)).decode()


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """server.pem, client.pem (DNS name scraper), each with its key; each signs itself."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is missing; apt-get install openssl")
    folder = tmp_path_factory.mktemp("certificates")
    for name, san in (("server", "IP:127.0.0.1"), ("client", "DNS:scraper"), ("other", "DNS:x")):
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
             "-nodes", "-days", "2", "-subj", f"/CN={name}", "-addext", f"subjectAltName={san}",
             "-keyout", f"{name}.key", "-out", f"{name}.pem"],
            cwd=folder, check=True, capture_output=True,
        )  # fmt: skip
    return folder


def web_config(folder: Path, **tree: object) -> str:
    path = folder / "web-config.yml"
    path.write_text(yaml.safe_dump(tree), encoding="utf-8")
    return str(path)


def basic(user: str, password: str) -> str:
    return "Authorization: Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def get_tls(exporter: Any, authority: Path, path: str = "/healthz", client: str = "") -> bytes:
    context = ssl.create_default_context(cafile=authority / "server.pem")
    if client:
        context.load_cert_chain(authority / f"{client}.pem", authority / f"{client}.key")
    where = exporter.addresses[0]
    with (
        socket.create_connection((where.host, where.port), timeout=5) as plain,
        context.wrap_socket(plain, server_hostname=where.host) as secured,
    ):
        secured.sendall(f"GET {path} HTTP/1.1\r\nConnection: close\r\n\r\n".encode())
        answer = b""
        while more := secured.recv(65536):
            answer += more
        return answer


def test_tls_is_spoken(start: Start, snapshot: Snapshot, certificates: Path) -> None:
    tls = {"cert_file": "server.pem", "key_file": "server.key"}
    exporter = start(snapshot, web_config=web_config(certificates, tls_server_config=tls))

    assert exporter.urls[0].startswith("https://127.0.0.1:")
    assert get_tls(exporter, certificates).endswith(b"ok\n")
    assert b"kepler_container_joules_total" in get_tls(exporter, certificates, "/metrics")


def test_a_handshake_that_never_comes_holds_up_nobody(
    start: Start, connect: Connect, snapshot: Snapshot, certificates: Path
) -> None:
    tls = {"cert_file": "server.pem", "key_file": "server.key"}
    exporter = start(snapshot, web_config=web_config(certificates, tls_server_config=tls))
    for _ in range(10):
        connect(exporter)
    plain = connect(exporter)
    plain.send()

    assert get_tls(exporter, certificates).endswith(b"ok\n")
    assert plain.at_end()


def test_clients_without_the_right_certificate_stay_out(
    start: Start, snapshot: Snapshot, certificates: Path
) -> None:
    authority = certificates / "clients.pem"
    authority.write_bytes(
        (certificates / "client.pem").read_bytes() + (certificates / "other.pem").read_bytes()
    )
    tls = {
        "cert_file": "server.pem", "key_file": "server.key", "client_ca_file": "clients.pem",
        "client_auth_type": "RequireAndVerifyClientCert", "client_allowed_sans": ["scraper"],
    }  # fmt: skip
    exporter = start(snapshot, web_config=web_config(certificates, tls_server_config=tls))

    assert get_tls(exporter, certificates, client="client").endswith(b"ok\n")
    for client in ("", "server", "other"):
        try:
            answer = get_tls(exporter, certificates, client=client)
        except OSError:
            answer = b""
        assert answer == b"", client


def test_a_password_is_asked_for_and_probes_need_none(
    start: Start, connect: Connect, snapshot: Snapshot, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(credentials, "FAILURE_DELAY_S", 0.05)
    config = web_config(tmp_path, basic_auth_users={"prom": SECRET})
    client = connect(start(snapshot, web_config=config))

    for path in ("/metrics", "/", "/api/v1/snapshot", "/nothing"):
        status, headers, _ = client.get(path)
        assert (status, headers["www-authenticate"]) == (401, 'Basic realm="wattribute"')
    for path in ("/healthz", "/readyz"):
        assert client.get(path)[0] == 200
    assert client.get("/metrics", basic("prom", "opensesame"))[0] == 200
    for user, password in (("prom", "wrong"), ("nobody", "opensesame"), ("prom", "x" * 100)):
        began = time.monotonic()
        assert client.get("/metrics", basic(user, password))[0] == 401
        assert time.monotonic() - began >= 0.05


def test_with_a_password_processes_are_shown_to_other_machines(
    start: Start, connect: Connect, snapshot: Snapshot, tmp_path: Path
) -> None:
    config = web_config(tmp_path, basic_auth_users={"prom": SECRET})
    exporter = start(snapshot, listen=("0.0.0.0:0",), web_config=config)

    body = connect(exporter).get("/api/v1/snapshot", basic("prom", "opensesame"))[2]
    assert b'"processes":[{' in body


def test_headers_of_the_file_are_on_every_answer(
    start: Start, connect: Connect, snapshot: Snapshot, tmp_path: Path
) -> None:
    headers = {"Strict-Transport-Security": "max-age=1", "X-Frame-Options": "SAMEORIGIN"}
    config = web_config(tmp_path, http_server_config={"headers": headers, "http2": True})
    client = connect(start(snapshot, web_config=config))

    for path in ("/", "/metrics", "/nothing"):
        assert client.get(path)[1]["strict-transport-security"] == "max-age=1"
    assert client.get("/")[1]["x-frame-options"] == "SAMEORIGIN"


def test_a_new_certificate_is_served_without_a_restart(
    start: Start, snapshot: Snapshot, certificates: Path, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(access, "_LOOK_S", 0.0)
    for kind in ("pem", "key"):
        shutil.copy(certificates / f"other.{kind}", tmp_path / f"server.{kind}")
    tls = {"cert_file": "server.pem", "key_file": "server.key"}
    exporter = start(snapshot, web_config=web_config(tmp_path, tls_server_config=tls))
    with pytest.raises(ssl.SSLCertVerificationError):
        get_tls(exporter, certificates)

    for kind in ("pem", "key"):
        shutil.copy(certificates / f"server.{kind}", tmp_path / f"server.{kind}")
    assert get_tls(exporter, certificates).endswith(b"ok\n")
