"""What helm makes of the chart: valid, safe, and as it was."""

import functools
import json
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from wattribute.settings import load

GOLDEN = Path(__file__).parents[1] / "golden" / "chart"
SCHEMAS = Path(__file__).parent / "schemas" / "monitoring.yaml"
HERE = ("operator", "kubelet", "secured", "extras", "model-server", "scaler", "serve")
"""Cases whose manifests are compared with a golden file, besides the defaults."""

Manifest = dict[str, Any]
Render = Callable[..., list[Manifest]]


def of_kind(manifests: list[Manifest], kind: str) -> Manifest:
    (found,) = (manifest for manifest in manifests if manifest["kind"] == kind)
    return found


def pod(manifests: list[Manifest]) -> Manifest:
    return dict(of_kind(manifests, "DaemonSet")["spec"]["template"]["spec"])


def container(manifests: list[Manifest]) -> Manifest:
    (agent,) = pod(manifests)["containers"]
    return dict(agent)


def settings_text(manifests: list[Manifest]) -> str:
    (found,) = (
        manifest["data"]["wattribute.yaml"]
        for manifest in manifests
        if manifest["kind"] == "ConfigMap" and "wattribute.yaml" in manifest["data"]
    )
    return str(found)


@functools.cache
def kubernetes_problem(manifest: str, version: str) -> str | None:
    """What the API's own schema says against a manifest; strict: no unknown field."""
    validate = pytest.importorskip("kubernetes_validate", reason="`make chart-tools` fetches it")
    validate.utils.schema_contents = schema_contents(validate.utils.schema_contents)
    try:
        validate.validate(json.loads(manifest), version, strict=True)
    except validate.ValidationError as exc:
        return f"{'/'.join(map(str, exc.path))}: {exc.message}"
    return None


@functools.cache
def schema_contents(original: Callable[..., Any]) -> Callable[..., Any]:
    """The schemas, read once: they are some megabytes."""
    return original if hasattr(original, "cache_info") else functools.cache(original)


@pytest.mark.parametrize("kube", ["1.27", "1.34"])
def test_kubernetes_knows_every_field(render: Render, case: str, kube: str) -> None:
    check_with_kubernetes(render, case, kube)


@pytest.mark.parametrize("kube", ["1.28", "1.29", "1.30", "1.31", "1.32", "1.33", "1.35", "1.37"])
def test_every_version_of_kubernetes_knows_the_defaults(render: Render, kube: str) -> None:
    check_with_kubernetes(render, "defaults", kube)


def check_with_kubernetes(render: Render, case: str, kube: str) -> None:
    for manifest in render(case, f"{kube}.0"):
        if not manifest["apiVersion"].startswith(("monitoring.coreos.com/", "keda.sh/")):
            assert kubernetes_problem(json.dumps(manifest), kube) is None, manifest["kind"]


def test_the_operator_knows_every_field(render: Render, case: str) -> None:
    jsonschema = pytest.importorskip("jsonschema", reason="`make chart-tools` fetches it")
    schemas = yaml.safe_load(SCHEMAS.read_text(encoding="utf-8"))

    for manifest in render(case):
        if manifest["apiVersion"].startswith("monitoring.coreos.com/"):
            schema = {**schemas[manifest["kind"]], "definitions": schemas["definitions"]}
            jsonschema.Draft7Validator(schema).validate(manifest)


@pytest.mark.slow
def test_both_helms_render_the_same(
    render: Render,
    helm4: Callable[[str, Mapping[str, Any]], Any],
    values: Callable[[str], dict[str, Any]],
    case: str,
) -> None:
    chart = Path(__file__).parents[2] / "charts" / "wattribute"
    texts = helm4(
        'answer = helm.Chart.load(given["chart"]).render('
        'given["values"], name="wattribute", namespace="wattribute-system")',
        {"chart": str(chart), "values": values(case)},
    )

    by_four = [
        document
        for path, text in texts.items()
        if not path.endswith("NOTES.txt")
        for document in yaml.load_all(text, Loader=yaml.CSafeLoader)
        if document
    ]

    assert sorted(by_four, key=json.dumps) == sorted(render(case), key=json.dumps)


