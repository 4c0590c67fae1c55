"""What can go wrong with a server, for a test to turn on."""

import threading
from dataclasses import dataclass, field


@dataclass(slots=True)
class Faults:
    """Each holds until it is taken back; a number counts down the requests that it still hits."""

    status: int = 0
    """Answer everything with this code."""
    retry_after_s: int = 0
    """With ``status``: the header ``Retry-After``."""
    junk: bytes | None = None
    """Answer 200 with these bytes; in a watch, as a line."""
    huge_bytes: int = 0
    """Answer a list with so many bytes, their number said beforehand."""
    endless: bool = False
    """Answer a list with bytes that do not end, their number not said."""
    cut_after_bytes: int = 0
    """Break the connection after so many bytes of an answer."""
    byte_every_s: float = 0.0
    """Send answers one byte at a time."""
    silent: threading.Event = field(default_factory=threading.Event)
    """While set, requests are taken and not answered."""
    watch_ends_at_once: bool = False
    """Accept a watch, and end it."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A request that the server received."""

    path: str
    query: dict[str, str]
    token: str
    at_s: float
    """On the monotonic clock."""
