"""Who we are to a BMC: a session where it offers them, else the password with each request.

Source: DMTF DSP0266 (Redfish Specification), "Redfish session login authentication": POST to the
sessions collection gives ``X-Auth-Token`` and, in ``Location``, what to DELETE at the end.
"""

import base64
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec

from wattribute.core.errors import MeterDenied, MeterFailed, SourceFailed
from wattribute.http.answer import Answer, is_success
from wattribute.http.client import HttpClient
from wattribute.node.meter.bmcfile import Credentials

Json = Any
"""What a body holds: anything."""

SESSIONS: Final = "/redfish/v1/SessionService/Sessions"
"""Where they are unless the service root says otherwise."""
_LOGOUT_S: Final = 3.0
_NOT_THERE: Final = frozenset({404, 405, 410, 501})


class Session:
    """Gives the resources of one BMC, as one user."""

    def __init__(self, client: HttpClient, credentials: Callable[[], Credentials]) -> None:
        """Nothing is asked yet; ``credentials`` is called at each login, for secrets change."""
        self._client = client
        self._credentials = credentials
        self._sessions = SESSIONS
        self._headers: dict[str, str] = {}
        self._ours = ""
        """Path of our session; "": none."""

    def anonymous(self, path: str) -> Json | None:
        """A resource that needs no login (the service root); None: it is not there.

        Raises:
            MeterError: as ``get``.
        """
        return self._content(path, self._ask("GET", path, {}))

    def use_sessions_at(self, link: str) -> None:
        """The sessions collection, as the service root says.

        Raises:
            MeterFailed: The link leads to another host.
        """
        try:
            self._sessions = self._client.local(link)
        except SourceFailed as error:
            raise MeterFailed(str(error)) from error

    def get(self, path: str) -> Json | None:
        """A resource; None: it is not there. Logs in when needed, and again when it expired.

        Raises:
            MeterDenied: user and password are not accepted, or may not read it.
            MeterFailed: any other answer.
        """
        fresh = not self._headers
        if fresh:
            self._login()
        answer = self._ask("GET", path, self._headers)
        if answer.status == HTTPStatus.UNAUTHORIZED and not fresh:
            self._forget()
            self._login()
            answer = self._ask("GET", path, self._headers)
        if answer.status == HTTPStatus.UNAUTHORIZED:
            self._forget()
        return self._content(path, answer)

    def close(self) -> None:
        """End our session: BMCs have room for a few only, and keep them for half an hour."""
        try:
            if self._ours:
                self._client.request("DELETE", self._ours, self._headers, silence_s=_LOGOUT_S)
        except SourceFailed:
            pass  # it will expire
        self._forget()
        self._client.close()

    def _ask(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes | None = None
    ) -> Answer:
        try:
            return self._client.request(method, path, headers, body)
        except SourceFailed as error:
            raise MeterFailed(str(error)) from error

    def _forget(self) -> None:
        self._headers, self._ours = {}, ""

    def _login(self) -> None:
        credentials = self._credentials()
        body = msgspec.json.encode(
            {"UserName": credentials.username, "Password": credentials.password}
        )
        self._client.close()  # it may be stale, and a login is not sent twice
        answer = self._ask("POST", self._sessions, {}, body)
        token = answer.headers.get("x-auth-token", "")
        if is_success(answer.status) and token:
            self._headers = {"X-Auth-Token": token}
            self._ours = self._path_of_session(answer)
        elif answer.status == HTTPStatus.UNAUTHORIZED:
            raise self._denied(self._sessions)
        else:  # no sessions, no more of them, or another idea of how they are made
            pair = f"{credentials.username}:{credentials.password}".encode()
            self._headers = {"Authorization": f"Basic {base64.b64encode(pair).decode()}"}

    def _path_of_session(self, answer: Answer) -> str:
        link = answer.headers.get("location", "")
        if not link:
            link = _link(_decoded(answer.body))
        try:  # a BMC behind a proxy names itself by another host: only the path counts
            path = urlsplit(link).path
            return self._client.local(path) if path else ""
        except (ValueError, SourceFailed):
            return ""

    def _content(self, path: str, answer: Answer) -> Json | None:
        status = answer.status
        if status in _NOT_THERE:
            return None
        where = f"{self._client.url}{path}"
        if status == HTTPStatus.UNAUTHORIZED:
            raise self._denied(path)
        if status == HTTPStatus.FORBIDDEN:
            raise MeterFailed(f"{where}: 403, the user may not read it; it needs the role ReadOnly")
        if not is_success(status):
            raise MeterFailed(f"{where}: answered {status}")
        content = _decoded(answer.body)
        if not isinstance(content, dict):
            raise MeterFailed(f"{where}: the answer is no JSON object")
        return content

    def _denied(self, path: str) -> MeterDenied:
        return MeterDenied(
            f"{self._client.url}{path}: 401, user and password are not accepted; see "
            "meter.redfish_credentials; asked again in 15 minutes, so that no account is locked"
        )


def _decoded(body: bytes) -> Json:
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _link(content: Json) -> str:
    link = content.get("@odata.id") if isinstance(content, dict) else None
    return link if isinstance(link, str) else ""