def brief(manifest: Manifest) -> Manifest:
    """Without what is made elsewhere: dashboards and rules are names here."""
    if manifest["kind"] == "PrometheusRule":
        groups = [group["name"] for group in manifest["spec"]["groups"]]
        return {**manifest, "spec": {"groups": groups}}
    if "-dashboard-" in manifest["metadata"]["name"]:
        return {**manifest, "data": sorted(manifest["data"])}
    return manifest


@pytest.mark.parametrize("name", ["defaults", *HERE])
def test_the_manifests_are_the_golden_ones(render: Render, name: str) -> None:
    golden = GOLDEN / f"{name}.yaml"
    text = yaml.safe_dump_all(map(brief, render(name)), sort_keys=True, width=100)
    if os.environ.get("UPDATE_GOLDEN"):
        golden.write_text(text, encoding="utf-8")

    assert text == golden.read_text(encoding="utf-8"), (
        f"{golden.name} differs; if so meant: UPDATE_GOLDEN=1"
    )


def test_the_agent_understands_its_settings(render: Render, case: str, tmp_path: Path) -> None:
    file = tmp_path / "wattribute.yaml"
    file.write_text(settings_text(render(case)), encoding="utf-8")
    variables = {
        entry["name"]: entry.get("value", "node-1") for entry in container(render(case))["env"]
    }

    settings = load(file, variables, {})

    assert settings.node.meter.sysfs == "/host/sys"
    assert settings.node.activity.procfs == "/host/proc"
    assert settings.node.exporter.listen[0] == ":9102"
    assert settings.node.workload.node_name == "node-1"


def test_no_container_has_more_rights_than_it_needs(render: Render, case: str) -> None:
    if case == "privileged":
        pytest.skip("asked for")
    context = container(render(case))["securityContext"]

    assert context["privileged"] is False
    assert context["allowPrivilegeEscalation"] is False
    assert context["readOnlyRootFilesystem"] is True
    assert context["capabilities"]["drop"] == ["ALL"]
    assert set(context["capabilities"].get("add", [])) <= {"BPF", "PERFMON", "SYS_RESOURCE"}
    assert "hostNetwork" not in pod(render(case))
    assert "hostIPC" not in pod(render(case))


def test_a_privileged_container_has_no_contradictions(render: Render) -> None:
    context = container(render("privileged"))["securityContext"]

    assert context["privileged"] is True
    assert "allowPrivilegeEscalation" not in context  # the API refuses false beside privileged
    assert context["readOnlyRootFilesystem"] is True


def test_the_host_is_mounted_for_reading_only(render: Render, case: str) -> None:
    mounts = {mount["name"]: mount for mount in container(render(case))["volumeMounts"]}

    for name, mount in mounts.items():
        assert mount.get("readOnly") is True or name == "state"
    writable = [v for v in pod(render(case))["volumes"] if v["name"] == "state"]
    assert [v["hostPath"]["path"] for v in writable] in ([], ["/var/lib/wattribute"])


@pytest.mark.parametrize(("kube", "recursive"), [("1.30.4", None), ("1.31.0", "IfPossible")])
def test_mounts_below_are_read_only_where_the_kubelet_can(
    render: Render, kube: str, recursive: str | None
) -> None:
    mounts = {m["name"]: m for m in container(render("defaults", kube))["volumeMounts"]}

    assert mounts["sys"].get("recursiveReadOnly") == recursive


def test_the_kubelets_word_on_gpus_is_mounted_where_there_are_some(render: Render) -> None:
    def mounted(case: str) -> tuple[list[str], list[str]]:
        volumes, mounts = pod(render(case))["volumes"], container(render(case))["volumeMounts"]
        return (
            [v["hostPath"]["path"] for v in volumes if v["name"] == "pod-resources"],
            [m["mountPath"] for m in mounts if m["name"] == "pod-resources"],
        )

    folder = ["/var/lib/kubelet/pod-resources"]
    assert mounted("gpu") == (folder, folder)
    assert mounted("defaults") == ([], [])


