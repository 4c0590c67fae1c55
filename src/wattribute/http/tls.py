"""TLS contexts of servers and clients."""

import ipaddress
import ssl
from pathlib import Path
from typing import Final

from wattribute.core.errors import ConfigInvalid
from wattribute.http.web_config import TlsServer

_VERSIONS: Final = {"TLS12": ssl.TLSVersion.TLSv1_2, "TLS13": ssl.TLSVersion.TLSv1_3}
_VERIFY: Final = {
    "": ssl.CERT_NONE,
    "NoClientCert": ssl.CERT_NONE,
    "VerifyClientCertIfGiven": ssl.CERT_OPTIONAL,
    "RequireAndVerifyClientCert": ssl.CERT_REQUIRED,
}
_CIPHERS: Final = {
    "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256": "ECDHE-ECDSA-AES128-GCM-SHA256",
    "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256": "ECDHE-RSA-AES128-GCM-SHA256",
    "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384": "ECDHE-ECDSA-AES256-GCM-SHA384",
    "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384": "ECDHE-RSA-AES256-GCM-SHA384",
    "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256": "ECDHE-ECDSA-CHACHA20-POLY1305",
    "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305": "ECDHE-ECDSA-CHACHA20-POLY1305",
    "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256": "ECDHE-RSA-CHACHA20-POLY1305",
    "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305": "ECDHE-RSA-CHACHA20-POLY1305",
}
"""OpenSSL's names by Go's (crypto/tls), of ciphers with forward secrecy and AEAD."""
_TLS13_CIPHERS: Final = frozenset(
    {"TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"}
)
_CURVES: Final = {"CurveP256": "prime256v1", "CurveP384": "secp384r1", "CurveP521": "secp521r1",
                  "X25519": "X25519"}  # fmt: skip


def context_of(tls: TlsServer, folder: Path) -> ssl.SSLContext:
    """The context of a server with a web-config.

    Args:
        tls: The part of the web-config.
        folder: Where relative paths start.

    Raises:
        ConfigInvalid: A file cannot be used, or a name is not known.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = _VERSIONS[tls.min_version]
    context.maximum_version = _VERSIONS[tls.max_version]
    context.options |= ssl.OP_NO_COMPRESSION
    if tls.prefer_server_cipher_suites:
        context.options |= ssl.OP_CIPHER_SERVER_PREFERENCE
    certificate, key = folder / tls.cert_file, folder / tls.key_file
    _load_chain(context, certificate, key, ("web config: cert_file", "key_file"))
    context.verify_mode = _VERIFY[tls.client_auth_type]
    if context.verify_mode != ssl.CERT_NONE:
        _load_clients(context, tls, folder)
    elif tls.client_ca_file or tls.client_allowed_sans:
        raise ConfigInvalid(
            "web config: client_ca_file and client_allowed_sans have no effect without "
            "client_auth_type RequireAndVerifyClientCert"
        )
    _choose_ciphers(context, tls)
    return context


def server_context(cert: Path, key: Path, settings: tuple[str, str]) -> ssl.SSLContext:
    """The context of a server that has no web-config, with TLS 1.2 or later.

    Args:
        cert: The certificate with its chain, as PEM.
        key: The key of the certificate.
        settings: The settings that name the two files, for messages.

    Raises:
        ConfigInvalid: A file cannot be used.
    """
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    _load_chain(context, cert, key, settings)
    return context


def client_context(ca_file: str, key: str) -> ssl.SSLContext:
    """The context of a client.

    Args:
        ca_file: A file with the certificates that are trusted; "" takes the system's.
        key: The setting that names the file, for messages.

    Raises:
        ConfigInvalid: The file cannot be read, or has no certificate in it.
    """
    try:
        return ssl.create_default_context(cafile=ca_file or None)
    except OSError as exc:
        reason = "no certificate in it" if isinstance(exc, ssl.SSLError) else exc.strerror
        raise ConfigInvalid(f"{key} {ca_file}: {reason}") from exc


def has_one_of(client: ssl.SSLSocket, sans: tuple[str, ...]) -> bool:
    """Whether the client's certificate has one of these names."""
    certificate = client.getpeercert() or {}
    names = {str(entry[1]) for entry in certificate.get("subjectAltName", ()) if len(entry) > 1}
    return any(san in names or _same_address(san, names) for san in sans)


def _same_address(san: str, names: set[str]) -> bool:
    """Whether a name is this IP address. IPv6 addresses can be written in many ways."""
    try:
        address = ipaddress.ip_address(san)
    except ValueError:
        return False
    for name in names:
        try:
            if ipaddress.ip_address(name) == address:
                return True
        except ValueError:
            continue
    return False


def _load_chain(context: ssl.SSLContext, cert: Path, key: Path, settings: tuple[str, str]) -> None:
    try:
        context.load_cert_chain(cert, key, password=_no_password)
    except (OSError, ValueError) as exc:
        raise ConfigInvalid(
            f"{settings[0]} {cert} with {settings[1]} {key}: {_reason(exc)}"
        ) from exc


def _load_clients(context: ssl.SSLContext, tls: TlsServer, folder: Path) -> None:
    if not tls.client_ca_file:
        raise ConfigInvalid(
            f"web config: client_auth_type {tls.client_auth_type} needs client_ca_file"
        )
    authority = folder / tls.client_ca_file
    try:
        context.load_verify_locations(authority)
    except (OSError, ValueError) as exc:
        raise ConfigInvalid(f"web config: client_ca_file {authority}: {_reason(exc)}") from exc


def _choose_ciphers(context: ssl.SSLContext, tls: TlsServer) -> None:
    names = [name for name in tls.cipher_suites if name not in _TLS13_CIPHERS]
    if unknown := [name for name in names if name not in _CIPHERS]:
        raise ConfigInvalid(
            f"web config: cipher_suites: {unknown[0]} is not one of {', '.join(_CIPHERS)}"
        )
    if names:
        context.set_ciphers(":".join(_CIPHERS[name] for name in names))
    if len(tls.curve_preferences) > 1:
        raise ConfigInvalid("web config: curve_preferences: name one curve, or none for all")
    for name in tls.curve_preferences:
        if name not in _CURVES:
            raise ConfigInvalid(
                f"web config: curve_preferences: {name} is not one of {', '.join(_CURVES)}"
            )
        context.set_ecdh_curve(_CURVES[name])


def _no_password() -> str:
    raise ValueError("the key has a password; store it without")


def _reason(exc: Exception) -> str:
    if isinstance(exc, ssl.SSLError):
        return f"not a usable PEM file ({(exc.reason or 'unreadable').lower().replace('_', ' ')})"
    return (getattr(exc, "strerror", None) or str(exc)).lower()
