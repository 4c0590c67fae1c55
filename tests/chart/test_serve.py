"""The optional Deployment of the pages, and the CronJob that fills the ledger."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from wattribute.settings import load

Manifest = dict[str, Any]
Render = Callable[..., list[Manifest]]


def named(manifests: list[Manifest]) -> dict[str, Manifest]:
    """What belongs to the pages, by kind and rest of the name."""
    return {
        manifest["kind"] + manifest["metadata"]["name"].removeprefix("wattribute-serve"): manifest
        for manifest in manifests
        if manifest["metadata"]["name"].startswith("wattribute-serve")
    }


def pods(manifests: list[Manifest]) -> list[Manifest]:
    found = named(manifests)
    job = found["CronJob-collect"]["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    return [found["Deployment"]["spec"]["template"]["spec"], job]


def test_it_is_there_only_when_asked_for(render: Render) -> None:
    assert named(render("defaults")) == {}
    assert named(render("serve")).keys() == {
        *("ConfigMap", "PersistentVolumeClaim-ledger", "Deployment", "Service"),
        *("CronJob-collect", "NetworkPolicy", "NetworkPolicy-collect"),
    }


def test_neither_pod_has_any_right(render: Render) -> None:
    for spec in pods(render("serve")):
        (only,) = spec["containers"]
        assert spec["automountServiceAccountToken"] is False
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert only["securityContext"]["capabilities"] == {"drop": ["ALL"]}
        assert only["securityContext"]["readOnlyRootFilesystem"] is True
        assert only["securityContext"]["allowPrivilegeEscalation"] is False


def test_the_pages_only_read_and_the_job_writes_the_ledger_on_their_node(render: Render) -> None:
    pages, job = pods(render("serve"))
    mounts = [
        {
            mount["name"]: mount.get("readOnly", False)
            for mount in pod["containers"][0]["volumeMounts"]
        }
        for pod in (pages, job)
    ]
    assert mounts[0] == {
        "settings": True, "secrets": True, "ledger": True, "bills": True, "tmp": False,
    }  # fmt: skip
    assert mounts[1] == {"settings": True, "secrets": True, "ledger": False, "tmp": False}
    (term,) = job["affinity"]["podAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
    labels = named(render("serve"))["Deployment"]["spec"]["template"]["metadata"]["labels"]
    assert term["labelSelector"]["matchLabels"].items() <= labels.items()


def test_the_pages_reach_nothing_and_the_job_reaches_prometheus(render: Render) -> None:
    found = named(render("serve"))
    assert found["NetworkPolicy"]["spec"]["egress"] == []
    assert found["NetworkPolicy-collect"]["spec"]["ingress"] == []
    ports = found["NetworkPolicy-collect"]["spec"]["egress"][1]["ports"]
    assert {"port": 9090, "protocol": "TCP"} in ports


def test_the_settings_are_understood(render: Render, tmp_path: Path) -> None:
    file = tmp_path / "serve.yaml"
    file.write_text(named(render("serve"))["ConfigMap"]["data"]["serve.yaml"])
    settings = load(file, {}, {})
    assert settings.accounting.web.listen == ":9103"
    assert settings.accounting.web.bills[0] == "/var/lib/wattribute/bills/*.parquet"
    assert settings.accounting.bills.budgets[0].owner == "marketing"


def test_a_ledger_in_an_object_store_needs_no_claim(render: Render) -> None:
    flags = ("--set", "serve.config.ledger.path=s3://ledger/prod")
    found = named(render("serve", "1.34.0", *flags))
    assert "PersistentVolumeClaim-ledger" not in found
    _, job = pods(render("serve", "1.34.0", *flags))
    assert "affinity" not in job


@pytest.mark.parametrize("tls", ["true", "false"])
def test_probes_speak_what_the_service_speaks(render: Render, tls: str) -> None:
    pages, _ = pods(render("serve", "1.34.0", "--set", f"serve.tls={tls}"))
    for probe in ("livenessProbe", "readinessProbe"):
        scheme = pages["containers"][0][probe]["httpGet"]["scheme"]
        assert scheme == ("HTTPS" if tls == "true" else "HTTP")
