"""kubectl and helm, as a person would call them."""

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from time import monotonic, sleep
from typing import Any, TypeVar

T = TypeVar("T")
ROOT = Path(__file__).resolve().parents[2]


class Failed(Exception):  # noqa: N818 - what a step did, not what a program raised
    """A step did not do what it should; the message says what was seen."""


class Cluster:
    """The cluster of KUBECONFIG, and one namespace of it."""

    def __init__(self, namespace: str) -> None:
        """Find the programs.

        Raises:
            Failed: one is not here.
        """
        self.namespace = namespace
        fetched = ROOT / "build" / "tools" / "helm"
        self._helm = shutil.which("helm") or (str(fetched) if fetched.exists() else "")
        if not self._helm:
            raise Failed("no helm program; install one, or `make chart-tools`")
        if not shutil.which("kubectl"):
            raise Failed("no kubectl program")

    def kubectl(self, *words: str, given: str | None = None) -> str:
        """Its output.

        Raises:
            Failed: it did not work.
        """
        return _run(["kubectl", *words], given)

    def helm(self, *words: str) -> str:
        """Its output, in our namespace.

        Raises:
            Failed: it did not work.
        """
        return _run([self._helm, *words, "--namespace", self.namespace])

    def get(self, *words: str) -> dict[str, Any]:
        """Objects, decoded; in our namespace."""
        text = self.kubectl("get", *words, "--namespace", self.namespace, "--output", "json")
        found: dict[str, Any] = json.loads(text)
        return found

    def page(self, pod: str, path: str = "metrics", port: int = 9102) -> str:
        """What a pod serves, through the API server's proxy."""
        where = f"/api/v1/namespaces/{self.namespace}/pods/{pod}:{port}/proxy/{path}"
        return self.kubectl("get", "--raw", where)

    def can(self, account: str, verb: str, resource: str, *flags: str) -> bool:
        """Whether a ServiceAccount of our namespace has a right in the whole cluster."""
        who = f"system:serviceaccount:{self.namespace}:{account}"
        words = ["kubectl", "auth", "can-i", verb, resource, f"--as={who}", *flags]
        done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
        return done.stdout.strip() == "yes"


def wait(ready: Callable[[], T | None], what: str, timeout_s: float) -> T:
    """The first answer that is not None; asks every two seconds.

    Raises:
        Failed: there was none in time.
    """
    end = monotonic() + timeout_s
    while True:
        answer = ready()
        if answer is not None:
            return answer
        if monotonic() > end:
            raise Failed(f"{what}: not in {timeout_s:g} s")
        sleep(2)


def _run(words: list[str], given: str | None = None) -> str:
    done = subprocess.run(
        words,
        input=given,
        env=os.environ,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    if done.returncode:
        shown = " ".join(words[:6])
        raise Failed(f"{Path(shown).name}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout
