import json
import re
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from wattribute.automation.scaler.budgets import Budgets
from wattribute.automation.scaler.templates import Templates
from wattribute.core.errors import ConfigInvalid

POLICY = """\
name: reports
namespace: shop
scaleTargetRef: {name: worker}
policy: {policy: intensity, query: queue, target: 5, failOpenReplicas: 4, emissionThreshold: 300,
  region: DE}
"""
SETTINGS = """\
ledger: {prometheus_url: "http://127.0.0.1:1"}
carbon: {location: DE, cache: none}
scaler:
  listen: "127.0.0.1:0"
  json_listen: "127.0.0.1:0"
  policies: policies
  state: budgets.json
  queries: {queue: 'sum(queue{n="$namespace"})'}
"""


def command(*words: str) -> list[str]:
    return [sys.executable, "-m", "wattribute", "scaler", *words]


def test_it_serves_until_a_signal_and_says_where(tmp_path: Path) -> None:
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies" / "reports.yaml").write_text(POLICY)
    (tmp_path / "scaler.yaml").write_text(SETTINGS)
    started = subprocess.Popen(
        command("serve", "--config", "scaler.yaml"),
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert started.stderr is not None
        end_s = time.monotonic() + 60
        address = None
        while address is None and time.monotonic() < end_s:
            address = re.search(r"JSON and metrics at (\S+)", started.stderr.readline())
        assert address is not None
        url = f"http://{address[1]}/api/v1/scale/shop/reports"
        with urllib.request.urlopen(url, timeout=20) as answer:
            body = json.load(answer)
        assert (body["value"], body["reason"]) == (20.0, "fail_open")
        assert "127.0.0.1:1" in body["detail"]
    finally:
        started.send_signal(signal.SIGTERM)
        _, errors = started.communicate(timeout=30)
    assert started.returncode == 0, errors
    assert "Traceback" not in errors


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ("$namespace", "shop", "must contain $namespace"),
        ('"http://127.0.0.1:1"', "prometheus", "ledger.prometheus_url"),
        ("policies: policies", "policies: nowhere.yaml", "nowhere.yaml: cannot be read"),
        ("state: b", "tls_cert: x.pem\n  state: b", "scaler.tls_cert and scaler.tls_key"),
        ("state: b", "token_file: none\n  state: b", "scaler.token_file: none: cannot be read"),
    ],
)
def test_wrong_settings_end_it_in_one_line(
    tmp_path: Path, before: str, after: str, words: str
) -> None:
    (tmp_path / "policies").mkdir()
    (tmp_path / "scaler.yaml").write_text(SETTINGS.replace(before, after))
    done = subprocess.run(
        command("serve", "--config", "scaler.yaml"),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_what_a_budget_has_spent_outlives_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "budgets.json"
    today = int(time.time() // 86_400)
    Budgets(str(path)).save({"shop/reports": (today, 12.5), "shop/old": (today - 9, 1.0)})
    assert Budgets(str(path)).spending_of("shop/reports") == (today, 12.5)
    assert Budgets(str(path)).spending_of("shop/old") == (0, 0.0)
    path.write_text("not JSON")
    assert Budgets(str(path)).spending_of("shop/reports") == (0, 0.0)


@pytest.mark.parametrize("text", ["up", 'up{n="$namespace"} > $other', 'up{n="$namespace"} $'])
def test_a_template_without_its_namespace_or_with_more_is_refused(text: str) -> None:
    with pytest.raises(ConfigInvalid, match=r"scaler\.queries: mine"):
        Templates({"mine": text})


def test_a_template_is_filled_with_names_alone() -> None:
    templates = Templates({"mine": 'q{n="$namespace",w=~"$workload.*"} $$'})
    assert templates.question("mine", "shop", "a.b") == 'q{n="shop",w=~"a.b.*"} $'
    with pytest.raises(ConfigInvalid):
        templates.question("mine", 'shop"} or up{x="', "a")


def test_without_a_file_changed_metadata_still_have_the_old_budget() -> None:
    budgets = Budgets("")
    budgets.save({"shop/reports": (20_000, 3.0)})
    assert budgets.spending_of("shop/reports") == (20_000, 3.0)
