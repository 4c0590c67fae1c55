"""The live page: one HTML file, and the policy that lets nothing else run in it."""

import base64
import re
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Final

_FILE: Final = Path(__file__).with_name("page.html")
_INLINE: Final = re.compile(rb"<(?P<tag>script|style)>(?P<text>.*?)</(?P=tag)>", re.DOTALL)


@cache
def load() -> tuple[bytes, str]:
    """The page, and its Content-Security-Policy: its own script and style by hash, its own API."""
    body = _FILE.read_bytes()
    hashes = {
        match["tag"].decode(): base64.b64encode(sha256(match["text"]).digest()).decode()
        for match in _INLINE.finditer(body)
    }
    policy = (
        "default-src 'none'; connect-src 'self'; img-src data:; "
        f"script-src 'sha256-{hashes['script']}'; style-src 'sha256-{hashes['style']}'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
        "require-trusted-types-for 'script'; trusted-types 'none'"
    )
    return body, policy
