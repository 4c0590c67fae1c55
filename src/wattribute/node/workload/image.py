"""The digest of a container's image, as short as people write it."""

import re
from typing import Final

_DIGEST: Final = re.compile(r"(?:sha256:|@|^)(?P<digits>[0-9a-f]{64})$")
_SHOWN: Final = 12


def image_digest(image: str) -> str:
    """Return 12 hex digits of the digest in an image's id or reference; "" without one.

    Args:
        image: ``registry/name@sha256:DIGITS``, ``sha256:DIGITS`` or ``DIGITS`` alone.
    """
    match = _DIGEST.search(image)
    return match["digits"][:_SHOWN] if match else ""
