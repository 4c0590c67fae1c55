"""What is in an image: its Python packages and Debian's, as CycloneDX 1.6 on standard output.

    python -m tools.sbom SITE_PACKAGES

Runs while the image is built, with nothing but the standard library. Format: CycloneDX 1.6
(ECMA-424); package URLs: the types `pypi` and `deb` of the purl specification.
"""

import json
import re
import sys
import uuid
from collections.abc import Iterator
from email.parser import HeaderParser
from importlib.metadata import Distribution, distributions
from pathlib import Path
from typing import Any
from urllib.parse import quote

_DPKG = Path("/var/lib/dpkg/status")
_RELEASE = Path("/etc/os-release")


def main() -> int:
    """Print the document; the exit code."""
    if len(sys.argv) != 2:
        print("usage: python -m tools.sbom SITE_PACKAGES", file=sys.stderr)
        return 2
    found = [*_python(sys.argv[1]), *_debian()]
    (agent,) = (component for component in found if component["name"] == "wattribute")
    found.remove(agent)
    found.sort(key=lambda component: str(component["bom-ref"]))
    body = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": {**agent, "type": "application"}},
        "components": found,
    }
    # The same contents give the same number.
    serial = uuid.uuid5(uuid.NAMESPACE_URL, json.dumps(body, sort_keys=True))
    json.dump({**body, "serialNumber": f"urn:uuid:{serial}"}, sys.stdout, indent=1)
    return 0


def _python(folder: str) -> Iterator[dict[str, Any]]:
    for distribution in distributions(path=[folder]):
        name = re.sub(r"[-_.]+", "-", distribution.name).lower()
        yield _component(name, distribution.version, f"pkg:pypi/{name}", _licence(distribution))


def _licence(distribution: Distribution) -> str:
    """As the package says it: an SPDX expression where there is one."""
    said = distribution.metadata.get("License-Expression") or distribution.metadata.get("License")
    lines = (said or "").strip().splitlines()
    return lines[0][:100] if len(lines) == 1 else ""


def _debian() -> Iterator[dict[str, Any]]:
    if not _DPKG.exists():
        return
    release = dict(
        line.replace('"', "").split("=", 1)
        for line in _RELEASE.read_text(encoding="utf-8").splitlines()
        if "=" in line
    )
    for paragraph in _DPKG.read_text(encoding="utf-8", errors="replace").split("\n\n"):
        fields = HeaderParser().parsestr(paragraph)
        if fields["Status"] == "install ok installed":
            name, architecture = fields["Package"], fields["Architecture"]
            yield _component(
                name,
                fields["Version"],
                f"pkg:deb/{release['ID']}/{quote(name)}",
                qualifiers=f"?arch={architecture}&distro={release['ID']}-{release['VERSION_ID']}",
            )


def _component(
    name: str, version: str, url: str, licence: str = "", qualifiers: str = ""
) -> dict[str, Any]:
    address = f"{url}@{quote(version, safe='')}{qualifiers}"
    component: dict[str, Any] = {
        "type": "library",
        "bom-ref": address,
        "name": name,
        "version": version,
        "purl": address,
    }
    if licence:
        component["licenses"] = [{"license": {"name": licence}}]
    return component


if __name__ == "__main__":
    sys.exit(main())
