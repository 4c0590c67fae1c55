"""The command line: ``python -m tools.e2e``; exit 0 if all steps passed."""

import argparse
import sys

from tools.chart.package import version
from tools.e2e import steps
from tools.e2e.cluster import Cluster, Failed


def main() -> int:
    """Run the steps, and clean up whatever happens."""
    parser = argparse.ArgumentParser(prog="python -m tools.e2e")
    parser.add_argument("--image", default=f"localhost/wattribute:{version()}", help="NAME:TAG")
    parser.add_argument("--namespace", default="wattribute-e2e", help="made, and deleted after")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE")
    parser.add_argument("--keep", action="store_true", help="leave everything in the cluster")
    given = parser.parse_args()
    flags = tuple(word for value in given.set for word in ("--set", value))
    try:
        run = steps.Run(Cluster(given.namespace), given.image, flags)
    except Failed as exc:
        print(f"e2e: {exc}", file=sys.stderr)
        return 1
    passed = False
    try:
        passed = _all(run)
    finally:
        if not given.keep:
            passed = _clean_up(run) and passed
    print("e2e: passed" if passed else "e2e: failed")
    return 0 if passed else 1


def _clean_up(run: steps.Run) -> bool:
    if not run.made_namespace:
        return True
    gone = _step(run, steps.uninstall)
    try:
        run.cluster.kubectl("delete", "namespace", run.cluster.namespace, "--ignore-not-found")
    except Failed as exc:
        print(f"e2e: {exc}", file=sys.stderr)
    return gone


def _all(run: steps.Run) -> bool:
    for step in steps.STEPS:
        if not _step(run, step):
            _show_why(run)
            return False
    return True


def _step(run: steps.Run, step: "steps.Step") -> bool:
    name = step.__name__.replace("_", " ")
    try:
        said = step(run)
    except Failed as exc:
        print(f"failed  {name}: {exc}", flush=True)
        return False
    print(f"ok      {name}: {said}", flush=True)
    return True


def _show_why(run: steps.Run) -> None:
    """What a person would look at next."""
    for words in (
        ("get", "pods", "--output", "wide"),
        ("get", "events", "--sort-by=.lastTimestamp"),
        ("logs", f"daemonset/{steps.RELEASE}", "--tail=30"),
    ):
        try:
            print(run.cluster.kubectl(*words, "--namespace", run.cluster.namespace))
        except Failed as exc:
            print(exc)


if __name__ == "__main__":
    sys.exit(main())
