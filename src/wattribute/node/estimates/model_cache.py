"""The last good artefact of a model server: what makes it believed, and the file that keeps it."""

import base64
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Final

from wattribute.core.errors import ConfigInvalid, ModelInvalid
from wattribute.core.files import write_whole
from wattribute.node.estimator.artefact import MAX_BYTES, Artefact, decode
from wattribute.node.settings import EstimatorSettings

_LOG: Final = logging.getLogger(__name__)


class ModelPin:
    """The digest or the public key that an artefact is checked with."""

    def __init__(self, settings: EstimatorSettings) -> None:
        """Take the digest and the key from the settings.

        Raises:
            ConfigInvalid: There is neither of them, the key is not base64, or the package that
                checks signatures is not installed.
        """
        if not settings.sha256 and not settings.public_key:
            raise ConfigInvalid(
                "estimator.model_server: needs estimator.sha256 (sha256sum of the artefact) or "
                "estimator.public_key, for a digest from the same server proves nothing"
            )
        try:
            self.public_key = base64.b64decode(settings.public_key, validate=True)
        except ValueError as exc:
            raise ConfigInvalid(f"estimator.public_key: {exc}") from exc
        self._is_signed = _signature_check() if self.public_key else None
        self.sha256 = settings.sha256.lower()

    def believed(self, data: bytes, signature: bytes, name: str) -> Artefact:
        """The artefact in ``data``, if it has the digest, or is signed with the key.

        Args:
            data: Bytes of an artefact.
            signature: Its Ed25519 signature; b"" where there is no key.
            name: Where it is from, for messages.

        Raises:
            ModelInvalid: It is another one, or not one that this version can use.
        """
        if self._is_signed and not self._is_signed(self.public_key, data, signature):
            raise ModelInvalid(f"{name}: not signed with estimator.public_key")
        return decode(data, self.sha256, name=name)


def _signature_check() -> Callable[[bytes, bytes, bytes], bool]:
    try:
        from wattribute.node.estimates.model_signature import is_signed  # noqa: PLC0415 - 7 MB, for few
    except ImportError as exc:
        raise ConfigInvalid(
            "estimator.public_key: the package cryptography, which checks signatures, is not "
            "installed: pip install 'wattribute[signed]'"
        ) from exc
    return is_signed


class ModelCache:
    """The last good artefact, in a file beside the agent's state."""

    def __init__(self, path: Path | None) -> None:
        """``path`` is the file; None keeps nothing."""
        self._path = path

    def load(self, pin: ModelPin) -> tuple[bytes, Artefact] | None:
        """The artefact in the file, checked anew.

        None means that there is no file, or that it is not believed, which is logged.
        """
        if self._path is None:
            return None
        try:
            with self._path.open("rb") as file:
                data = file.read(MAX_BYTES + 1)
            signature = b""
            if pin.public_key:
                signature = self._signature(self._path).read_bytes()
            return data, pin.believed(data, signature, str(self._path))
        except FileNotFoundError:
            return None
        except (OSError, ModelInvalid) as exc:
            _LOG.warning("the cached model is not used: %s", exc)
            return None

    def save(self, data: bytes, signature: bytes) -> None:
        """Write an artefact and its signature to the file.

        A disk that cannot be written costs the next start a fetch; it is logged.
        """
        if self._path is None:
            return
        try:
            write_whole(self._path, data, 0o600)
            if signature:
                write_whole(self._signature(self._path), signature, 0o600)
        except OSError as exc:
            _LOG.warning("%s: the fetched model is not kept: %s", self._path, exc.strerror)

    @staticmethod
    def _signature(path: Path) -> Path:
        return path.with_name(path.name + ".sig")