def test_credentials_of_bmcs_arrive_whole_and_for_the_agent_alone(
    render: Render, values: Callable[[str], dict[str, Any]]
) -> None:
    manifests = render("redfish")
    (volume,) = (v for v in pod(manifests)["volumes"] if v["name"] == "redfish")

    secret = of_kind(manifests, "Secret")
    assert secret["stringData"] == {"redfish.csv": values("redfish")["redfish"]["fileContent"]}
    assert volume["secret"] == {"secretName": secret["metadata"]["name"], "defaultMode": 0o400}
    meter = yaml.safe_load(settings_text(manifests))["meter"]
    assert meter["redfish_credentials"] == "/etc/wattribute/redfish/redfish.csv"


def rules(manifests: list[Manifest]) -> Iterator[Manifest]:
    for manifest in manifests:
        if manifest["kind"] in ("Role", "ClusterRole"):
            yield from manifest["rules"]


def test_rights_in_the_cluster_are_the_least(render: Render, case: str) -> None:
    allowed = {
        ("nodes", "get"),
        ("pods", "list"),
        ("pods", "watch"),
    }
    if case == "kubelet":
        allowed = {("nodes", "get"), ("nodes/pods", "get"), ("nodes/proxy", "get")}

    found = {
        (resource, verb)
        for rule in rules(render(case))
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }

    assert found == (set() if case == "offline" else allowed)
    assert all(rule["apiGroups"] == [""] for rule in rules(render(case)))


def test_nodes_proxy_is_granted_only_when_asked_for(render: Render) -> None:
    found = rules(render("defaults", "1.34.0", "--set", "config.workload.kube=kubelet"))

    assert [rule["resources"] for rule in found] == [["nodes"], ["nodes/pods"]]


def test_a_token_is_mounted_only_for_names(render: Render) -> None:
    assert pod(render("defaults"))["automountServiceAccountToken"] is True
    assert pod(render("offline"))["automountServiceAccountToken"] is False
    assert of_kind(render("defaults"), "ServiceAccount")["automountServiceAccountToken"] is False


def test_the_port_is_on_the_node_without_its_network(render: Render) -> None:
    (on,) = container(render("defaults"))["ports"]
    (off,) = container(render("offline"))["ports"]

    assert on == {"name": "metrics", "containerPort": 9102, "hostPort": 9102, "protocol": "TCP"}
    assert "hostPort" not in off


def test_a_new_series_is_held_for_two_scrapes(render: Render) -> None:
    held = {
        case: yaml.safe_load(settings_text(render(case)))["monitor"]["birth_hold"]
        for case in ("defaults", "operator", "podmonitor")
    }

    assert held == {"defaults": 30, "operator": 180, "podmonitor": 30}


def test_a_scrape_never_takes_longer_than_its_interval(render: Render) -> None:
    (endpoint,) = of_kind(render("podmonitor"), "PodMonitor")["spec"]["podMetricsEndpoints"]

    assert (endpoint["interval"], endpoint["scrapeTimeout"]) == ("5s", "5s")


@pytest.mark.parametrize("kind", ["ServiceMonitor", "PodMonitor"])
def test_the_job_is_wattribute_and_the_instance_the_node(render: Render, kind: str) -> None:
    manifests = render("operator" if kind == "ServiceMonitor" else "podmonitor")
    spec = of_kind(manifests, kind)["spec"]
    (endpoint,) = spec.get("endpoints") or spec["podMetricsEndpoints"]

    assert [rule["targetLabel"] for rule in endpoint["relabelings"]] == ["job", "instance"]
    assert endpoint["relabelings"][0]["replacement"] == "wattribute"
    assert endpoint["relabelings"][1]["sourceLabels"] == ["__meta_kubernetes_pod_node_name"]
    service = of_kind(manifests, "Service")
    labels = (service if kind == "ServiceMonitor" else of_kind(manifests, "DaemonSet"))["metadata"]
    assert spec["selector"]["matchLabels"].items() <= labels["labels"].items()
    assert endpoint["port"] in [port["name"] for port in service["spec"]["ports"]]


