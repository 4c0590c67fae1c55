"""The meter against a fake BMC: logins, certificates, and everything that goes wrong."""

import logging
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as tries
from hypothesis import strategies as st

from wattribute.core.errors import ConfigInvalid, MeterDenied, MeterError, MeterFailed
from wattribute.core.records import Gauge, Zone
from wattribute.core.units import nanoseconds
from wattribute.http.client import HttpClient
from wattribute.node.meter.bmcfile import Credentials
from wattribute.node.meter.redfish_session import Session
from wattribute.node.meter.redfish_source import _KEYS, RedfishSource, open_redfish
from wattribute.node.settings import MeterSettings, NodeSettings
from wattribute_testing.bmc import VENDORS, FakeBmc, tree
from wattribute_testing.kube.authority import Authority
from wattribute_testing.strength import examples
from wattribute_testing.waiting import wait_until

ONE = Zone("platform", "1", "redfish")


@pytest.fixture
def bmc() -> Iterator[FakeBmc]:
    with FakeBmc() as server:
        yield server


_OPEN: list[RedfishSource] = []


@pytest.fixture(autouse=True)
def _closed() -> Iterator[None]:
    yield
    while _OPEN:
        _OPEN.pop().close()


def source_of(bmc: FakeBmc, *chassis: str, password: str = FakeBmc.password) -> RedfishSource:
    client = HttpClient(bmc.url, _KEYS, insecure=True)
    session = Session(client, lambda: Credentials(bmc.username, password))
    _OPEN.append(RedfishSource(client, session, chassis))
    return _OPEN[-1]


def failure(source: RedfishSource, kind: type[MeterError] = MeterFailed) -> str:
    with pytest.raises(kind) as caught:
        source.poll()
    return str(caught.value)


@pytest.mark.parametrize("vendor", VENDORS)
def test_every_vendor_is_read_and_then_costs_few_requests(vendor: str) -> None:
    with FakeBmc(vendor, 250) as bmc:
        source = source_of(bmc)
        (found,) = source.poll().values()
        bmc.set_power(300)
        before = len(bmc.seen)
        (second,) = source.poll().values()
        source.close()

    assert (found, second) == (Gauge(250_000_000), Gauge(300_000_000))
    assert len(bmc.seen) - before <= 3


def test_a_session_is_made_once_and_deleted_at_the_end(bmc: FakeBmc) -> None:
    source = source_of(bmc)
    for _ in range(3):
        source.poll()
    assert len(bmc.sessions) == 1
    source.close()

    assert bmc.sessions == {}
    assert (bmc.count("POST"), bmc.count("DELETE")) == (1, 1)


def test_an_expired_session_is_renewed(bmc: FakeBmc) -> None:
    source = source_of(bmc)
    source.poll()
    bmc.expire_sessions()

    assert source.poll() == {ONE: Gauge(200_000_000)}
    assert bmc.count("POST") == 2
    source.close()


@pytest.mark.parametrize("status", [404, 405, 501, 400, 403, 503])
def test_without_sessions_the_password_goes_with_each_request(bmc: FakeBmc, status: int) -> None:
    bmc.faults.no_sessions = status
    source = source_of(bmc)
    assert source.poll() == {ONE: Gauge(200_000_000)}
    assert source.poll() == {ONE: Gauge(200_000_000)}
    source.close()

    assert (bmc.count("POST"), bmc.count("DELETE")) == (1, 0)


def test_a_wrong_password_is_tried_once(bmc: FakeBmc) -> None:
    other = "wrong-one"
    source = source_of(bmc, password=other)
    message = failure(source, MeterDenied)

    assert "401, user and password are not accepted; see meter.redfish_credentials" in message
    assert other not in message
    assert bmc.count("POST") == 1
    bmc.faults.no_sessions = 404
    failure(source, MeterDenied)
    assert bmc.count("GET", "/Chassis/") == 1


@pytest.mark.parametrize(
    ("status", "said"),
    [(500, "answered 500"), (503, "answered 503"), (403, "403, the user may not read it")],
)
def test_errors_of_the_server_are_said(bmc: FakeBmc, status: int, said: str) -> None:
    bmc.faults.status_at["/Chassis"] = status
    source = source_of(bmc)

    assert said in failure(source)
    bmc.faults.status_at.clear()
    assert source.poll()
    source.close()


def test_after_a_failure_the_tree_is_searched_anew(bmc: FakeBmc) -> None:
    source = source_of(bmc)
    source.poll()
    bmc.tree = tree("dell", 100)

    assert "chassis '1': the BMC tells no power now" in failure(source)
    assert source.poll() == {Zone("platform", "System.Embedded.1", "redfish"): Gauge(100_000_000)}
    source.close()


