from pathlib import Path

import pytest

from wattribute.accounting.promql.client import Prometheus
from wattribute.accounting.settings import LedgerSettings
from wattribute.core.errors import (
    ConfigInvalid,
    SourceDenied,
    SourceFailed,
    SourceInterrupted,
    SourceLimited,
)
from wattribute_testing.prometheus import FakePrometheus, Fault, MadeSeries

SERIES = [MadeSeries({"__name__": "m", "instance": f"i{n}"}, [(100.0, "5"), (130.5, "6")])
          for n in range(3)]  # fmt: skip


def _ask(server: FakePrometheus, **settings: str) -> int:
    waits: list[float] = []
    ledger = LedgerSettings(prometheus_url=server.url, **settings)  # type: ignore[arg-type] - all are texts
    with Prometheus(ledger, sleep=waits.append) as client:
        return len(list(client.raw('{__name__="m"}', 90, 140)))


def test_raw_samples_come_series_by_series() -> None:
    with (
        FakePrometheus(SERIES) as server,
        Prometheus(LedgerSettings(prometheus_url=server.url)) as client,
    ):
        found = list(client.raw('{__name__="m"}', 90, 140))

    assert [one.labels["instance"] for one in found] == ["i0", "i1", "i2"]
    assert found[0].time_ms.tolist() == [100_000, 130_500]


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_a_server_that_is_busy_is_asked_again(status: int) -> None:
    with FakePrometheus(SERIES) as server:
        server.faults = [Fault(status, b"busy"), Fault(status, b"busy")]

        assert _ask(server) == 3


def test_after_some_tries_the_last_words_are_told() -> None:
    with FakePrometheus(SERIES) as server:
        server.faults = [Fault(502, b"upstream is gone")] * 9

        with pytest.raises(SourceFailed, match="502: upstream is gone"):
            _ask(server)
        assert len(server.queries) == 4


def test_tenant_and_token_are_sent_and_the_token_is_read_from_its_file(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("s3cret\n")
    with FakePrometheus(SERIES) as server:
        _ask(server, tenant="team-a", bearer_token_file=str(token))

    headers = {name.lower(): value for name, value in server.headers[0].items()}
    assert headers["x-scope-orgid"] == headers["thanos-tenant"] == "team-a"
    assert headers["authorization"] == "Bearer s3cret"


def test_a_user_and_a_password_from_a_file(tmp_path: Path) -> None:
    password = tmp_path / "password"
    password.write_text("s3cret\n")
    with FakePrometheus(SERIES) as server:
        _ask(server, username="reader", password_file=str(password))

    headers = {name.lower(): value for name, value in server.headers[0].items()}
    assert headers["authorization"].startswith("Basic ")


@pytest.mark.parametrize(
    ("fault", "error", "said"),
    [
        (Fault(401, b"no"), SourceDenied, "ledger.bearer_token_file"),
        (Fault(401, b"no org id"), SourceDenied, "no org id"),
        (Fault(404, b"404 page not found"), SourceFailed, "where /api/v1 begins"),
        (Fault(422, b'{"error":"query processing would load too many samples into memory"}'),
         SourceLimited, "too many samples"),
        (Fault(422, b'{"error":"the query time range exceeds the limit (query length: 40d)"}'),
         SourceLimited, "exceeds the limit"),
        (Fault(503, b'{"error":"query timed out in expression evaluation"}'), SourceLimited,
         "timed out"),
        (Fault(keep_bytes=120), SourceInterrupted, "broke off"),
        (Fault(more={"warnings": ["store-3: connection refused"]}), SourceFailed, "store-3"),
        (Fault(more={"isPartial": True}), SourceFailed, "only a part"),
        (Fault(body=b"<html>log in</html>"), SourceFailed, "no JSON"),
    ],
)  # fmt: skip
def test_what_is_no_whole_answer_is_one_clear_line(
    fault: Fault, error: type[Exception], said: str
) -> None:
    with FakePrometheus(SERIES) as server:
        server.faults = [fault]

        with pytest.raises(error, match=said) as caught:
            _ask(server)
        assert str(caught.value).startswith(server.url)


@pytest.mark.parametrize("url", ["", "prometheus:9090", "ftp://x", "http://"])
def test_an_address_that_is_none_is_refused_at_once(url: str) -> None:
    with pytest.raises(ConfigInvalid, match="prometheus_url"):
        Prometheus(LedgerSettings(prometheus_url=url))


def test_credentials_in_the_address_are_not_shown() -> None:
    client = Prometheus(LedgerSettings(prometheus_url="https://me:s3cret@host:9/x"))

    assert client.name == "https://host:9/x"


def test_nobody_there_is_said(tmp_path: Path) -> None:
    ledger = LedgerSettings(
        prometheus_url="http://127.0.0.1:9", password_file=str(tmp_path / "none")
    )
    client = Prometheus(ledger, sleep=lambda _: None)

    with pytest.raises(SourceFailed, match="cannot be asked: "):
        client.vector("up", 1)
