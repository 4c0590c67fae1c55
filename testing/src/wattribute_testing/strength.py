"""How hard our own tests try: briefly on a developer's machine, with all their strength in CI."""

import os
from typing import Final

FULL: Final = os.environ.get("WATTRIBUTE_TESTS") == "full"
"""``.ci/run`` and ``make test FULL=1`` set this: slow tests run, and others repeat more."""

_SHARE: Final = 5
_FEWEST: Final = 5


def examples(full: int) -> int:
    """Say how many examples a property is tried on: ``full`` in CI, a fifth of it elsewhere."""
    return full if FULL else max(_FEWEST, full // _SHARE)
