"""Send requests with a token to a server of the cluster; its errors say what to do."""

from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Final
from urllib.parse import urlencode

import msgspec

from wattribute.core.errors import (
    ConfigInvalid,
    IdentityDenied,
    IdentityExpired,
    IdentityFailed,
    SourceFailed,
)
from wattribute.http.answer import Answer, Stream
from wattribute.http.client import HttpClient, Keys
from wattribute.http.tokens import secret_in
from wattribute.node.workload.kube.shapes import STATUS

ANSWER_S: Final = 30.0
"""Longest time for a whole answer, after which the request fails."""
LARGEST_BYTES: Final = 32 << 20
"""500 pods of 64 KiB each; a larger answer is refused."""
_LONGEST_LINE: Final = 8 << 20
"""Bytes in a line of a watch; etcd's objects have at most 1.5 MiB."""
_LONGEST_MESSAGE: Final = 300


class Endpoint:
    """One server of the cluster.

    Each request opens a connection, so that a load balancer can choose the server.
    """

    def __init__(self, url: str, token_file: str, ca_file: str, setting: str) -> None:
        """Prepare requests to ``url``, which comes from the settings key ``setting``.

        Raises:
            ConfigInvalid: ``url`` is not a valid address.
        """
        self._client = HttpClient(
            url,
            Keys(setting, "workload.kube_ca_file"),
            ca_file=ca_file,
            largest_bytes=LARGEST_BYTES,
            answer_s=ANSWER_S,
        )
        self._answer_s = ANSWER_S
        self._token_file = token_file
        self.url = f"{self._client.url}{self._client.prefix}"
        self.requests = 0

    def get(self, path: str, query: Mapping[str, str], needs: str) -> bytes:
        """Send a GET request and return the whole answer.

        Args:
            path: The path, which begins with a slash.
            query: The query parameters.
            needs: The RBAC rule that allows the request, for the message when it is forbidden.

        Raises:
            IdentityError: There was no answer, or it was an error, or it is too large.
        """
        target, headers = self._target(path, query)
        try:
            answer = self._client.request("GET", target, headers, silence_s=self._answer_s)
        except SourceFailed as error:
            raise IdentityFailed(str(error)) from error
        finally:
            self.hang_up()
        if answer.status != HTTPStatus.OK:
            raise self._refused(f"{self.url}{path}", answer, needs)
        return answer.body

    def stream(
        self, path: str, query: Mapping[str, str], needs: str, silence_s: float
    ) -> Iterator[bytes]:
        """Send a GET request and return the lines of the answer as they come, until `hang_up`.

        Args:
            path: The path, which begins with a slash.
            query: The query parameters.
            needs: The RBAC rule that allows the request, as for `get`.
            silence_s: Longest time without a line, after which the request fails.

        Raises:
            IdentityError: As for `get`; iterating over the lines raises it too.
        """
        target, headers = self._target(path, query)
        try:
            answer = self._client.stream(target, headers, silence_s)
        except SourceFailed as error:
            raise IdentityFailed(str(error)) from error
        if isinstance(answer, Stream):
            return _lines(answer)
        self.hang_up()
        raise self._refused(f"{self.url}{path}", answer, needs)

    def hang_up(self) -> None:
        """End the streamed answer."""
        self._client.close()

    def close(self) -> None:
        """End the current request, from any thread; later requests fail."""
        self._client.interrupt()

    def _target(self, path: str, query: Mapping[str, str]) -> tuple[str, dict[str, str]]:
        """Count a request, and return its target and headers."""
        self.requests += 1
        token = self._token()
        headers = {"Authorization": f"Bearer {token}"} if token and self._client.is_tls else {}
        target = f"{self._client.prefix}{path}" + (f"?{urlencode(query)}" if query else "")
        return target, headers

    def _token(self) -> str:
        """Read the token anew, because the kubelet replaces the file before it expires."""
        try:
            return secret_in(self._token_file, "workload.kube_token_file")
        except ConfigInvalid:
            return ""

    def _refused(
        self, where: str, answer: Answer, needs: str
    ) -> IdentityDenied | IdentityExpired | IdentityFailed:
        """Return the error for an answer other than 200."""
        status, message = answer.status, _message(answer.body)
        match status:
            case HTTPStatus.UNAUTHORIZED:
                return IdentityDenied(
                    f"{where}: 401, the server does not accept our token; "
                    + (
                        f"the token in {self._token_file} has expired or belongs to another "
                        "cluster; it is read again for every request"
                        if self._token()
                        else f"workload.kube_token_file {self._token_file}: no readable token"
                    )
                )
            case HTTPStatus.FORBIDDEN:
                return IdentityDenied(f"{where}: 403, {message}; a ClusterRole must allow {needs}")
            case HTTPStatus.GONE:
                return IdentityExpired(f"{where}: 410, {message}")
        pause = answer.headers.get("retry-after", "")
        return IdentityFailed(
            f"{where}: {status}, {message}", float(pause) if pause.isdecimal() else 0.0
        )


def _lines(stream: Stream) -> Iterator[bytes]:
    try:
        while line := stream.line(_LONGEST_LINE):
            yield line
    except SourceFailed as error:
        raise IdentityFailed(str(error)) from error


def _message(body: bytes) -> str:
    """Return the message in an error's body, on one line."""
    try:
        text = STATUS.decode(body).message
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        text = body.decode("utf-8", "replace")
    return " ".join(text.split())[:_LONGEST_MESSAGE] or "no reason given"
