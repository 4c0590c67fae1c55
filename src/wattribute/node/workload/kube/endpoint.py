"""Requests to a server of the cluster: with a token, and with errors that say what to do."""

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
"""A whole answer takes no longer, or is given up."""
LARGEST_BYTES: Final = 32 << 20
"""500 pods of 64 KiB; a larger answer is refused."""
_LONGEST_LINE: Final = 8 << 20
"""Of a watch: etcd keeps objects of at most 1.5 MiB."""
_LONGEST_MESSAGE: Final = 300


class Endpoint:
    """One server; each request has a connection of its own, so that a load balancer can choose."""

    def __init__(self, url: str, token_file: str, ca_file: str, setting: str) -> None:
        """Nothing is asked yet; ``setting`` is the key that holds ``url``.

        Raises:
            ConfigInvalid: ``url`` is not an address.
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
        """The whole answer.

        Args:
            path: Begins with a slash.
            query: Parameters.
            needs: The rule that allows the request, for the message when it is forbidden.

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
        """The lines of an answer that goes on, until `hang_up`.

        Args:
            path: Begins with a slash.
            query: Parameters.
            needs: As for `get`.
            silence_s: A silence that is longer is a failure.

        Raises:
            IdentityError: As `get`; the lines raise it too.
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
        """End the answer that goes on."""
        self._client.close()

    def close(self) -> None:
        """End what is going on, from any thread; later requests fail."""
        self._client.interrupt()

    def _target(self, path: str, query: Mapping[str, str]) -> tuple[str, dict[str, str]]:
        """Where a request goes, and its headers; it is counted."""
        self.requests += 1
        token = self._token()
        headers = {"Authorization": f"Bearer {token}"} if token and self._client.is_tls else {}
        target = f"{self._client.prefix}{path}" + (f"?{urlencode(query)}" if query else "")
        return target, headers

    def _token(self) -> str:
        """The token as it is now: the kubelet replaces the file before it expires."""
        try:
            return secret_in(self._token_file, "workload.kube_token_file")
        except ConfigInvalid:
            return ""

    def _refused(
        self, where: str, answer: Answer, needs: str
    ) -> IdentityDenied | IdentityExpired | IdentityFailed:
        """The error that an answer other than 200 stands for."""
        status, said = answer.status, _message(answer.body)
        match status:
            case HTTPStatus.UNAUTHORIZED:
                return IdentityDenied(
                    f"{where}: 401, who we are is not accepted; "
                    + (
                        f"the token in {self._token_file} has expired or is another cluster's; "
                        "it is read again at every try"
                        if self._token()
                        else f"workload.kube_token_file {self._token_file}: no token to be read"
                    )
                )
            case HTTPStatus.FORBIDDEN:
                return IdentityDenied(f"{where}: 403, {said}; a ClusterRole must allow {needs}")
            case HTTPStatus.GONE:
                return IdentityExpired(f"{where}: 410, {said}")
        pause = answer.headers.get("retry-after", "")
        return IdentityFailed(
            f"{where}: {status}, {said}", float(pause) if pause.isdecimal() else 0.0
        )


def _lines(stream: Stream) -> Iterator[bytes]:
    try:
        while line := stream.line(_LONGEST_LINE):
            yield line
    except SourceFailed as error:
        raise IdentityFailed(str(error)) from error


def _message(body: bytes) -> str:
    """What an error's body says, on one line."""
    try:
        text = STATUS.decode(body).message
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        text = body.decode("utf-8", "replace")
    return " ".join(text.split())[:_LONGEST_MESSAGE] or "without a word"
