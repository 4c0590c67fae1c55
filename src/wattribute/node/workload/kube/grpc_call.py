"""One gRPC call over a Unix socket: request out, answer in. The door of ``h2``.

grpcio does this too, for 18 MB of disk, 31 MB of memory and six threads; h2 costs 0.6 MB
and 9 MB (decision 0006).
Source: gRPC over HTTP/2 (github.com/grpc/grpc, doc/PROTOCOL-HTTP2.md).
"""

import socket
import struct
import time
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Final
from urllib.parse import unquote

import h2.config
import h2.connection
import h2.events
import h2.exceptions

from wattribute.core.errors import IdentityDenied, IdentityFailed

_PREFIX: Final = struct.Struct("!?I")
"""Before each message: whether it is compressed, and its length."""
_PIECE: Final = 1 << 16
_STREAM: Final = 1
_OK: Final = "0"
_WINDOW: Final = 16 << 20
"""So much may come before we must say that we have read it."""


@dataclass(slots=True)
class _Answer:
    body: bytearray = field(default_factory=bytearray)
    headers: dict[str, str] = field(default_factory=dict)
    """Of the answer and, later, of its trailers."""
    ended: bool = False


def call(socket_file: Path, method: str, request: bytes, *, timeout_s: float, most: int) -> bytes:
    """The answer's message.

    Args:
        socket_file: where the server listens.
        method: ``/package.Service/Method``.
        request: the message, encoded.
        timeout_s: for all of it.
        most: bytes of the longest answer that is taken.

    Raises:
        IdentityDenied: the socket may not be opened by us.
        IdentityFailed: there is no socket, no answer in time, or an answer that is an error.
    """
    until_s = time.monotonic() + timeout_s
    try:
        with socket.socket(socket.AF_UNIX) as wire:
            wire.settimeout(timeout_s)
            wire.connect(str(socket_file))
            answer = _talk(wire, method, request, until_s, most)
    except PermissionError as error:
        raise IdentityDenied(
            f"{socket_file}: permission denied; needs root, or a policy (SELinux) that allows it"
        ) from error
    except FileNotFoundError as error:
        raise IdentityFailed(
            f"{socket_file}: not there; mount the kubelet's folder pod-resources"
        ) from error
    except TimeoutError as error:
        raise IdentityFailed(f"{socket_file}: no answer in {timeout_s:g} s") from error
    except OSError as error:
        raise IdentityFailed(f"{socket_file}: {error.strerror or error}") from error
    except h2.exceptions.H2Error as error:
        raise IdentityFailed(f"{socket_file}: does not speak gRPC: {error}") from error
    return _message(answer, f"{socket_file} {method}")


def _talk(wire: socket.socket, method: str, request: bytes, until_s: float, most: int) -> _Answer:
    """Send the request, and take what comes until its stream ends."""
    peer = h2.connection.H2Connection(
        h2.config.H2Configuration(client_side=True, header_encoding="utf-8")
    )
    peer.initiate_connection()
    peer.increment_flow_control_window(_WINDOW)
    headers = [
        (":method", "POST"),
        (":scheme", "http"),
        (":path", method),
        (":authority", "localhost"),
        ("te", "trailers"),
        ("content-type", "application/grpc"),
        ("user-agent", "wattribute"),
    ]
    peer.send_headers(_STREAM, headers)
    peer.send_data(_STREAM, _PREFIX.pack(False, len(request)) + request, end_stream=True)  # noqa: FBT003 - struct's
    answer = _Answer()
    while not answer.ended:
        wire.sendall(peer.data_to_send())
        if (left_s := until_s - time.monotonic()) <= 0:
            raise TimeoutError
        wire.settimeout(left_s)
        piece = wire.recv(_PIECE)
        if not piece:
            raise ConnectionResetError(0, "the answer broke off")
        for event in peer.receive_data(piece):
            _take(peer, event, answer)
        if len(answer.body) > most:
            raise ConnectionAbortedError(0, f"an answer of over {most} bytes")
    return answer


def _take(peer: h2.connection.H2Connection, event: h2.events.Event, answer: _Answer) -> None:
    match event:
        case h2.events.ResponseReceived() | h2.events.TrailersReceived():
            answer.headers.update((str(name), str(value)) for name, value in event.headers or ())
        case h2.events.DataReceived():
            answer.body += event.data or b""
            peer.acknowledge_received_data(event.flow_controlled_length or 0, _STREAM)
        case h2.events.StreamEnded():
            answer.ended = True
        case h2.events.StreamReset() | h2.events.ConnectionTerminated():
            raise ConnectionResetError(0, f"the call was refused (HTTP/2 code {event.error_code})")
        case _:
            pass


def _message(answer: _Answer, where: str) -> bytes:
    status = answer.headers.get(":status", "")
    if status != str(HTTPStatus.OK.value):
        raise IdentityFailed(f"{where}: HTTP status {status or 'missing'}")
    code = answer.headers.get("grpc-status", "missing")
    if code != _OK:
        said = unquote(answer.headers.get("grpc-message", ""))[:300]
        raise IdentityFailed(f"{where}: gRPC status {code}: {said or 'no reason given'}")
    if len(answer.body) < _PREFIX.size:
        raise IdentityFailed(f"{where}: an answer without a message")
    compressed, length = _PREFIX.unpack_from(answer.body)
    if compressed or len(answer.body) != _PREFIX.size + length:
        raise IdentityFailed(f"{where}: an answer that is not one plain message")
    return bytes(answer.body[_PREFIX.size :])