def test_objects_of_one_release_have_one_name(render: Render) -> None:
    names = {
        manifest["kind"]: manifest["metadata"]["name"]
        for manifest in render("operator")
        if "-dashboard-" not in manifest["metadata"]["name"]
    }

    assert set(names.values()) == {"wattribute"}
    assert {"DaemonSet", "Service", "ServiceMonitor", "PrometheusRule"} <= names.keys()


def test_rules_come_with_a_monitor_unless_said_otherwise(render: Render) -> None:
    def has(case: str, *flags: str) -> bool:
        manifests = render(case, "1.34.0", *flags)
        return any(manifest["kind"] == "PrometheusRule" for manifest in manifests)

    assert not has("defaults")
    assert has("operator")
    assert has("podmonitor")
    assert has("defaults", "--set", "prometheusRule.enabled=true")
    assert not has("operator", "--set", "prometheusRule.enabled=false")


def test_every_rule_and_dashboard_arrives_as_it_is(render: Render) -> None:
    files = Path(__file__).parents[2] / "charts" / "wattribute" / "files"
    manifests = render("operator")

    groups = of_kind(manifests, "PrometheusRule")["spec"]["groups"]
    assert groups == [
        group
        for path in sorted((files / "rules").glob("*.yaml"))
        for group in yaml.safe_load(path.read_text(encoding="utf-8"))["groups"]
    ]
    boards = {
        name: text
        for manifest in manifests
        if "-dashboard-" in manifest["metadata"]["name"]
        for name, text in manifest["data"].items()
    }
    assert {name: json.loads(text) for name, text in boards.items()} == {
        f"wattribute-{path.name}": json.loads(path.read_text(encoding="utf-8"))
        for path in sorted((files / "dashboards").glob("*.json"))
    }


def model_server(manifests: list[Manifest]) -> dict[str, Manifest]:
    """Its objects by kind."""
    return {
        manifest["kind"]: manifest
        for manifest in manifests
        if manifest["metadata"]["name"] == "wattribute-model-server"
    }


def test_the_model_server_is_there_only_when_asked_for(render: Render) -> None:
    assert model_server(render("defaults")) == {}
    kinds = model_server(render("model-server")).keys()
    assert kinds == {"Deployment", "Service", "NetworkPolicy"}


