"""Turn instance types of clouds into names of hosts in the artefact's table."""

import re
from typing import Final

_AWS: Final = re.compile(
    r"^([a-z][a-z0-9-]{0,15})\.(?:metal|\d{0,3}x?large|nano|micro|small|medium)"
)
_AZURE: Final = re.compile(
    r"^(?:standard_)?([a-z]{1,4})\d{1,3}(?:-\d{1,3})?([a-z]{0,4})(?:[_ ]v(\d))?$"
)
_GCP: Final = re.compile(r"^([a-z][a-z0-9]{1,3})-([a-z]{3,8})")


def family_names(instance_type: str) -> list[str]:
    """Return names to look up, best first: ``aws:m5``, ``azure:ds_v3``, ``gcp:n2-standard``."""
    text = instance_type.strip().lower()[:64]
    if match := _AWS.match(text):
        return [f"aws:{match[1]}"]
    if match := _GCP.match(text):
        return [f"gcp:{match[1]}-{match[2]}", f"gcp:{match[1]}"]
    if match := _AZURE.match(text):
        version = f"_v{match[3]}" if match[3] else ""
        return [f"azure:{match[1]}{match[2]}{version}", f"azure:{match[1]}{version}"]
    return []
