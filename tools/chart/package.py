"""The chart's archive, and the index that makes a folder of archives a Helm repository.

The same files give the same bytes, whoever packs them and when; neither helm nor a network is
needed. The layout is that of `helm package` and `helm repo index` (Helm's chart documentation).
"""

import gzip
import hashlib
import io
import re
import tarfile
import tomllib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml
from tools.chart import CHART, ROOT

_FILES = ("Chart.yaml", "values.yaml", "values.schema.json", ".helmignore", "README.md")
_FOLDERS = {"templates": ("*.yaml", "*.tpl", "*.txt"), "files": ("*.yaml", "*.json")}


def version() -> str:
    """The one version: that of pyproject.toml."""
    with (ROOT / "pyproject.toml").open("rb") as file:
        return str(tomllib.load(file)["project"]["version"])


def package(folder: Path, repository: str = "", digest: str = "") -> Path:
    """Write ``wattribute-VERSION.tgz``, and return its path.

    Args:
        folder: Where it goes; made if it is not there.
        repository: Becomes the default of ``image.repository``, for a chart that is given away.
        digest: Becomes that of ``image.digest``.
    """
    name = f"wattribute-{version()}.tgz"
    contents = {path: (CHART / path).read_bytes() for path in _members()}
    contents["Chart.yaml"] = _stamped(contents["Chart.yaml"])
    contents["values.yaml"] = _released(contents["values.yaml"], repository, digest)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(archive(contents))
    return folder / name


def write_index(folder: Path) -> Path:
    """Write ``index.yaml`` over all archives in the folder; addresses are relative to its own."""
    entries = sorted((_entry(path) for path in folder.glob("*.tgz")), key=_order, reverse=True)
    index = {
        "apiVersion": "v1",
        "entries": {"wattribute": entries},
        "generated": max(entry["created"] for entry in entries),
    }
    path = folder / "index.yaml"
    path.write_text(yaml.safe_dump(index), encoding="utf-8")
    return path


def _members() -> list[str]:
    found = [name for name in _FILES if (CHART / name).exists()]
    for folder, patterns in _FOLDERS.items():
        for pattern in patterns:
            found += [str(path.relative_to(CHART)) for path in (CHART / folder).rglob(pattern)]
    return sorted(found)


def _stamped(chart: bytes) -> bytes:
    """Chart.yaml with the one version."""
    text = re.sub(r"(?m)^((?:app)?[vV]ersion): .*", rf"\g<1>: {version()}", chart.decode())
    return text.encode()


def _released(values: bytes, repository: str, digest: str) -> bytes:
    text = values.decode()
    for key, given in (("repository", repository), ("digest", digest)):
        if given and not re.fullmatch(r"[-._:/@a-zA-Z0-9]+", given):
            raise SystemExit(f"--{key} {given!r}: not a name of an image")
        if given:
            text = re.sub(rf"(?m)^(  {key}): .*", rf"\g<1>: {given}", text, count=1)
    return text.encode()


def archive(contents: dict[str, bytes]) -> bytes:
    """Pack the files of a chart, by their path in it, the same bytes each time."""
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for path, data in contents.items():
            member = tarfile.TarInfo(f"wattribute/{path}")
            member.size, member.mode = len(data), 0o644
            tar.addfile(member, io.BytesIO(data))
    return gzip.compress(raw.getvalue(), mtime=0)


def _entry(path: Path) -> dict[str, Any]:
    with tarfile.open(path) as tar:
        member = tar.extractfile("wattribute/Chart.yaml")
        if member is None:
            raise SystemExit(f"{path}: not this chart's archive")
        chart: dict[str, Any] = yaml.safe_load(member.read())
    made = datetime.fromtimestamp(path.stat().st_mtime, UTC).isoformat(timespec="seconds")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return {**chart, "created": made, "digest": digest, "urls": [path.name]}


def _order(entry: dict[str, Any]) -> list[tuple[int, str]]:
    """Numbers as numbers: 0.10.0 is newer than 0.9.0."""
    parts = re.split(r"[.+-]", str(entry["version"]))
    return [(int(part) if part.isdigit() else -1, part) for part in parts]
