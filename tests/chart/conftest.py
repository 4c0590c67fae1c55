"""Real helm, in two generations, and a folder of values files."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
CHART = ROOT / "charts" / "wattribute"
CASES = Path(__file__).parent / "cases"
CASE_NAMES = ["defaults", *sorted(path.stem for path in CASES.glob("*.yaml"))]
HOW = "`make chart-tools` fetches it"

Manifest = dict[str, Any]


def values_of(case: str) -> list[str]:
    return [] if case == "defaults" else ["--values", str(CASES / f"{case}.yaml")]


def helm_program() -> str:
    """The real helm 3; skips where there is none."""
    fetched = ROOT / "build" / "tools" / "helm"
    found = shutil.which("helm") or (str(fetched) if fetched.exists() else None)
    if not found:
        pytest.skip(f"no helm program; {HOW}")
    return found


@cache
def template(case: str, kube: str = "1.34.0", *flags: str) -> str:
    """What helm 3 renders; the text of all manifests."""
    done = run_helm(
        *("template", "wattribute", str(CHART), "--namespace", "wattribute-system"),
        *("--kube-version", kube, *values_of(case), *flags),
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def run_helm(*words: str, home: Path | None = None) -> subprocess.CompletedProcess[str]:
    """One helm command, which knows neither a cluster nor this user's repositories."""
    environment = {**os.environ, "KUBECONFIG": "/dev/null"}
    if home is not None:
        environment.update({f"HELM_{name}_HOME": str(home) for name in ("CONFIG", "CACHE", "DATA")})
    return subprocess.run(
        [helm_program(), *words],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@cache
def rendered(*words: str) -> list[Manifest]:
    """The same, as values that no test changes."""
    loaded = yaml.load_all(template(*words), Loader=yaml.CSafeLoader)
    return [document for document in loaded if document]


@pytest.fixture(scope="session")
def helm() -> Callable[..., subprocess.CompletedProcess[str]]:
    helm_program()
    return run_helm


@pytest.fixture(scope="session")
def render() -> Callable[..., list[Manifest]]:
    """``render(case, kube="1.34.0", *flags)`` by helm 3."""
    helm_program()
    return rendered


@pytest.fixture(scope="session")
def helm4() -> Callable[[str, Mapping[str, Any]], Any]:
    """``helm4(code, given)``: Python that uses helm 4's engine, in a process of its own.

    The engine is a Go program in a library, whose threads this process must not have.
    """
    pytest.importorskip("helm_python", reason=f"no package helm-python-sdk; {HOW}")

    def call(code: str, given: Mapping[str, Any]) -> Any:
        lead = "import json, sys\nimport helm_python as helm\ngiven = json.load(sys.stdin)\n"
        done = subprocess.run(
            [sys.executable, "-c", f"{lead}{code}\njson.dump(answer, sys.stdout)"],
            input=json.dumps(given),
            env={**os.environ, "KUBECONFIG": "/dev/null"},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return call


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test that takes ``case`` runs for each values file."""
    if "case" in metafunc.fixturenames:
        metafunc.parametrize("case", CASE_NAMES)


@pytest.fixture
def values() -> Callable[[str], dict[str, Any]]:
    def read(case: str) -> dict[str, Any]:
        if case == "defaults":
            return {}
        return dict(yaml.safe_load((CASES / f"{case}.yaml").read_text(encoding="utf-8")))

    return read
