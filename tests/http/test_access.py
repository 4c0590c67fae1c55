"""The rules of who may ask: tokens, users of the web-config, and certificates of servers."""

import base64
import socket
import ssl
import threading
from pathlib import Path

import bcrypt
import pytest
import yaml

from wattribute.core.errors import ConfigInvalid
from wattribute.http import credentials
from wattribute.http.access import Access
from wattribute.http.tls import server_context
from wattribute.http.web_config import WebConfig
from wattribute_testing.kube.authority import Authority

TOKEN = "t" * 16


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def with_user(folder: Path) -> str:
    """A web-config whose user prom has the password right."""
    path = folder / "web-config.yml"
    hashed = bcrypt.hashpw(b"right", bcrypt.gensalt(4)).decode()
    path.write_text(yaml.safe_dump({"basic_auth_users": {"prom": hashed}}))
    return str(path)


def test_without_rules_everybody_may_ask_and_nobody_is_known() -> None:
    access = Access()
    left, right = socket.socketpair()
    with left, right:
        assert access.secured(left) is left
    assert access.allows("")
    assert access.user(basic("prom", "right")) is None
    assert access.tokens(f"Bearer {TOKEN}") == []
    assert (access.authenticates, access.tls, access.headers) == (False, None, ())


def test_a_token_says_which_settings_name_it(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    first.write_text(TOKEN)
    second.write_text("other-other-other")
    access = Access(tokens={"a.token_file": first, "b.token_file": second})

    assert access.tokens(f"bearer {TOKEN}\n") == ["a.token_file"]
    for header in ("", TOKEN, f"Basic {TOKEN}", "Bearer", f"Bearer {TOKEN}x"):
        assert access.tokens(header) == []

    second.write_text(f"{TOKEN}\n")  # counts at once
    assert access.tokens(f"Bearer {TOKEN}") == ["a.token_file", "b.token_file"]
    first.unlink()
    assert access.tokens(f"Bearer {TOKEN}") == ["b.token_file"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, r"^a\.token_file: .*/token: cannot be read: No such file"),
        ("short", r"^a\.token_file: .*/token: needs one word of 16 characters or more; make one"),
        ("two words of a token", "needs one word"),
    ],
)
def test_a_bad_token_file_is_named(content: str | None, message: str, tmp_path: Path) -> None:
    path = tmp_path / "token"
    if content is not None:
        path.write_text(content)
    with pytest.raises(ConfigInvalid, match=message):
        Access(tokens={"a.token_file": path})


def test_a_user_is_known_by_name_and_password(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(credentials, "FAILURE_DELAY_S", 0)
    access = Access(with_user(tmp_path))

    assert access.authenticates
    assert access.allows(basic("prom", "right"))
    assert access.user(basic("prom", "right")) == "prom"
    for header in ("", basic("prom", "wrong"), basic("other", "right"), f"Bearer {TOKEN}"):
        assert not access.allows(header)
        assert access.user(header) is None


def test_the_server_has_a_say_in_each_web_config(tmp_path: Path) -> None:
    seen: list[WebConfig] = []
    Access(check=seen.append)
    Access(with_user(tmp_path), check=seen.append)

    assert [config.authenticates for config in seen] == [False, True]

    def refuse(config: WebConfig) -> None:
        raise ConfigInvalid(f"not {config.authenticates}")

    with pytest.raises(ConfigInvalid, match="not True"):
        Access(with_user(tmp_path), check=refuse)


def test_connections_are_secured_with_the_servers_own_certificate(tmp_path: Path) -> None:
    authority = Authority(tmp_path, "server")
    certificate, key = authority.issue(["127.0.0.1"])
    context = server_context(certificate, key, ("tls_cert", "tls_key"))
    client_context = ssl.create_default_context(cafile=authority.certificate)
    client_context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    access = Access(tls=context)
    server_end, client_end = socket.socketpair()

    def serve() -> None:
        with access.secured(server_end) as secured:
            secured.sendall(b"hello")

    thread = threading.Thread(target=serve)
    thread.start()
    with client_context.wrap_socket(client_end, server_hostname="127.0.0.1") as client:
        assert client.recv(5) == b"hello"
    thread.join(5)


def test_a_certificate_that_cannot_be_used_is_named_with_its_settings(tmp_path: Path) -> None:
    with pytest.raises(ConfigInvalid, match=r"^--cert .*/none with --key .*/none: no such file"):
        server_context(tmp_path / "none", tmp_path / "none", ("--cert", "--key"))
