"""Activity of MIG instances from dcgm-exporter's metrics, where NVML itself does not tell.

Polled by a thread of its own: a slow exporter never delays a tick.
"""

import re
import threading
import time
from collections.abc import Mapping
from http import HTTPStatus
from types import MappingProxyType
from typing import Final

from wattribute.core.errors import ConfigInvalid, SourceFailed
from wattribute.http.client import HttpClient, Keys

_METRICS: Final = ("DCGM_FI_PROF_SM_ACTIVE", "DCGM_FI_PROF_GR_ENGINE_ACTIVE")
"""Best first; the exporter's default list has the second."""
_LINE: Final = re.compile(
    r"(?P<name>DCGM_FI_PROF_(?:SM|GR_ENGINE)_ACTIVE)\{(?P<labels>[^}]*)\}\s+(?P<value>\S+)"
)
_LABEL: Final = re.compile(r'(\w+)="([^"]*)"')
_PORT: Final = 9400
_EVERY_S: Final = 5.0
_TIMEOUT_S: Final = 3.0
_FRESH_S: Final = 90.0
"""The exporter collects every 30 s unless told."""
_MOST_BYTES: Final = 8 * 1024 * 1024

Activity = Mapping[tuple[str, int], float]
"""By UUID of the device and id of the GPU instance: part of the instance that was busy, 0 to 1."""


def instance_activity(text: str) -> Activity:
    """What an exposition says of MIG instances; lines that are none are passed over."""
    by_metric: dict[str, dict[tuple[str, int], float]] = {name: {} for name in _METRICS}
    for match in map(_LINE.match, text.splitlines()):
        if match is None:
            continue
        labels = dict(_LABEL.findall(match["labels"]))
        number, uuid = labels.get("GPU_I_ID", ""), labels.get("UUID", "")
        try:
            value = float(match["value"])
        except ValueError:
            continue
        if number.isascii() and number.isdigit() and uuid and 0 <= value <= 1:
            by_metric[match["name"]][uuid, int(number)] = value
    best, other = (by_metric[name] for name in _METRICS)
    return MappingProxyType({**other, **best})


class DcgmReader:
    """Keeps the newest answer of one exporter."""

    def __init__(self, url: str) -> None:
        """Begin to poll.

        Raises:
            ConfigInvalid: ``url`` is not an address.
        """
        self._client = HttpClient(
            url, Keys("meter.dcgm_url"), port=_PORT, largest_bytes=_MOST_BYTES, answer_s=_TIMEOUT_S
        )
        if self._client.is_tls:
            raise ConfigInvalid(f"meter.dcgm_url: {url}: has no TLS; write http://HOST:PORT")
        self._path = self._client.prefix or "/metrics"
        self._stop = threading.Event()
        self._newest: tuple[float, Activity] = (float("-inf"), {})
        self._problem = "no answer yet"
        self._thread = threading.Thread(target=self._poll, name="dcgm", daemon=True)
        self._thread.start()

    @property
    def problem(self) -> str:
        """Why there is no fresh answer; "" when there is one."""
        fresh = time.monotonic() - self._newest[0] <= _FRESH_S
        return "" if fresh else f"meter.dcgm_url: {self._client.url}: {self._problem}"

    def activity(self) -> Activity:
        """The newest answer; empty when it is old."""
        at_s, activity = self._newest
        return activity if time.monotonic() - at_s <= _FRESH_S else {}

    def close(self) -> None:
        """Stop polling; does not wait for an answer that is under way."""
        self._stop.set()

    def _poll(self) -> None:
        while not self._stop.is_set():
            try:
                self._newest = (time.monotonic(), instance_activity(self._fetch()))
            except SourceFailed as exc:
                self._problem = str(exc)
            self._stop.wait(_EVERY_S)
        self._client.close()

    def _fetch(self) -> str:
        answer = self._client.request(
            "GET", self._path, {"Accept": "text/plain"}, silence_s=_TIMEOUT_S
        )
        if answer.status != HTTPStatus.OK:
            raise SourceFailed(f"answered {answer.status}")
        return answer.body.decode(errors="replace")
