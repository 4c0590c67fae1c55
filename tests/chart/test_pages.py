"""What the pages for users give to Prometheus is what Prometheus takes, and finds the pods."""

import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
PAGES = ("docs/user/kubernetes.md", "docs/user/install.md")


def scrape_config(page: str) -> dict[str, Any]:
    text = (ROOT / page).read_text(encoding="utf-8")
    (block,) = re.findall(r"^```yaml\n(scrape_configs:.*?)^```", text, re.DOTALL | re.MULTILINE)
    return dict(yaml.safe_load(block))


@pytest.mark.parametrize("page", PAGES)
def test_prometheus_accepts_the_configuration_on_the_page(page: str, tmp_path: Path) -> None:
    if not shutil.which("promtool"):
        pytest.skip("no promtool program; Debian package prometheus")
    config = scrape_config(page)
    config["rule_files"] = [str(ROOT / name) for name in config.get("rule_files", ())]
    for job in config["scrape_configs"]:
        job.pop("kubernetes_sd_configs", None)  # Debian's promtool was built without them
    file = tmp_path / "prometheus.yml"
    file.write_text(yaml.safe_dump(config), encoding="utf-8")

    done = subprocess.run(
        ["promtool", "check", "config", str(file)],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip

    assert done.returncode == 0, done.stdout + done.stderr
    assert [job["job_name"] for job in config["scrape_configs"]] == ["wattribute"]


def test_the_configuration_without_the_operator_finds_the_charts_pods(
    render: Callable[..., list[dict[str, Any]]],
) -> None:
    (job,) = scrape_config(PAGES[0])["scrape_configs"]
    keep, instance = job["relabel_configs"]
    (daemonset,) = (one for one in render("defaults") if one["kind"] == "DaemonSet")
    template = daemonset["spec"]["template"]
    (port,) = template["spec"]["containers"][0]["ports"]
    of_pod = {
        "__meta_kubernetes_pod_label_app_kubernetes_io_name": template["metadata"]["labels"][
            "app.kubernetes.io/name"
        ],
        "__meta_kubernetes_pod_container_port_name": port["name"],
    }

    assert keep["action"] == "keep"
    assert re.fullmatch(keep["regex"], ";".join(of_pod[name] for name in keep["source_labels"]))
    assert instance["target_label"] == "instance"
    assert job["kubernetes_sd_configs"][0]["namespaces"]["names"] == [
        daemonset["metadata"]["namespace"]
    ]