@pytest.mark.parametrize("vendor", ["hpe", "supermicro"])
def test_the_old_tree_is_found_where_the_new_one_answers_with_errors(vendor: str) -> None:
    with FakeBmc(vendor) as bmc:
        bmc.faults.status_at.update({"/EnvironmentMetrics": 500, "/PowerSubsystem": 403})
        source = source_of(bmc)
        assert source.poll() == {ONE: Gauge(200_000_000)}
        source.close()


@pytest.mark.parametrize(
    "junk", [b"", b"not json", b"[]", b"null", b"\xff\xfe", b"[" * 100_000, b'{"Members": 5}']
)
def test_bodies_that_are_not_what_they_should_be(bmc: FakeBmc, junk: bytes) -> None:
    bmc.faults.junk = junk or b" "
    source = source_of(bmc)
    message = failure(source)

    assert "no JSON object" in message or "no chassis" in message
    source.close()


@tries(max_examples=examples(40), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(junk=st.binary(min_size=1, max_size=60))
def test_no_body_crashes_it(bmc: FakeBmc, junk: bytes) -> None:
    bmc.faults.junk = junk
    source = source_of(bmc)
    failure(source)
    source.close()


def test_an_endless_answer_is_given_up(bmc: FakeBmc) -> None:
    bmc.faults.endless = True

    assert "an answer of over 1 MiB is not read; is this the right server?" in failure(
        source_of(bmc)
    )


def test_an_answer_that_breaks_off_is_a_failure(bmc: FakeBmc) -> None:
    bmc.faults.cut = True

    assert "broke off" in failure(source_of(bmc))


def test_a_bmc_that_hangs_up_after_each_answer_is_asked_again(bmc: FakeBmc) -> None:
    bmc.faults.hang_up = True
    source = source_of(bmc)

    assert source.poll() == source.poll() == {ONE: Gauge(200_000_000)}
    source.close()


def test_redirects_are_followed_on_this_host_only(bmc: FakeBmc) -> None:
    with FakeBmc() as other:
        bmc.faults.status_at["/Chassis/1/Power"] = 302
        bmc.faults.redirect = other.url + "/redfish/v1/Chassis/1/Power"
        assert "another host is not followed" in failure(source_of(bmc))
        assert other.seen == []

    bmc.tree["/elsewhere"] = bmc.tree["/redfish/v1/Chassis/1/Power"]
    bmc.faults.redirect = bmc.url + "/elsewhere"
    assert source_of(bmc).poll() == {ONE: Gauge(200_000_000)}
    bmc.faults.redirect = "/redfish/v1/Chassis/1/Power"
    assert "redirected too often" in failure(source_of(bmc))


def test_what_is_no_bmc_is_said(bmc: FakeBmc) -> None:
    bmc.tree.clear()
    assert "no Redfish service; is this a BMC?" in failure(source_of(bmc))
    with FakeBmc() as gone:
        source = source_of(gone)
    assert "connection refused" in failure(source)


@pytest.mark.parametrize(
    "url", ["ftp://x", "https://", "https://h:0", "https://[1", "https://u:p@h", "u:p@h"]
)
def test_addresses_that_are_none(url: str) -> None:
    with pytest.raises(ConfigInvalid, match="is not an address; write https://HOST") as caught:
        open_redfish(room(url), "node")
    assert "u:p" not in str(caught.value)


def room(url: str) -> NodeSettings:
    return NodeSettings(meter=MeterSettings(redfish_url=url, redfish_username="reader"))


def test_a_password_is_not_sent_in_the_clear_unless_told() -> None:
    with pytest.raises(ConfigInvalid, match="would send the password in the clear"):
        open_redfish(room("http://bmc"), "node")


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ca"), "bmc")


class TestTls:
    def poll(self, bmc: FakeBmc, ca_file: str, *, insecure: bool = False) -> object:
        client = HttpClient(bmc.url, _KEYS, ca_file=ca_file, insecure=insecure)
        session = Session(client, lambda: Credentials(bmc.username, bmc.password))
        source = RedfishSource(client, session, ())
        try:
            return source.poll()
        finally:
            source.close()

    def test_the_certificate_is_verified(self, authority: Authority, tmp_path: Path) -> None:
        stranger = Authority(tmp_path, "stranger").certificate
        with FakeBmc(tls=authority.issue(["127.0.0.1"])) as bmc:
            assert self.poll(bmc, str(authority.certificate)) == {ONE: Gauge(200_000_000)}
            for ca_file in ("", str(stranger)):
                with pytest.raises(MeterFailed, match=r"not trusted .*meter.redfish_ca_file"):
                    self.poll(bmc, ca_file)
            assert self.poll(bmc, "", insecure=True)
        assert [method for method, _ in bmc.seen].count("POST") == 2

    def test_so_is_its_name(self, authority: Authority) -> None:
        with FakeBmc(tls=authority.issue(["other.example"], "other")) as bmc:
            with pytest.raises(MeterFailed, match=r"not trusted .*127.0.0.1"):
                self.poll(bmc, str(authority.certificate))
            assert bmc.seen == []

    def test_a_file_without_certificates_is_said(
        self, authority: Authority, tmp_path: Path
    ) -> None:
        empty = tmp_path / "empty"
        empty.touch()
        with FakeBmc(tls=authority.issue(["127.0.0.1"])) as bmc:
            with pytest.raises(MeterFailed, match=r"redfish_ca_file .*no certificate in it"):
                self.poll(bmc, str(empty))
            with pytest.raises(MeterFailed, match="No such file"):
                self.poll(bmc, str(tmp_path / "none"))


class TestMeter:
    def room(self, bmc: FakeBmc, **more: object) -> NodeSettings:
        values = {
            "redfish_url": bmc.url,
            "redfish_username": bmc.username,
            "redfish_password": bmc.password,
            "redfish_insecure": True,
            "redfish_interval": 1.0,
            **more,
        }
        return NodeSettings(meter=MeterSettings(**values))  # type: ignore[arg-type]

    def test_it_reads_in_the_background_and_ends_its_session(self, bmc: FakeBmc) -> None:
        meter = open_redfish(self.room(bmc), "node")
        meter.settle(5)
        readings = meter.read(nanoseconds(5))
        meter.close()

        assert [(r.zone, r.value) for r in readings] == [(ONE, Gauge(200_000_000))]
        assert bmc.sessions == {}

    def test_a_slow_bmc_delays_neither_the_tick_nor_the_end(self, bmc: FakeBmc) -> None:
        bmc.faults.delay_s = 30
        began = time.monotonic()
        meter = open_redfish(self.room(bmc), "node")
        meter.settle(0.05)
        assert meter.read(nanoseconds(5)) == ()
        meter.close()

        assert time.monotonic() - began < 4
        assert not meter.running

    def test_a_file_gives_address_and_password(self, bmc: FakeBmc, tmp_path: Path) -> None:
        file = tmp_path / "bmc.csv"
        file.touch(0o600)
        file.write_text(f'node,{bmc.username},"{bmc.password}",{bmc.url}\n')
        settings = NodeSettings(
            meter=MeterSettings(redfish_credentials=str(file), redfish_insecure=True)
        )
        meter = open_redfish(settings, "node")
        meter.settle(5)

        assert meter.zones == (ONE,)
        meter.close()

    def test_a_password_that_was_changed_is_taken_from_the_file(
        self, bmc: FakeBmc, tmp_path: Path
    ) -> None:
        file = tmp_path / "bmc.yaml"
        file.touch(0o600)
        file.write_text(f"username: {bmc.username}\npassword: {bmc.password}\n")
        meter = open_redfish(
            self.room(bmc, redfish_credentials=str(file), redfish_username=""), "node"
        )
        meter.settle(5)
        file.write_text(f"username: {bmc.username}\npassword: newer\n")
        bmc.password = "new" + "er"
        bmc.expire_sessions()
        bmc.set_power(321)
        wait_until(lambda: Gauge(321_000_000) in [r.value for r in meter.read(nanoseconds(5))])
        meter.close()

    def test_nothing_that_is_secret_is_logged(
        self, bmc: FakeBmc, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.DEBUG)
        bmc.faults.status_at["/Power"] = 500
        meter = open_redfish(self.room(bmc), "node")
        meter.settle(5)
        meter.close()

        assert "answered 500" in caplog.text
        for secret in (bmc.password, "token-"):
            assert secret not in caplog.text
        assert "reader" not in repr(Credentials("reader", "x"))

    def test_settings_that_are_not_complete(self, bmc: FakeBmc, tmp_path: Path) -> None:
        with pytest.raises(ConfigInvalid, match="name the file with username and password"):
            open_redfish(self.room(bmc, redfish_username=""), "node")
        file = tmp_path / "bmc.yaml"
        file.touch(0o600)
        file.write_text("username: a\npassword: b\n")
        with pytest.raises(ConfigInvalid, match="the address of the BMC is not set"):
            open_redfish(NodeSettings(meter=MeterSettings(redfish_credentials=str(file))), "node")
        file.write_text("username: a\npassword: b\nendpoint: http://h\ninsecure: true\n")
        with pytest.raises(ConfigInvalid, match="the file's own `insecure` is not enough"):
            open_redfish(NodeSettings(meter=MeterSettings(redfish_credentials=str(file))), "node")
