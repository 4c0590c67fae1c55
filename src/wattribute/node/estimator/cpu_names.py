"""Turn CPU names of kernels, vendors and clouds into one key per CPU model.

``Intel(R) Xeon(R) Platinum 8259CL CPU @ 2.50GHz`` becomes ``xsp-8259cl``. A name without a model
("AMD EPYC", "Intel Xeon Processor (Skylake)") has no key.
"""

import re
from typing import Final

_MARKS: Final = re.compile(r"\((?:r|tm|c)\)|[®™©]", re.IGNORECASE)

_RULES: Final = tuple(
    (re.compile(pattern), template)
    for pattern, template in (
        (r"\bxeon\b.{0,12}\b(6\d{3}[pe]\+?)(?![\da-z])", "x6-{0}"),
        # Xeon Scalable: four digits after a tier; clouds also write "Skylake P-8175"
        (r"\b(?:platinum|gold|silver|bronze)\s*p?-?([3-9]\d{3}[a-z]{0,2}\+?)(?![\da-z])",
         "xsp-{0}"),
        (r"lake p-(8\d{3}[a-z]{0,2})\b", "xsp-{0}"),
        (r"\bxeon.{0,20}\bmax\s*(9\d{3}[a-z]?)\b", "xmax-{0}"),
        (r"\b(e[357])[- ]?(\d{4}[a-z]{0,2}?)\s*-?(v\d)?\b", "{0}-{1}{2}"),
        (r"\bxeon\b.{0,20}\b(e|w|w3|w5|w7|w9)-(\d{4}[a-z]{0,3})\b", "{0}-{1}"),
        (r"\bxeon\b.{0,20}\bd-(\d{4}[a-z]{0,3})\b", "xd-{0}"),
        (r"\bxeon\s*(8\d{3}[a-z]{0,2}\+?)(?![\da-z])", "xsp-{0}"),
        (r"\b([lxew]\d{4}[a-z]?)\b", "{0}"),
        (r"\bxeon\b.{0,20}\b(\d{4}[a-z]{0,2})\b", "xeon-{0}"),
        (r"\bepyc\b[^\d]{0,20}(\d[a-z0-9]{3}[a-z]{0,2})\b", "epyc-{0}"),
        (r"\bopteron\b[^\d]{0,20}(\d{3,4})\s*(he|ee|se)?\b", "opteron-{0}{1}"),
        (r"\b([qm]\d{2,3}-\d{2})\b", "altra-{0}"),
        (r"\bgraviton\s*(\de?)?", "graviton{0}"),
        (r"\bthreadripper\b[^\d]{0,8}(\d{4}[a-z]{0,2})\b", "threadripper-{0}"),
        (r"\bryzen\s*\d?[^\d]{0,8}(\d{4}[a-z0-9]{0,3})\b", "ryzen-{0}"),
        (r"\bcore\b[^\d]{0,10}(i[3579])[- ]?(\d{3,5}[a-z]{0,2}\d?)\b", "{0}-{1}"),
        (r"\b(axion|grace|cobalt)\b", "{0}"),
    )
)  # fmt: skip
"""The rules are tried in this order; the first match names the CPU."""

_GHZ: Final = re.compile(r"@\s*(\d{1,2}\.\d{1,3})\s*ghz|\b(\d\.\d{1,3})\s*ghz\b")


def cpu_key(name: str) -> str:
    """Return the key of the CPU model in a name; "" if the name contains no model."""
    text = _plain(name)
    for pattern, template in _RULES:
        if match := pattern.search(text):
            return template.format(*(group or "" for group in match.groups()))
    return ""


def family_of(key: str) -> str:
    """Return the product line of a key: ``xsp-8``, ``epyc-7``, ``e5``."""
    match = re.match(r"(xsp-\d|epyc-\d|opteron-\d|xd-\d|e-\d|[a-z]\d(?=-)|[a-z]+)", key)
    return match[0] if match else ""


def base_key(key: str) -> str:
    """Return the key without the letter of single-socket CPUs: a 9654P is a 9654."""
    return re.sub(r"(?<=\d)p$", "", key) if key.startswith("epyc-") else key


def ghz_in(name: str) -> float:
    """Return the clock in GHz that a name contains ("@ 2.50GHz"); 0 if there is none."""
    match = _GHZ.search(_plain(name))
    return float(match[1] or match[2]) if match else 0.0


def _plain(name: str) -> str:
    return " ".join(_MARKS.sub(" ", name[:200]).lower().split())
