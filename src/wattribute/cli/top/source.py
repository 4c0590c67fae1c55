"""Where the numbers of ``top`` come from: an agent, or this program itself."""

import base64
import platform
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from wattribute import __version__
from wattribute.cli.top.picture import picture_of
from wattribute.cli.top.view import Picture
from wattribute.core.errors import SourceDenied, SourceFailed, WattributeError
from wattribute.http.answer import Answer
from wattribute.http.client import HttpClient, Keys
from wattribute.http.tls import client_context
from wattribute.node.exporter.api.document import document
from wattribute.node.exporter.api.shapes import SCHEMA, Document
from wattribute.node.exporter.scene import NodeLabels
from wattribute.node.settings import NodeSettings

if TYPE_CHECKING:
    from wattribute.node.monitor.loop import Monitor

DEFAULT_URL: Final = "http://127.0.0.1:9102"
_KEYS: Final = Keys("--agent", "--ca-file")
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
class Login:
    """What an agent asks of a user, and the certificates that are trusted."""

    user: str | None = None
    password: str = ""
    ca_file: Path | None = None


@contextmanager
def opened(
    url: str | None, login: Login, settings: NodeSettings, every_s: float
) -> Iterator[Callable[[], Picture]]:
    """Give a function that returns the newest picture.

    Args:
        url: The agent's address; None: the usual one, or our own readings if
            nobody answers there.
        login: Who we are.
        settings: For our own readings.
        every_s: Time between two of our own ticks.

    Raises:
        ConfigInvalid: not an address.
        AgentRefused: somebody is at the usual address, and gives no snapshot.
    """
    agent = Agent(url or DEFAULT_URL, login)
    if url is not None or _answers(agent):
        yield agent.read
    else:
        with own_readings(settings, every_s) as read:
            yield read


class Agent:
    """An agent's snapshot over HTTP."""

    def __init__(self, url: str, login: Login) -> None:
        """Nothing is asked before ``read``.

        Raises:
            ConfigInvalid: not an http or https URL, or a certificate file that cannot be used.
        """
        self._url = url.rstrip("/")
        ca_file = str(login.ca_file or "")
        self._client = HttpClient(url, _KEYS, ca_file=ca_file, largest_bytes=_MOST_BYTES)
        if self._client.is_tls:
            client_context(ca_file, _KEYS.ca_file)
        self._headers: dict[str, str] = {}
        if login.user is not None:
            pair = base64.b64encode(f"{login.user}:{login.password}".encode()).decode()
            self._headers["Authorization"] = f"Basic {pair}"

    def read(self) -> Picture:
        """Ask for the newest snapshot.

        Raises:
            AgentSilent: nobody answers.
            AgentRefused: the answer is not a snapshot that this version understands.
        """
        answer = self._get()
        if answer.status == HTTPStatus.UNAUTHORIZED:
            raise AgentRefused(f"{self._url}: asks who is there; use --user, or check the password")
        if answer.status != HTTPStatus.OK:
            raise AgentRefused(
                f"{self._url}{_PATH}: answered {answer.status}; not ready, or not an agent"
            )
        try:
            shown = msgspec.json.decode(answer.body, type=Document)
        except msgspec.MsgspecError as exc:
            raise AgentRefused(f"{self._url}{_PATH}: not an agent's snapshot: {exc}") from exc
        if shown.schema != SCHEMA:
            raise AgentRefused(f"{self._url}: the agent is version {shown.version}; use its top")
        return picture_of(shown, self._url)

    def _get(self) -> Answer:
        path = f"{self._client.prefix}{_PATH}"
        try:
            return self._client.request("GET", path, self._headers, silence_s=_TIMEOUT_S)
        except SourceDenied as exc:
            raise AgentRefused(str(exc)) from exc
        except SourceFailed as exc:
            raise AgentSilent(f"{exc}; is the agent running?") from exc
        finally:
            self._client.close()


def _answers(agent: Agent) -> bool:
    try:
        agent.read()
    except AgentSilent:
        return False
    return True


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
