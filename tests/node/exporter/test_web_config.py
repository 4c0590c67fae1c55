import base64
import logging
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

from wattribute.core.errors import ConfigInvalid
from wattribute.core.records import Snapshot
from wattribute.http import access, credentials
from wattribute.http.credentials import BasicAuth
from wattribute.http.tls import context_of
from wattribute.http.web_config import TlsServer, checked, load
from wattribute.node.exporter.disclosure import Disclosure
from wattribute.node.settings import ExporterSettings

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


def test_a_right_password_is_hashed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(credentials, "FAILURE_DELAY_S", 0)
    calls = []
    real = bcrypt.checkpw
    monkeypatch.setattr(bcrypt, "checkpw", lambda *args: calls.append(1) or real(*args))
    users = BasicAuth({"prom": SECRET})
    right = basic("prom", "opensesame").partition(": ")[2]

    assert all(users.allows(right) for _ in range(5))
    assert len(calls) == 1
    for wrong in ("", "Bearer x", "Basic ###", "Basic " + base64.b64encode(b"no colon").decode()):
        assert not users.allows(wrong)
    assert len(calls) == 1


def test_headers_of_the_file_are_on_every_answer(
    start: Start, connect: Connect, snapshot: Snapshot, tmp_path: Path
) -> None:
    headers = {"Strict-Transport-Security": "max-age=1", "X-Frame-Options": "SAMEORIGIN"}
    config = web_config(tmp_path, http_server_config={"headers": headers, "http2": True})
    client = connect(start(snapshot, web_config=config))

    for path in ("/", "/metrics", "/nothing"):
        assert client.get(path)[1]["strict-transport-security"] == "max-age=1"
    assert client.get("/")[1]["x-frame-options"] == "SAMEORIGIN"


def test_a_change_of_the_file_counts_without_a_restart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(access, "_LOOK_S", 0.0)
    monkeypatch.setattr(credentials, "FAILURE_DELAY_S", 0)
    config = web_config(tmp_path, basic_auth_users={"prom": SECRET})
    doors = Disclosure(ExporterSettings(listen=(":0",), web_config=config), 0.5).access
    right = basic("prom", "opensesame").partition(": ")[2]
    assert doors.allows(right)

    other = bcrypt.hashpw(b"other", bcrypt.gensalt(4)).decode()
    web_config(tmp_path, basic_auth_users={"prom": other, "more": other})
    assert not doors.allows(right)

    with caplog.at_level(logging.ERROR):
        web_config(tmp_path, basic_auth_users={"prom": "plain"})
        assert not doors.allows(right)
        assert not doors.allows(right)
        web_config(tmp_path)  # would open fast readings to strangers
        assert not doors.allows("")
    assert [r.message.count("stay") for r in caplog.records] == [1, 1]
    assert "faster than 1 s" in caplog.records[1].message

    (tmp_path / "web-config.yml").unlink()
    assert not doors.allows("")


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


@pytest.mark.parametrize(
    ("tree", "message"),
    [
        ({"tls": {}}, "unknown key `tls`"),
        ({"tls_server_config": {"cert_file": "a", "key_file": "b", "x": 1}}, "unknown key `x`"),
        ({"tls_server_config": {"cert_file": "a"}}, "key_file"),
        ({"tls_server_config": {"cert": "PEM", "key_file": "b"}}, "put the certificate into"),
        ({"tls_server_config": {"cert_file": "a", "key_file": "b", "min_version": "TLS10"}},
         "TLS10"),
        ({"tls_server_config": {"cert_file": "a", "key_file": "b",
                                "client_auth_type": "RequireAnyClientCert"}}, "verifies nothing"),
        ({"basic_auth_users": {"a": "secret"}}, "not a bcrypt hash; make one with"),
        ({"http_server_config": {"headers": {"X-Mine": "1"}}}, "'X-Mine' cannot be set"),
        ({"http_server_config": {"headers": {"X-Frame-Options": "a\nb: c"}}}, "not one line"),
        (["a list"], "object"),
        ("text", "object"),
    ],
)  # fmt: skip
def test_what_is_wrong_in_the_file_is_named(tree: object, message: str) -> None:
    with pytest.raises(ConfigInvalid, match=message) as wrong:
        checked(tree, "file.yml")

    assert "\n" not in str(wrong.value)
    assert "secret" not in str(wrong.value).replace("bcrypt", "")


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigInvalid, match=r"none\.yml: no such file"):
        load(tmp_path / "none.yml")
    (tmp_path / "bad.yml").write_text("a: [", encoding="utf-8")
    with pytest.raises(ConfigInvalid, match=r"bad\.yml: not YAML"):
        load(tmp_path / "bad.yml")
    (tmp_path / "empty.yml").write_text("", encoding="utf-8")
    assert not load(tmp_path / "empty.yml").authenticates


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"cert_file": "none.pem"}, r"none\.pem .*no such file"),
        ({"cert_file": "server.key"}, "not a usable PEM file"),
        ({"key_file": "other.key"}, "key values mismatch"),
        ({"client_auth_type": "RequireAndVerifyClientCert"}, "needs client_ca_file"),
        ({"client_ca_file": "client.pem"}, "no effect without"),
        ({"cipher_suites": ("TLS_RSA_WITH_RC4_128_SHA",)}, "TLS_RSA_WITH_RC4_128_SHA is not one"),
        ({"curve_preferences": ("P",)}, "P is not one of"),
        ({"curve_preferences": ("X25519", "CurveP256")}, "name one curve"),
    ],
)
def test_tls_that_cannot_be_is_named(
    changes: dict[str, Any], message: str, certificates: Path
) -> None:
    given = {"cert_file": "server.pem", "key_file": "server.key", **changes}

    with pytest.raises(ConfigInvalid, match=message):
        context_of(TlsServer(**given), certificates)


def test_what_the_file_says_of_tls_holds(certificates: Path) -> None:
    context = context_of(
        TlsServer(
            cert_file="server.pem", key_file="server.key", min_version="TLS13",
            cipher_suites=("TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", "TLS_AES_128_GCM_SHA256"),
            curve_preferences=("CurveP256",), client_ca_file="client.pem",
            client_auth_type="VerifyClientCertIfGiven",
        ),
        certificates,
    )  # fmt: skip

    assert context.minimum_version == ssl.TLSVersion.TLSv1_3
    assert context.verify_mode == ssl.CERT_OPTIONAL
    names = {cipher["name"] for cipher in context.get_ciphers()}
    assert "ECDHE-RSA-AES128-GCM-SHA256" in names
    assert "ECDHE-RSA-AES256-GCM-SHA384" not in names


def test_authentication_lets_fast_readings_out(tmp_path: Path) -> None:
    config = web_config(tmp_path, basic_auth_users={"prom": SECRET})

    settings = ExporterSettings(listen=(":9102",), web_config=config)

    assert Disclosure(settings, interval_s=0.2).shows_processes
