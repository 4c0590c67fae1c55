"""Check the tree, and say what to do where it is not tidy.

python -m tools.tidy             # exit 1 when a rule is broken
python -m tools.tidy --all       # show the offences of known.toml as well
python -m tools.tidy --shrink    # write known.toml again, with today's lower numbers
"""

import argparse
import gc
import sys
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Final

from tools.tidy import ratchet
from tools.tidy.rules import RULES
from tools.tidy.tree import Offence, Tree

ROOT: Final = Path(__file__).resolve().parents[2]


def main() -> int:
    """Run what the arguments say; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tools.tidy")
    parser.add_argument("--all", action="store_true", help="show known offences too")
    parser.add_argument("--shrink", action="store_true", help="write known.toml again")
    arguments = parser.parse_args()
    gc.disable()  # a million syntax nodes and no garbage: looking for it takes half of the time
    tree = Tree.of_checkout(ROOT)
    offences = {rule.name: sorted(rule.find(tree)) for rule in RULES}
    counts = ratchet.count(offences)
    known = ratchet.read()
    if arguments.shrink:
        known, grown = ratchet.shrink(known, counts)
        ratchet.PATH.write_text(ratchet.render(known), encoding="utf-8")
        for name in grown:
            print(f"{name}: more offences than known.toml lists, so its entries stay")
    outgrown = ratchet.outgrown(known, counts)
    outdated = ratchet.outdated(known, counts)
    _show(offences, counts if arguments.all else outgrown)
    for name, paths in outgrown.items():
        for path in paths:
            if allowed := known.get(name, {}).get(path):
                print(f"{name} in {path}: {allowed} listed in known.toml, {counts[name][path]} now")
    for entry in outdated:
        print(f"{entry}; run `make tidy-shrink`, and commit known.toml")
    total = sum(sum(files.values()) for files in known.values())
    print(f"tidy: {len(tree.texts)} files, {len(RULES)} rules, {total} known offences")
    return 1 if outdated or any(outgrown.values()) else 0


def _show(
    offences: Mapping[str, Sequence[Offence]], wanted_paths: Mapping[str, Collection[str]]
) -> None:
    """Print the offences in these files, below what to do about each kind."""
    for rule in RULES:
        if wanted_paths[rule.name]:
            print(f"\n{rule.name}: {rule.remedy}")
            for offence in offences[rule.name]:
                if offence.path in wanted_paths[rule.name]:
                    print(f"  {offence}")


if __name__ == "__main__":
    sys.exit(main())
