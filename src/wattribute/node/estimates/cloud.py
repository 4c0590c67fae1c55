"""Asking a cloud's metadata service what kind of machine this is. Only when the settings say so.

The service is a link-local address without TLS; some networks block it, and then it hangs, so there
is one second for all.
"""

import time
from http import HTTPStatus
from typing import Final

from wattribute.core.errors import SourceFailed
from wattribute.http.client import HttpClient, Keys

_ADDRESS: Final = "169.254.169.254"
_LIMIT_S: Final = 1.0
_MOST_BYTES: Final = 256
_ASK: Final[tuple[tuple[str, str, dict[str, str]], ...]] = (
    ("GET", "/computeMetadata/v1/instance/machine-type", {"Metadata-Flavor": "Google"}),
    (
        "GET",
        "/metadata/instance/compute/vmSize?api-version=2021-02-01&format=text",
        {"Metadata": "true"},
    ),
)
_TOKEN: Final = ("PUT", "/latest/api/token", {"X-aws-ec2-metadata-token-ttl-seconds": "60"})
_AWS_TYPE: Final = "/latest/meta-data/instance-type"


def ask_instance_type(address: str = _ADDRESS, limit_s: float = _LIMIT_S) -> str:
    """The instance type (``m5.large``); "" when nobody answers in time."""
    service = _MetadataService(address, limit_s)
    try:
        token = service.ask(*_TOKEN)
        if token:
            name = service.ask("GET", _AWS_TYPE, {"X-aws-ec2-metadata-token": token})
            if name:
                return name
        for method, path, headers in _ASK:
            if name := service.ask(method, path, headers):
                return name.rpartition("/")[2]
        return ""
    finally:
        service.close()


class _MetadataService:
    """The service at one address, with one limit of time for all requests."""

    def __init__(self, address: str, limit_s: float) -> None:
        self._until_s = time.monotonic() + limit_s
        self._client = HttpClient(
            f"http://{address}",
            Keys("estimator.cloud_metadata"),
            largest_bytes=_MOST_BYTES,
            answer_s=limit_s,
        )
        self.close = self._client.close

    def ask(self, method: str, path: str, headers: dict[str, str]) -> str:
        """The text of one answer; "" for none."""
        left_s = self._until_s - time.monotonic()
        if left_s <= 0:
            return ""
        try:
            answer = self._client.request(
                method, path, {"Accept": "*/*", **headers}, silence_s=left_s
            )
        except SourceFailed:
            return ""
        text = answer.body.decode("ascii", "replace").strip()
        return text if answer.status == HTTPStatus.OK and text.isprintable() else ""
