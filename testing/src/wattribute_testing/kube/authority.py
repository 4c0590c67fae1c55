"""A certificate authority of a test, by the ``openssl`` program."""

import ipaddress
import subprocess
from collections.abc import Sequence
from pathlib import Path


class Authority:
    """Signs certificates of servers; every call of ``openssl`` takes some 20 ms."""

    def __init__(self, folder: Path, name: str = "kubernetes") -> None:
        """Make the authority's key and certificate in a folder."""
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._key = folder / "ca.key"
        self.certificate = folder / "ca.crt"
        """What clients must trust."""
        _openssl(
            *("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"),
            *("-nodes", "-days", "2", "-subj", f"/CN={name}"),
            *("-keyout", str(self._key), "-out", str(self.certificate)),
        )

    def issue(self, hosts: Sequence[str], name: str = "server") -> tuple[Path, Path]:
        """A server's certificate and key, for names and addresses."""
        request, certificate, key = (
            self._folder / f"{name}.{end}" for end in ("csr", "crt", "key")
        )
        extensions = self._folder / f"{name}.ext"
        extensions.write_text(f"subjectAltName={','.join(map(_san, hosts))}\n")
        _openssl(
            *("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"),
            *("-subj", f"/CN={name}", "-keyout", str(key), "-out", str(request)),
        )
        _openssl(
            *("x509", "-req", "-in", str(request), "-days", "2", "-CAcreateserial"),
            *("-CA", str(self.certificate), "-CAkey", str(self._key)),
            *("-extfile", str(extensions), "-out", str(certificate)),
        )
        return certificate, key


def _san(host: str) -> str:
    try:
        return f"IP:{ipaddress.ip_address(host)}"
    except ValueError:
        return f"DNS:{host}"


def _openssl(*arguments: str) -> None:
    subprocess.run(["openssl", *arguments], check=True, capture_output=True, timeout=30)  # noqa: S607
