from pathlib import Path

import pytest

from wattribute.core.errors import ConfigInvalid
from wattribute.http.web_config import checked, load


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
