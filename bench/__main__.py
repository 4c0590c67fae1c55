"""``python -m bench``: measure everything, print one table, and write it as JSON if asked."""

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from rich.console import Console

from bench import (
    churn,
    collect,
    conservation,
    cost,
    gpu,
    kube,
    scaler,
    scrape,
    statement,
    switches,
)
from bench.accuracy import agents
from bench.agent import AgentFailed
from bench.figure import Figure, print_table, unmeasured, write_json
from wattribute.core.errors import WattributeError

_SECTIONS: Final[dict[str, Callable[[float], Iterator[Figure]]]] = {
    "churn": churn.run,
    "conservation": conservation.run,
    "accuracy": agents.run,
    "cost": cost.run,
    "switch": switches.run,
    "scrape": scrape.run,
    "collect": collect.run,
    "kube": kube.run,
    "scaler": scaler.run,
    "gpu": gpu.run,
    "statement": statement.run,
}
_WINDOW_S: Final = 60.0
_QUICK_S: Final = 15.0


def main() -> int:
    """0 when no target was missed, else 1."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("sections", nargs="*", metavar="SECTION",
                        help=f"of {', '.join(_SECTIONS)}; without any: all")  # fmt: skip
    parser.add_argument("--quick", action="store_true",
                        help=f"windows of {_QUICK_S:g} s instead of {_WINDOW_S:g}: for trying, the "
                        "targets are for the long ones")  # fmt: skip
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there, too")
    options = parser.parse_args()
    if unknown := [name for name in options.sections if name not in _SECTIONS]:
        parser.error(f"no section {unknown[0]}; there are {', '.join(_SECTIONS)}")
    window_s = _QUICK_S if options.quick else _WINDOW_S
    progress = Console(stderr=True)
    figures: list[Figure] = []
    start = time.monotonic()
    for name in options.sections or _SECTIONS:
        progress.print(f"[dim]{time.monotonic() - start:5.0f} s  {name} ...")
        try:
            for figure in _SECTIONS[name](window_s):
                figures.append(figure)
                progress.print(f"[dim]         {figure.name}: {figure.value} {figure.result}")
        except (AgentFailed, WattributeError) as exc:
            figures.append(unmeasured(name, "the whole section", "", str(exc)))
    print_table(Console(width=max(120, Console().width)), figures)
    if options.json:
        write_json(options.json, figures, window_s=window_s)
    return 1 if any(figure.met is False for figure in figures) else 0


if __name__ == "__main__":
    sys.exit(main())
