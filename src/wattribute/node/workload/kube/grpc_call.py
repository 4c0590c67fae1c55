"""Make one gRPC call over a Unix socket. This is the only module that imports ``h2``.

grpcio could do this too, for 18 MB of disk, 31 MB of memory and six threads; h2 costs 0.6 MB
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
"""Header of each message: whether it is compressed, and its length."""
_PIECE: Final = 1 << 16
_STREAM: Final = 1
_OK: Final = "0"
_WINDOW: Final = 16 << 20
"""Bytes that the server may send before we acknowledge them."""


@dataclass(slots=True)
class _Answer:
    body: bytearray = field(default_factory=bytearray)
    headers: dict[str, str] = field(default_factory=dict)
    """Headers of the answer, and then its trailers."""
    ended: bool = False


def call(socket_file: Path, method: str, request: bytes, *, timeout_s: float, most: int) -> bytes:
    """Make one call and return the message of the answer.

    Args:
        socket_file: the socket on which the server listens.
        method: ``/package.Service/Method``.
        request: the encoded message.
        timeout_s: longest time for the whole call.
        most: bytes of the longest accepted answer.

    Raises:
        IdentityDenied: this process may not open the socket.
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
            f"{socket_file}: permission denied; run as root, or allow it in the SELinux policy"
        ) from error
    except FileNotFoundError as error:
        raise IdentityFailed(
            f"{socket_file}: no such file; mount the kubelet's folder pod-resources"
        ) from error
    except TimeoutError as error:
        raise IdentityFailed(f"{socket_file}: no answer in {timeout_s:g} s") from error
    except OSError as error:
        raise IdentityFailed(f"{socket_file}: {error.strerror or error}") from error
    except h2.exceptions.H2Error as error:
        raise IdentityFailed(f"{socket_file}: the server does not speak gRPC: {error}") from error
    return _message(answer, f"{socket_file} {method}")


def _talk(wire: socket.socket, method: str, request: bytes, until_s: float, most: int) -> _Answer:
    """Send the request, and receive until the stream ends."""
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
            raise ConnectionAbortedError(0, f"the answer is larger than {most} bytes")
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
            raise ConnectionResetError(
                0, f"the server refused the call (HTTP/2 code {event.error_code})"
            )
        case _:
            pass


def _message(answer: _Answer, where: str) -> bytes:
    status = answer.headers.get(":status", "")
    if status != str(HTTPStatus.OK.value):
        raise IdentityFailed(f"{where}: HTTP status {status or 'missing'}")
    code = answer.headers.get("grpc-status", "missing")
    if code != _OK:
        reason = unquote(answer.headers.get("grpc-message", ""))[:300]
        raise IdentityFailed(f"{where}: gRPC status {code}: {reason or 'no reason given'}")
    if len(answer.body) < _PREFIX.size:
        raise IdentityFailed(f"{where}: the answer has no message")
    compressed, length = _PREFIX.unpack_from(answer.body)
    if compressed or len(answer.body) != _PREFIX.size + length:
        raise IdentityFailed(f"{where}: the answer is not one uncompressed message")
    return bytes(answer.body[_PREFIX.size :])
