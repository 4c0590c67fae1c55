"""Write the boards: ``dashboards/*.json``, and the same bytes into the chart.

python -m tools.dashboards            # from the tree's root
python -m tools.dashboards --check    # changes nothing; exit 1 when a file is stale
"""

import argparse
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from tools.dashboards import cluster, cost, gpu, inference, namespace, node

ROOT: Final = Path(__file__).resolve().parents[2]
FOLDERS: Final = (ROOT / "dashboards", ROOT / "charts/wattribute/files/dashboards")
BOARDS: Final = tuple(module.BOARD for module in (cluster, namespace, node, gpu, cost, inference))


def rendered() -> Mapping[str, str]:
    """File name to text of every board."""
    return {
        f"{board.name}.json": json.dumps(board.json(), indent=1, ensure_ascii=False) + "\n"
        for board in BOARDS
    }


def stale(boards: Mapping[str, str]) -> list[Path]:
    """Files that are missing, differ, or belong to no board."""
    found = []
    for folder in FOLDERS:
        there = {path.name: path.read_text(encoding="utf-8") for path in folder.glob("*.json")}
        names = sorted(there.keys() | boards.keys())
        found += [folder / name for name in names if there.get(name) != boards.get(name)]
    return found


def main() -> int:
    """Write what is stale, or say it."""
    parser = argparse.ArgumentParser(prog="python -m tools.dashboards")
    parser.add_argument("--check", action="store_true", help="change nothing")
    check = parser.parse_args().check
    boards = rendered()
    paths = stale(boards)
    for path in paths:
        name = path.relative_to(ROOT)
        if check:
            print(f"{name}: stale; run `make dashboards`", file=sys.stderr)
        elif path.name in boards:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(boards[path.name], encoding="utf-8")
            print(f"{name}: written")
        else:
            path.unlink()
            print(f"{name}: removed")
    return 1 if check and paths else 0


if __name__ == "__main__":
    sys.exit(main())