def test_the_model_server_has_no_right_at_all(render: Render) -> None:
    spec = model_server(render("model-server"))["Deployment"]["spec"]["template"]["spec"]
    (only,) = spec["containers"]

    assert spec["automountServiceAccountToken"] is False
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert only["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert only["securityContext"]["readOnlyRootFilesystem"] is True
    assert "hostPID" not in spec
    writable = [m["name"] for m in only["volumeMounts"] if not m.get("readOnly")]
    assert writable == ["quarantine", "tmp"]
    policy = model_server(render("model-server"))["NetworkPolicy"]["spec"]
    assert policy["egress"] == []


def test_nobody_takes_the_model_server_for_an_agent(render: Render) -> None:
    manifests = render("model-server")
    labels = model_server(manifests)["Deployment"]["spec"]["template"]["metadata"]["labels"]

    for manifest in manifests:
        if manifest["metadata"]["name"] == "wattribute":
            spec = manifest.get("spec", {})
            selector = spec.get("selector") or spec.get("podSelector") or {}
            wanted = selector.get("matchLabels") or selector
            assert not (wanted and wanted.items() <= labels.items()), manifest["kind"]
    assert model_server(manifests)["Service"]["spec"]["selector"].items() <= labels.items()


def test_the_model_server_understands_its_flags(render: Render) -> None:
    from wattribute.cli.model.serve import serve

    (only,) = model_server(render("model-server"))["Deployment"]["spec"]["template"]["spec"][
        "containers"
    ]
    group, name, *flags = only["args"]

    assert (group, name) == ("model", "serve")
    given = serve.make_context("serve", list(flags)).params
    assert given["listen"] == ":8100"
    assert str(given["token_file"]).endswith("/write-token")
    assert not given["open_reads"]


def test_without_tokens_models_are_open_and_nobody_posts(render: Render) -> None:
    manifests = render("defaults", "1.34.0", "--set", "modelServer.enabled=true")
    spec = model_server(manifests)["Deployment"]["spec"]["template"]["spec"]

    assert spec["containers"][0]["args"] == ["model", "serve", "--listen=:8100", "--open-reads"]


def scaler(manifests: list[Manifest]) -> dict[str, Manifest]:
    """What belongs to the scaler, by kind; of the ConfigMaps the settings."""
    return {
        manifest["kind"]: manifest
        for manifest in manifests
        if manifest["metadata"]["name"] == "wattribute-scaler"
    }


def test_the_scaler_is_there_only_when_asked_for(render: Render) -> None:
    assert scaler(render("defaults")) == {}
    kinds = {"ConfigMap", "Deployment", "Service", "NetworkPolicy"}
    assert scaler(render("scaler")).keys() == kinds


def test_the_scaler_has_no_right_at_all_and_is_probed_by_grpc(render: Render) -> None:
    spec = scaler(render("scaler"))["Deployment"]["spec"]["template"]["spec"]
    (only,) = spec["containers"]
    assert spec["automountServiceAccountToken"] is False
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert only["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert only["securityContext"]["readOnlyRootFilesystem"] is True
    assert only["livenessProbe"]["grpc"] == only["readinessProbe"]["grpc"] == {"port": 9104}
    policy = scaler(render("scaler"))["NetworkPolicy"]["spec"]
    assert policy["ingress"][0]["from"] == [
        {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "keda"}}}
    ]


def test_the_scaler_understands_its_settings_and_policies(render: Render, tmp_path: Path) -> None:
    from wattribute.automation.scaler.policy_file import read_policy_files

    manifests = render("scaler")
    file = tmp_path / "scaler.yaml"
    file.write_text(scaler(manifests)["ConfigMap"]["data"]["scaler.yaml"], encoding="utf-8")
    settings = load(file, {}, {})
    assert (settings.automation.scaler.listen, settings.automation.scaler.json_listen) == (
        ":9104",
        ":9105",
    )
    assert "$namespace" in settings.automation.scaler.queries["queue"]
    (policies,) = (m for m in manifests if m["metadata"]["name"] == "wattribute-scaler-policies")
    folder = tmp_path / "policies"
    folder.mkdir()
    for name, text in policies["data"].items():
        (folder / name).write_text(text, encoding="utf-8")
    assert list(read_policy_files(str(folder))) == ["shop/reports"]


def test_the_example_is_a_policy_that_the_scaler_reads(render: Render) -> None:
    from wattribute.automation.scaler.policy import read_policy

    example = of_kind(render("scaler"), "ScaledObject")
    (trigger,) = example["spec"]["triggers"]
    assert trigger["metadata"]["scalerAddress"] == "wattribute-scaler.wattribute-system:9104"
    policy = read_policy(trigger["metadata"])
    assert policy.dry_run
    assert example["spec"]["fallback"]["replicas"] == policy.fail_open_replicas


def test_with_tls_the_scaler_is_probed_by_https(render: Render) -> None:
    flags = ("--set", "scaler.config.scaler.tls_cert=/etc/wattribute/secrets/tls.crt")
    spec = scaler(render("scaler", "1.34.0", *flags))["Deployment"]["spec"]["template"]["spec"]
    probe = spec["containers"][0]["readinessProbe"]
    assert probe["httpGet"] == {"path": "/healthz", "port": "json", "scheme": "HTTPS"}
