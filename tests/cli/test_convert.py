import json
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from wattribute.settings import load

HERE = Path(__file__).parent / "kepler"

Call = Callable[..., tuple[int, str, str]]


def _written(text: str, folder: Path) -> str:
    path = folder / "kepler.txt"
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_every_key_of_the_newer_kepler_is_turned_or_named_as_dropped(
    call: Call, tmp_path: Path
) -> None:
    code, out, err = call("dev", "convert-config", str(HERE / "new.yaml"))

    assert code == 0
    assert yaml.safe_load(out) == {
        "log": {"level": "warning", "format": "json"},
        "meter": {
            "sysfs": "/host/sys",
            "use": ["auto"],
            "redfish_credentials": "/etc/kepler/redfish.yaml",
        },
        "activity": {"procfs": "/host/proc"},
        "monitor": {"interval": "3s"},
        "exporter": {
            "processes": True,
            "web_config": "/etc/kepler/web.yml",
            "listen": [":28282", "[::1]:28282"],
            "metrics": "kepler-0.11",
        },
        "workload": {"kube": "auto", "node_name": "worker-1"},
        "attribution": {"idle_watts": {"gpu": 25.0}},
    }
    dropped = [line for line in err.splitlines() if line.startswith("dropped: ")]
    assert len(dropped) == 21
    assert all(line.count(": ") >= 2 for line in dropped)
    assert "not a key of Kepler's" not in err
    assert "dropped: monitor.staleness: a scrape never collects" in err
    assert "note: Kepler reads the first meter that works" in err
    assert load(Path(_written(out, tmp_path)), {}, {}).node.monitor.interval == 3


def test_a_config_map_of_the_older_kepler(call: Call) -> None:
    code, out, err = call("dev", "convert-config", str(HERE / "configmap-old.yaml"))

    assert code == 0
    assert yaml.safe_load(out) == {
        "log": {"level": "debug"},
        "meter": {"redfish_interval": 60},
        "exporter": {"listen": ["0.0.0.0:9102"], "processes": True, "metrics": "kepler-0.9"},
    }
    assert "dropped: MODEL_CONFIG: models of our own format only" in err
    assert "dropped: METRIC_PATH: that is where they are" in err
    assert "not a key of Kepler's" not in err


def test_the_environment_of_the_older_kepler(call: Call) -> None:
    code, out, err = call("dev", "convert-config", str(HERE / "old.env"))

    assert code == 0
    assert yaml.safe_load(out) == {
        "monitor": {"interval": 3},
        "meter": {"sysfs": "/host/sys"},
        "activity": {"procfs": "/host/proc"},
        "workload": {"kube": "off"},
        "exporter": {"metrics": "kepler-0.9"},
    }
    assert "dropped: NOT_OF_KEPLER: not a key of Kepler's" in err
    assert "note: Kepler listens on all addresses" in err


def test_a_config_map_that_holds_the_newer_yaml(call: Call, tmp_path: Path) -> None:
    text = (
        "kind: ConfigMap\ndata:\n  config.yaml: |\n    log: {level: debug}\n"
        '    kube: {enabled: "true"}\n'
    )

    _, out, err = call("dev", "convert-config", _written(text, tmp_path))

    assert yaml.safe_load(out)["log"] == {"level": "debug"}
    assert yaml.safe_load(out)["workload"] == {"kube": "auto"}
    assert 'exporter.listen: [":28282"]' in err


def test_a_value_that_we_do_not_allow_is_dropped_with_the_reason(
    call: Call, tmp_path: Path
) -> None:
    text = (
        "monitor: {interval: 0s}\nlog: {level: loud}\ncpu: {preferredMeters: [fake]}\n"
        "experimental: {gpu: {idlePower: lots}}\n"
    )

    code, out, err = call("dev", "convert-config", _written(text, tmp_path))

    assert code == 0
    assert yaml.safe_load(out) == {"exporter": {"metrics": "kepler-0.11"}}
    assert "dropped: monitor.interval: " in err
    assert "at least 0.2" in err
    assert "one of debug, info, warning, error" in err
    assert "dropped: cpu.preferredMeters: instead of a fake meter" in err
    assert "dropped: experimental.gpu.idlePower: 'lots' is not a number" in err


def test_one_preferred_meter_stays_a_choice(call: Call, tmp_path: Path) -> None:
    path = _written("cpu: {preferredMeters: [hwmon]}\n", tmp_path)

    assert yaml.safe_load(call("dev", "convert-config", path)[1])["meter"] == {"use": ["hwmon"]}


def test_all_in_one_json_object(call: Call) -> None:
    code, out, err = call("dev", "convert-config", "--json", str(HERE / "old.env"))

    body = json.loads(out)
    assert (code, err) == (0, "")
    assert body["settings"]["workload"] == {"kube": "off"}
    assert body["dropped"]["KUBE_CONFIG"]


@pytest.mark.parametrize("text", ["[1, 2]", "kind: ConfigMap", "a: [", "just words"])
def test_what_is_no_configuration_is_one_line(text: str, call: Call, tmp_path: Path) -> None:
    code, out, err = call("dev", "convert-config", _written(text, tmp_path))

    assert (code, out) == (2, "")
    assert err.count("\n") == 1


def test_a_file_that_is_not_there_is_a_usage_error(call: Call) -> None:
    assert call("dev", "convert-config", "no/such.yaml")[0] == 2


def test_the_bmc_of_both_generations(call: Call, tmp_path: Path) -> None:
    new = (
        "experimental: {platform: {redfish: {enabled: true, nodeName: n1, httpTimeout: 5s, "
        "configFile: /etc/bmc.yaml}}}\n"
    )
    _, out, err = call("dev", "convert-config", _written(new, tmp_path))
    assert yaml.safe_load(out)["meter"] == {"redfish_credentials": "/etc/bmc.yaml"}
    assert "nodeName: one name for all: workload.node_name" in err
    assert "dropped: experimental.platform.redfish.enabled: on where" in err
    assert "httpTimeout: a BMC is asked apart from the loop" in err

    old = tmp_path / "bmc.env"
    old.write_text(
        "REDFISH_CRED_FILE_PATH=/etc/redfish.csv\nREDFISH_PROBE_INTERVAL_IN_SECONDS=60\n"
        "REDFISH_SKIP_SSL_VERIFY=true\n"
    )
    _, out, err = call("dev", "convert-config", str(old))
    assert "REDFISH_SKIP_SSL_VERIFY: certificates are verified" in err
    assert yaml.safe_load(out)["meter"] == {
        "redfish_credentials": "/etc/redfish.csv",
        "redfish_interval": 60,
    }
