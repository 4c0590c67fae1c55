import ssl
from pathlib import Path
from typing import Any

import pytest

from wattribute.core.errors import ConfigInvalid
from wattribute.http.tls import context_of
from wattribute.http.web_config import TlsServer
from wattribute_testing.kube.authority import Authority


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with server.crt, other.crt, each with its key, and ca.crt, which signed both."""
    folder = tmp_path_factory.mktemp("certificates")
    authority = Authority(folder)
    authority.issue(["127.0.0.1"], "server")
    authority.issue(["other"], "other")
    return folder


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"cert_file": "none.pem"}, r"none\.pem .*no such file"),
        ({"cert_file": "server.key"}, "not a usable PEM file"),
        ({"key_file": "other.key"}, "key values mismatch"),
        ({"client_auth_type": "RequireAndVerifyClientCert"}, "needs client_ca_file"),
        ({"client_ca_file": "ca.crt"}, "no effect without"),
        ({"cipher_suites": ("TLS_RSA_WITH_RC4_128_SHA",)}, "TLS_RSA_WITH_RC4_128_SHA is not one"),
        ({"curve_preferences": ("P",)}, "P is not one of"),
        ({"curve_preferences": ("X25519", "CurveP256")}, "name one curve"),
    ],
)
def test_tls_that_cannot_be_is_named(
    changes: dict[str, Any], message: str, certificates: Path
) -> None:
    given = {"cert_file": "server.crt", "key_file": "server.key", **changes}

    with pytest.raises(ConfigInvalid, match=message):
        context_of(TlsServer(**given), certificates)


def test_what_the_file_says_of_tls_holds(certificates: Path) -> None:
    context = context_of(
        TlsServer(
            cert_file="server.crt", key_file="server.key", min_version="TLS13",
            cipher_suites=("TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", "TLS_AES_128_GCM_SHA256"),
            curve_preferences=("CurveP256",), client_ca_file="ca.crt",
            client_auth_type="VerifyClientCertIfGiven",
        ),
        certificates,
    )  # fmt: skip

    assert context.minimum_version == ssl.TLSVersion.TLSv1_3
    assert context.verify_mode == ssl.CERT_OPTIONAL
    names = {cipher["name"] for cipher in context.get_ciphers()}
    assert "ECDHE-RSA-AES128-GCM-SHA256" in names
    assert "ECDHE-RSA-AES256-GCM-SHA384" not in names
