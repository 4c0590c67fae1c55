"""Address and password of this node's BMC, from a file that only its owner can read.

Three forms: ours (``username``, ``password``, perhaps ``endpoint``), and Kepler's two: YAML with
``nodes`` and ``bmcs`` (0.10 and later), CSV lines ``node,user,password,host`` (0.9 and before).
No message ever shows what is in it.
"""

import csv
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from wattribute.core.errors import ConfigInvalid, MeterDenied, MeterFailed

_LARGEST_BYTES: Final = 1 << 20
_OTHERS: Final = 0o077
_YAML: Final = re.compile(r"""\s*(?:---|\{|["']?[\w.-]+["']?\s*:(?:\s|$))""")


@dataclass(frozen=True, slots=True)
class Credentials:
    """Who we are to the BMC."""

    username: str = field(repr=False)
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Bmc:
    """One BMC of the file."""

    endpoint: str
    """Host or URL; "": the file does not say."""
    credentials: Credentials
    insecure: bool = False
    """Kepler's file asks for no verification of TLS; that alone is not enough here."""


def read_bmc(path: Path, node: str) -> Bmc:
    """The BMC of this node.

    Raises:
        MeterDenied: others may read the file, or we may not.
        MeterFailed: it is not there or cannot be read.
        ConfigInvalid: it is not in one of the forms, or does not name this node.
    """
    text = _text(path)
    first = next((line for line in text.splitlines() if line.strip() and line[0] != "#"), "")
    if _YAML.match(first):
        return _from_yaml(path, text, node)
    return _from_csv(path, text, node)


def _text(path: Path) -> str:
    where = f"meter.redfish_credentials: {path}"
    try:
        status = path.stat()
        if status.st_mode & _OTHERS:
            raise MeterDenied(
                f"{where}: others may read it (mode {stat.S_IMODE(status.st_mode):04o}); "
                "chmod 600 (of a Kubernetes secret: defaultMode: 0400)"
            )
        if not stat.S_ISREG(status.st_mode) or status.st_size > _LARGEST_BYTES:
            raise ConfigInvalid(f"{where}: not a file of at most {_LARGEST_BYTES >> 20} MiB")
        return path.read_text(encoding="utf-8")
    except PermissionError as error:
        raise MeterDenied(f"{where}: permission denied; it must be readable to us") from error
    except OSError as error:
        raise MeterFailed(f"{where}: {(error.strerror or str(error)).lower()}") from error
    except UnicodeDecodeError:
        raise ConfigInvalid(f"{where}: not UTF-8 text") from None


def _from_yaml(path: Path, text: str, node: str) -> Bmc:
    from wattribute.core.settings.yaml import parse  # noqa: PLC0415 - only a file needs PyYAML

    where = f"meter.redfish_credentials: {path}"
    try:
        document = parse(text, str(path))
    except ConfigInvalid:  # its message may show a line of the file
        raise ConfigInvalid(f"{where}: not valid YAML") from None
    if "bmcs" not in document:
        return _bmc(where, document)
    nodes, bmcs = document.get("nodes"), document["bmcs"]
    if not isinstance(nodes, dict) or not isinstance(bmcs, dict):
        raise ConfigInvalid(f"{where}: nodes and bmcs must be mappings")
    if node not in nodes:
        raise ConfigInvalid(f"{where}: nodes: no node {node!r}; see workload.node_name")
    bmc = bmcs.get(nodes[node])
    if not isinstance(bmc, dict):
        raise ConfigInvalid(f"{where}: bmcs: none for node {node!r}")
    return _bmc(where, bmc)


def _bmc(where: str, values: Mapping[object, object]) -> Bmc:
    username, password = values.get("username"), values.get("password")
    endpoint = values.get("endpoint", "")
    if not isinstance(username, str) or not isinstance(password, str) or not username:
        raise ConfigInvalid(f"{where}: username and password must be texts (numbers in quotes)")
    if not isinstance(endpoint, str):
        raise ConfigInvalid(f"{where}: endpoint must be a text: https://HOST")
    return Bmc(endpoint, Credentials(username, password), values.get("insecure") is True)


def _from_csv(path: Path, text: str, node: str) -> Bmc:
    where = f"meter.redfish_credentials: {path}"
    lines = (line for line in text.splitlines() if line.strip() and line[0] != "#")
    try:
        for row in csv.reader(lines, skipinitialspace=True):
            if len(row) != 4:
                raise ConfigInvalid(
                    f"{where}: neither YAML nor lines of node,user,password,host "
                    "(a password with a comma is written in quotes)"
                )
            name, username, password, host = row
            if name.strip() == node and username:
                return Bmc(host.strip(), Credentials(username.strip(), password))
    except csv.Error:
        raise ConfigInvalid(f"{where}: not valid CSV") from None
    raise ConfigInvalid(f"{where}: no line for node {node!r}; see workload.node_name")
