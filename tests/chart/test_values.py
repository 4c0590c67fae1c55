"""Which values are accepted, which are not, and what is said of them."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest
import yaml
from jsonschema import Draft7Validator
from tools.chart import CHART, kepler, package, schema, values_page

CASES = Path(__file__).parent / "cases"

Helm = Callable[..., CompletedProcess[str]]


def template(helm: Helm, *flags: str) -> CompletedProcess[str]:
    return helm("template", "wattribute", str(CHART), "--kube-version", "1.34.0", *flags)


def test_lint_finds_nothing(helm: Helm, case: str) -> None:
    flags = [] if case == "defaults" else ["--values", str(CASES / f"{case}.yaml")]

    done = helm("lint", "--strict", str(CHART), *flags)

    assert done.returncode == 0, done.stdout
    assert "[WARNING]" not in done.stdout


@pytest.mark.parametrize(
    ("flag", "said"),
    [
        ("serviceMonitor.enable=true", "enable"),
        ("hostport.enabled=false", "hostport"),
        ("image.pullPolicy=Sometimes", "image.pullPolicy"),
        ("image.digest=abc", "image.digest"),
        ("capabilities.add={ALL}", "capabilities.add"),
        ("config.monitor.intervall=5s", "intervall"),
        ("config.monitors.interval=5s", "monitors"),
        ("config.monitor.interval=soon", "interval"),
        ("config.attribution.idle_policy=fair", "idle_policy"),
        ("config.exporter.listen={9102}", "listen"),
        ("service.port=99999", "service.port"),
        ("serviceMonitor.interval=15", "serviceMonitor.interval"),
        ("daemonset.hostNetwork=true", "hostNetwork"),
        ("scaler.replicas=2", "replicas"),
        ("scaler.config.scaler.querys.a=x", "querys"),
        ("modelServer.replica=2", "replica"),
        ("serve.replicas=2", "replicas"),
        ("serve.config.web.team.a=x", "team"),
        ("modelServer.quarantine.claim=x", "claim"),
    ],
)
def test_a_mistyped_value_stops_the_installation(helm: Helm, flag: str, said: str) -> None:
    done = template(helm, "--set", flag)

    assert done.returncode != 0
    assert said in done.stderr


@pytest.mark.parametrize(
    ("flags", "fix"),
    [
        (["config.monitor.interval=500ms"], "Use 1s or more"),
        (["config.monitor.interval=0.2"], "Use 1s or more"),
        (["config.monitor.interval=0.9s"], "Use 1s or more"),
        (["config.exporter.processes=true"], "webConfig.authenticates=true"),
        (["webConfig.authenticates=true"], "webConfig.existingSecret"),
        (["serviceMonitor.enabled=true", "podMonitor.enabled=true"], "one of the two"),
        (["redfish.enabled=true"], "redfish.existingSecret or"),
        (["redfish.enabled=true", "redfish.fileContent=x", "nonRoot=true"], "nonRoot"),
        (
            ["modelServer.enabled=true", "modelServer.quarantine.enabled=true"],
            "modelServer.existingSecret",
        ),
        (["scaler.enabled=true"], "scaler.config.ledger.prometheus_url"),
        (["serve.enabled=true"], "open to the cluster"),
        (
            ["serve.enabled=true", "serve.config.web.trusted_proxies={10.0.0.5}"],
            "serve.bills.existingClaim",
        ),
        (["kubelet.allowNodesProxy=true"], "config.workload.kube: kubelet"),
        (["image.repository=registry.example.org/x/kepler"], "leave image out"),
    ],
)
def test_what_would_be_unsafe_or_wrong_is_refused_with_its_fix(
    helm: Helm, flags: list[str], fix: str
) -> None:
    done = template(helm, *(word for flag in flags for word in ("--set", flag)))

    assert done.returncode != 0
    assert fix in done.stderr
    assert "panic" not in done.stderr


@pytest.mark.parametrize("interval", ["1", "1s", "1.5", "1000ms", "2m", "10s", "60"])
def test_intervals_of_a_second_or_more_are_accepted(helm: Helm, interval: str) -> None:
    done = template(helm, "--set", f"config.monitor.interval={interval}")

    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("generation", ["kepler-0.8", "kepler-0.11"])
def test_notes_name_each_value_of_keplers_that_has_no_effect(
    helm4: Callable[..., Any], values: Callable[[str], dict[str, Any]], generation: str
) -> None:
    given = values(generation)
    texts = helm4(
        'answer = helm.Chart.load(given["chart"]).render(given["values"], name="wattribute")',
        {"chart": str(CHART), "values": given},
    )
    (notes,) = (text for path, text in texts.items() if path.endswith("NOTES.txt"))

    def has(tree: dict[str, Any], path: str) -> bool:
        first, _, rest = path.partition(".")
        return first in tree and (not rest or has(tree[first], rest))

    expected = {path for path in kepler.ignored("values") if has(given, path)}
    expected |= {
        f"config.{path}" for path in kepler.ignored("config") if has(given.get("config", {}), path)
    }
    said = notes.split("no effect here:", 1)[1].strip().splitlines()
    assert {line.strip().split(": ", 1)[0] for line in said} == expected
    assert len(expected) >= 5


def test_notes_say_nothing_of_kepler_unasked(helm4: Callable[..., Any]) -> None:
    texts = helm4(
        'answer = helm.Chart.load(given["chart"]).render({}, name="wattribute")',
        {"chart": str(CHART)},
    )
    (notes,) = (text for path, text in texts.items() if path.endswith("NOTES.txt"))

    assert "Kepler" not in notes
    assert [line[:2] for line in notes.splitlines() if line[:1].isdigit()] == ["1.", "2.", "3."]


def test_keplers_newer_values_reach_the_pod(helm: Helm) -> None:
    done = template(helm, "--values", str(CASES / "kepler-0.11.yaml"))
    (daemonset,) = (
        manifest
        for manifest in yaml.safe_load_all(done.stdout)
        if manifest and manifest["kind"] == "DaemonSet"
    )
    pod = daemonset["spec"]["template"]["spec"]

    assert pod["tolerations"][0]["key"] == "node-role.kubernetes.io/control-plane"
    assert pod["nodeSelector"] == {"pool": "general"}
    assert pod["serviceAccountName"] == "kepler"
    assert pod["containers"][0]["resources"]["requests"] == {"cpu": "100m", "memory": "128Mi"}
    assert pod["containers"][0]["securityContext"]["privileged"] is False


def test_values_on_the_page_for_users_are_accepted(helm: Helm, tmp_path: Path) -> None:
    page = (CHART.parents[1] / "docs" / "user" / "kubernetes.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```yaml\n(config:.*?)^```", page, re.DOTALL | re.MULTILINE)
    flags = re.findall(r"--set ([a-zA-Z.]+=[^\s`]+)", page)

    assert blocks
    for block in blocks:
        (tmp_path / "values.yaml").write_text(block, encoding="utf-8")
        done = template(helm, "--values", str(tmp_path / "values.yaml"))
        assert done.returncode == 0, done.stderr
    for flag in flags:
        done = template(helm, "--set", flag)
        assert done.returncode == 0, done.stderr


def test_the_page_of_values_is_fresh() -> None:
    page = values_page.PATH.read_text(encoding="utf-8")

    assert page == values_page.render(), "stale: run `make docs`"


def test_the_schema_knows_the_agents_settings() -> None:
    text = schema.PATH.read_text(encoding="utf-8")

    assert text == schema.render(), "stale: run `make docs`"


def test_the_schema_accepts_the_values_of_the_chart_itself() -> None:
    known = json.loads(schema.PATH.read_text(encoding="utf-8"))
    values = yaml.safe_load((CHART / "values.yaml").read_text(encoding="utf-8"))

    errors = [error.message for error in Draft7Validator(known).iter_errors(values)]
    assert not errors, "what is new in values.yaml belongs into values.schema.json"


def test_the_page_names_every_value() -> None:
    page = values_page.render()
    values = yaml.safe_load((CHART / "values.yaml").read_text(encoding="utf-8"))

    for name in values:
        assert f"| `{name}" in page


def test_there_is_one_version() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text(encoding="utf-8"))

    assert chart["version"] == chart["appVersion"] == package.version()
