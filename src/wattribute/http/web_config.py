"""Reads TLS, users and headers from a Prometheus ``web-config.yml``.

The format is that of prometheus/exporter-toolkit (docs/web-configuration.md). An unknown key is an
error. So is a known key that Python's TLS cannot obey, because it would be a false promise.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Literal

import msgspec

from wattribute.core.errors import ConfigInvalid

Version = Literal["TLS12", "TLS13"]
ClientAuth = Literal["", "NoClientCert", "VerifyClientCertIfGiven", "RequireAndVerifyClientCert"]


class _Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A part of the file, in which an unknown key is an error."""


class TlsServer(_Part, frozen=True):
    """The part ``tls_server_config``."""

    cert_file: str
    """The certificate with its chain, as PEM; relative paths start at the web-config's folder."""
    key_file: str
    client_auth_type: ClientAuth = ""
    client_ca_file: str = ""
    client_allowed_sans: tuple[str, ...] = ()
    """A client's certificate must have one of these DNS names, addresses, e-mails or URIs."""
    min_version: Version = "TLS12"
    max_version: Version = "TLS13"
    cipher_suites: tuple[str, ...] = ()
    """Ciphers of TLS 1.2 by Go's names. Those of TLS 1.3 cannot be chosen, as in Go."""
    curve_preferences: tuple[str, ...] = ()
    prefer_server_cipher_suites: bool = True


class HttpServer(_Part, frozen=True):
    """The part ``http_server_config``."""

    http2: bool = True
    """Accepted without effect: this server speaks HTTP/1.1, as every scraper does."""
    headers: dict[str, str] = msgspec.field(default_factory=dict)


class WebConfig(_Part, frozen=True):
    """The whole web-config."""

    tls_server_config: TlsServer | None = None
    http_server_config: HttpServer = HttpServer()
    basic_auth_users: dict[str, str] = msgspec.field(default_factory=dict)

    @property
    def authenticates(self) -> bool:
        """Whether clients must authenticate, by a password or a certificate."""
        tls = self.tls_server_config
        return bool(self.basic_auth_users) or (
            tls is not None and tls.client_auth_type == "RequireAndVerifyClientCert"
        )


HEADERS: Final = frozenset(
    {
        "Content-Security-Policy",
        "Strict-Transport-Security",
        "X-Content-Type-Options",
        "X-Frame-Options",
        "X-XSS-Protection",
    }
)
"""The headers that exporter-toolkit allows to set."""
_BCRYPT: Final = re.compile(r"\$2[abxy]\$\d\d\$[./A-Za-z0-9]{53}")
_UNKNOWN: Final = re.compile(r"Object contains unknown field `(?P<key>[^`]*)`(?P<at>.*)")
_NOT_HERE: Final = {
    "cert": "put the certificate into a file and name it in cert_file",
    "key": "put the key into a file and name it in key_file",
    "client_ca": "put the certificates into a file and name it in client_ca_file",
}


def load(path: Path) -> WebConfig:
    """Read a web-config from a file.

    Raises:
        ConfigInvalid: The file cannot be read, is not YAML, or has an unknown key or value.
    """
    import yaml  # noqa: PLC0415 - only where a web-config is named

    try:
        tree = yaml.safe_load(path.read_bytes())
    except OSError as exc:
        reason = (exc.strerror or str(exc)).lower()
        raise ConfigInvalid(f"web config {path}: {reason}; see exporter.web_config") from exc
    except yaml.YAMLError as exc:
        raise ConfigInvalid(f"web config {path}: not YAML: {' '.join(str(exc).split())}") from exc
    return checked({} if tree is None else tree, str(path))


def checked(tree: Any, where: str) -> WebConfig:  # noqa: ANN401 - what YAML gives
    """Check a web-config that is a tree of plain values.

    Raises:
        ConfigInvalid: A key or value is not known.
    """
    _refuse_inline(tree, where)
    try:
        config = msgspec.convert(tree, WebConfig)
    except msgspec.ValidationError as exc:
        text = _UNKNOWN.sub(r"unknown key `\g<key>`\g<at>", str(exc))
        raise ConfigInvalid(f"web config {where}: {text}") from exc
    if unknown := sorted(set(config.http_server_config.headers) - HEADERS):
        raise ConfigInvalid(
            f"web config {where}: header {unknown[0]!r} cannot be set; these can: "
            f"{', '.join(sorted(HEADERS))}"
        )
    for name, value in config.http_server_config.headers.items():
        if not value.isprintable():
            raise ConfigInvalid(f"web config {where}: the value of header {name} is not one line")
    for user, hashed in config.basic_auth_users.items():
        if not _BCRYPT.fullmatch(hashed):
            raise ConfigInvalid(
                f"web config {where}: the password of {user!r} is not a bcrypt hash; "
                "make one with: htpasswd -nBC 10 NAME"
            )
    return config


def _refuse_inline(tree: object, where: str) -> None:
    tls = tree.get("tls_server_config") if isinstance(tree, Mapping) else None
    if not isinstance(tls, Mapping):
        return
    for key, fix in _NOT_HERE.items():
        if key in tls:
            raise ConfigInvalid(f"web config {where}: {key} inside the file is not read; {fix}")
    if tls.get("client_auth_type") in ("RequestClientCert", "RequireAnyClientCert"):
        raise ConfigInvalid(
            f"web config {where}: client_auth_type {tls['client_auth_type']} verifies nothing; "
            "use RequireAndVerifyClientCert"
        )


def files_of(config: WebConfig, path: Path) -> Sequence[Path]:
    """The file of a web-config and the files that it names."""
    tls = config.tls_server_config
    names = (tls.cert_file, tls.key_file, tls.client_ca_file) if tls is not None else ()
    return (path, *(path.parent / name for name in names if name))
