"""Where the numbers of ``top`` come from: an agent, or this program itself."""

import base64
import http.client
import platform
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import SplitResult, urlsplit

import msgspec

from wattribute import __version__
from wattribute.cli.top.picture import picture_of
from wattribute.cli.top.view import Picture
from wattribute.core.errors import ConfigInvalid, WattributeError
from wattribute.node.exporter.api import SCHEMA, Document, document
from wattribute.node.exporter.scene import NodeLabels
from wattribute.node.settings import NodeSettings

if TYPE_CHECKING:
    from wattribute.node.monitor.loop import Monitor

DEFAULT_URL: Final = "http://127.0.0.1:9102"
_PATH: Final = "/api/v1/snapshot"
_TIMEOUT_S: Final = 5.0
_FIRST_S: Final = 0.5
"""Pause between the two readings that the first numbers need."""
_MOST_BYTES: Final = 256 * 1024 * 1024
_EVERY_PROCESS: Final = 1 << 31


class AgentSilent(WattributeError):  # noqa: N818 - named for the state, as in errors.py
    """Nobody answers at the agent's address."""


class AgentRefused(WattributeError):  # noqa: N818
    """Somebody answers, but not with a snapshot."""


@dataclass(frozen=True, slots=True)
class Access:
    """How to be let in by an agent that asks who is there."""

    user: str | None = None
    password: str = ""
    ca_file: Path | None = None


@contextmanager
def opened(
    url: str | None, access: Access, settings: NodeSettings, every_s: float
) -> Iterator[Callable[[], Picture]]:
    """Give a function that returns the newest picture.

    Args:
        url: The agent's address; None: the usual one, or our own readings if
            nobody answers there.
        access: Who we are.
        settings: For our own readings.
        every_s: Time between two of our own ticks.

    Raises:
        ConfigInvalid: not an address.
        AgentRefused: somebody is at the usual address, and gives no snapshot.
    """
    agent = Agent(url or DEFAULT_URL, access)
    if url is not None or _answers(agent):
        yield agent.read
    else:
        with own_readings(settings, every_s) as read:
            yield read


class Agent:
    """An agent's snapshot over HTTP."""

    def __init__(self, url: str, access: Access) -> None:
        """Nothing is asked before ``read``.

        Raises:
            ConfigInvalid: not an http or https URL, or a certificate file that cannot be used.
        """
        self._url = url.rstrip("/")
        self._parts = _address(self._url)
        self._context = _context(self._parts, access)
        self._headers = {"Accept": "application/json"}
        if access.user is not None:
            pair = base64.b64encode(f"{access.user}:{access.password}".encode()).decode()
            self._headers["Authorization"] = f"Basic {pair}"

    def read(self) -> Picture:
        """Ask for the newest snapshot.

        Raises:
            AgentSilent: nobody answers.
            AgentRefused: the answer is not a snapshot that this version understands.
        """
        status, body = self._get()
        if status == http.HTTPStatus.UNAUTHORIZED:
            raise AgentRefused(f"{self._url}: asks who is there; use --user, or check the password")
        if status != http.HTTPStatus.OK:
            raise AgentRefused(f"{self._url}{_PATH}: answered {status}; not ready, or not an agent")
        try:
            answer = msgspec.json.decode(body, type=Document)
        except msgspec.MsgspecError as exc:
            raise AgentRefused(f"{self._url}{_PATH}: not an agent's snapshot: {exc}") from exc
        if answer.schema != SCHEMA:
            raise AgentRefused(f"{self._url}: the agent is version {answer.version}; use its top")
        return picture_of(answer, self._url)

    def _get(self) -> tuple[int, bytes]:
        connection = self._connection()
        try:
            connection.request("GET", self._parts.path + _PATH, headers=self._headers)
            answer = connection.getresponse()
            return answer.status, answer.read(_MOST_BYTES)
        except ssl.SSLCertVerificationError as exc:
            raise AgentRefused(
                f"{self._url}: {exc.verify_message}; name what signed it with --ca-file"
            ) from exc
        except (OSError, http.client.HTTPException) as exc:
            reason = getattr(exc, "strerror", None) or str(exc) or type(exc).__name__
            raise AgentSilent(f"{self._url}: no answer: {reason}; is the agent running?") from exc
        finally:
            connection.close()

    def _connection(self) -> http.client.HTTPConnection:
        host, port = self._parts.hostname or "", self._parts.port
        if self._context is None:
            return http.client.HTTPConnection(host, port, timeout=_TIMEOUT_S)
        return http.client.HTTPSConnection(host, port, timeout=_TIMEOUT_S, context=self._context)


def _answers(agent: Agent) -> bool:
    try:
        agent.read()
    except AgentSilent:
        return False
    return True


def _address(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        valid = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        valid = False
    if not valid:
        raise ConfigInvalid(f"--agent {url}: not an address; write http://HOST:PORT")
    return parts


def _context(parts: SplitResult, access: Access) -> ssl.SSLContext | None:
    if parts.scheme != "https":
        return None
    try:
        return ssl.create_default_context(cafile=access.ca_file)
    except (OSError, ssl.SSLError) as exc:
        raise ConfigInvalid(f"--ca-file {access.ca_file}: no certificates in it: {exc}") from exc


@contextmanager
def own_readings(settings: NodeSettings, every_s: float) -> Iterator[Callable[[], Picture]]:
    """Measure in this program: a thread ticks, and the function shows the last tick."""
    from wattribute.node.agent import local_monitor

    # The state file is the agent's; two writers would lose joules.
    own = msgspec.structs.replace(
        settings,
        monitor=msgspec.structs.replace(settings.monitor, interval=every_s, state=""),
    )
    node = NodeLabels(name=settings.workload.node_name or platform.node())
    stop = threading.Event()
    with local_monitor(own) as monitor:
        monitor.tick()
        stop.wait(_FIRST_S)
        monitor.tick()
        ticker = threading.Thread(target=_tick, args=(monitor, stop, every_s), daemon=True)
        ticker.start()
        try:
            yield lambda: _own(monitor, node)
        finally:
            stop.set()
            ticker.join()


def _tick(monitor: "Monitor", stop: threading.Event, every_s: float) -> None:
    while not stop.wait(every_s):
        monitor.tick()


def _own(monitor: "Monitor", node: NodeLabels) -> Picture:
    snapshot = monitor.snapshot()
    if snapshot is None:
        raise AgentRefused("no numbers yet: the meters or the activity source could not be read")
    shown = document(snapshot, node, __version__, age_s=0.0, stale=False, processes=_EVERY_PROCESS)
    return picture_of(shown, "no agent: measured by this program")
