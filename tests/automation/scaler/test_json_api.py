import json
import ssl
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from wattribute.automation.scaler.engine import Reference, ScalingEngine
from wattribute.automation.scaler.json_api import JsonApi
from wattribute.automation.scaler.signals import Signals
from wattribute.automation.settings import ScalerSettings
from wattribute_testing.kube.authority import Authority
from wattribute_testing.waiting import wait_until

QUERIES = {"queue": 'sum(queue{exported_namespace="$namespace"})'}
METADATA = {
    "policy": "intensity",
    "query": "queue",
    "target": "5",
    "failOpenReplicas": "3",
    "region": "DE",
    "emissionThreshold": "200",
    "handler": "scaleDown",
    "wattsPerReplica": "100",
    "unitsPerReplicaHour": "10",
    "minDwellMinutes": "0",
}


class Sky:
    """Intensity that the test sets."""

    g_per_kwh = 400.0

    def signals(self, place: str, *, forecast: bool = False, wait_s: float = 0.0) -> Signals:
        del place, forecast, wait_s
        return Signals(self.g_per_kwh)

    def values(self) -> dict[str, float]:
        return {"DE": self.g_per_kwh}


@pytest.fixture
def sky() -> Sky:
    return Sky()


@pytest.fixture
def api(demand: Any, sky: Any, tmp_path: Path) -> Iterator[str]:
    token = tmp_path / "token"
    token.write_text("sixteen-letters-x\n")
    room = ScalerSettings(
        json_listen="127.0.0.1:0", queries=QUERIES, token_file=str(token), refresh=1.0
    )
    engine = ScalingEngine(room, demand, sky)
    policies = {"shop/reports": Reference.of("shop", "reports", METADATA)}
    made = JsonApi(engine, sky, policies, room)
    engine.start()
    made.start()
    yield f"http://{made.address}"
    made.close()
    engine.close()


def get(url: str, token: str = "sixteen-letters-x") -> tuple[int, str]:  # noqa: S107 - a test's
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"})
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as exc:
        return exc.code, exc.read().decode()


def test_a_listed_policy_is_answered_as_the_metrics_api_wants_it(api: str) -> None:
    status, text = get(f"{api}/api/v1/scale/shop/reports")
    body = json.loads(text)
    assert status == 200
    assert (body["value"], body["target"], body["reason"]) == (25.0, 5.0, "dirty")


@pytest.mark.parametrize(
    ("path", "token", "status"),
    [
        ("/api/v1/scale/bank/reports", "sixteen-letters-x", 404),
        ("/api/v1/scale/shop/reports", "wrong-wrong-wrong", 401),
        ("/etc/passwd", "sixteen-letters-x", 404),
        ("/healthz", "", 200),
    ],
)
def test_who_may_read_what(api: str, path: str, token: str, status: int) -> None:
    assert get(api + path, token)[0] == status


def test_a_token_that_is_replaced_counts_at_once(api: str, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("another-token-of-16")

    assert get(f"{api}/api/v1/scale/shop/reports")[0] == 401
    assert get(f"{api}/api/v1/scale/shop/reports", "another-token-of-16")[0] == 200


def test_only_reading_is_answered(api: str) -> None:
    request = urllib.request.Request(f"{api}/healthz", method="DELETE")
    with pytest.raises(urllib.error.HTTPError, match="405"):
        urllib.request.urlopen(request, timeout=10)


def test_with_tls_it_has_the_certificate_of_the_settings(
    demand: Any, sky: Any, tmp_path: Path
) -> None:
    authority = Authority(tmp_path, "server")
    certificate, key = authority.issue(["127.0.0.1"])
    settings = ScalerSettings(
        json_listen="127.0.0.1:0", queries=QUERIES, tls_cert=str(certificate), tls_key=str(key)
    )
    engine = ScalingEngine(settings, demand, sky)
    json_api = JsonApi(engine, sky, {}, settings)
    json_api.start()
    context = ssl.create_default_context(cafile=authority.certificate)
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    url = f"https://{json_api.address}/healthz"
    with urllib.request.urlopen(url, timeout=10, context=context) as answer:
        assert answer.read() == b"ok\n"
    json_api.close()
    engine.close()


def test_decisions_and_avoided_grams_are_counted(api: str, sky: Sky) -> None:
    get(f"{api}/api/v1/scale/shop/reports")

    def samples() -> dict[str, Any]:
        families = text_string_to_metric_families(get(f"{api}/metrics", "")[1])
        return {(s.name, s.labels.get("reason")): s for f in families for s in f.samples}

    before = samples()["wattribute_scaler_decisions_total", "dirty"]
    assert before.labels["scaled_namespace"] == "shop"
    assert before.labels["scaled_object"] == "reports"
    sky.g_per_kwh = 100.0
    wait_until(lambda: ("wattribute_scaler_decisions_total", "clean") in samples())
    # 25 units were held back at 400 g/kWh and let go at 100: 10 Wh each, 3 g less.
    avoided = samples()["wattribute_scaler_co2e_avoided_grams_total", None]
    assert avoided.value == pytest.approx(25 * 0.01 * 300)
    assert samples()["wattribute_scaler_value", None].value == 50


def test_a_listed_policy_is_decided_though_nobody_asks(demand: Any, sky: Any) -> None:
    engine = ScalingEngine(ScalerSettings(queries=QUERIES), demand, sky)
    engine.start([Reference.of("shop", "reports", METADATA)])
    wait_until(lambda: [one.decision for one in engine.all()] != [None])
    assert engine.all()[0].decision.value == 25
    engine.close()
