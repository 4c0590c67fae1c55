import json
import logging
from collections.abc import Callable
from types import SimpleNamespace

import pytest

from wattribute.core.errors import ListenFailed
from wattribute.node.settings import NodeSettings

Call = Callable[..., tuple[int, str, str]]
Put = Callable[..., SimpleNamespace]


def _finding(part: str, name: str, state: str, message: str = "") -> dict[str, str]:
    return {"part": part, "name": name, "state": state, "message": message}


def _check(*findings: dict[str, str]) -> Callable[[NodeSettings], tuple[object, ...]]:
    from dataclasses import make_dataclass

    kind = make_dataclass("Finding", ["part", "name", "state", "message"])
    return lambda _: tuple(kind(**finding) for finding in findings)


@pytest.fixture(autouse=True)
def _quiet_afterwards() -> object:
    yield
    logging.getLogger("wattribute").handlers.clear()
    logging.getLogger("wattribute").propagate = True


def test_flags_reach_the_agent_as_settings(put: Put, call: Call) -> None:
    seen: list[NodeSettings] = []
    put("agent", run_agent=lambda settings: seen.append(settings) or 0)

    code, out, err = call(
        *("agent", "--listen", ":9102", "--listen", "[::1]:9102", "--interval", "500ms"),
        *("--idle-watts", "package=20", "--idle-watts", "dram=3", "--meters", "rapl,hwmon"),
        *("--log-format", "json", "--kube", "off"),
    )

    assert (code, out) == (0, "")
    assert seen[0].exporter.listen == (":9102", "[::1]:9102")
    assert seen[0].monitor.interval == 0.5
    assert seen[0].attribution.idle_watts == {"package": 20, "dram": 3}
    assert seen[0].meter.use == ("rapl", "hwmon")
    assert "monitor.interval=0.5" in json.loads(err)["message"]


def test_every_flag_of_the_settings_is_one_of_the_agents(call: Call) -> None:
    from wattribute.cli.options import AGENT

    _, out, _ = call("agent", "--help")

    assert all(f"  {flag} " in out for flag in AGENT)


def test_an_address_in_use_is_one_line_and_exit_5(put: Put, call: Call) -> None:
    def fail(_: NodeSettings) -> int:
        raise ListenFailed("127.0.0.1:9102: address in use; stop the other, or --listen elsewhere")

    put("agent", run_agent=fail)

    code, _, err = call("agent", "--log-level", "error")

    assert code == 5
    assert err == (
        "wattribute: error: 127.0.0.1:9102: address in use; stop the other, or --listen elsewhere\n"
    )


def test_check_prints_the_doctors_table_and_starts_nothing(put: Put, call: Call) -> None:
    put("agent", check=_check(_finding("meter", "rapl", "works", "2 zones")))

    code, out, _ = call("agent", "--check")

    assert code == 0
    assert out.splitlines() == [
        "PART   NAME  STATE  WHAT IT SAYS",
        "meter  rapl  works  2 zones",
    ]


def test_json_without_check_is_a_usage_error(call: Call) -> None:
    assert call("agent", "--json")[0] == 2


def test_the_doctor_says_no_when_nothing_can_be_measured(put: Put, call: Call) -> None:
    denied = "energy_uj: permission denied; needs root"
    put(
        "agent",
        check=_check(
            _finding("meter", "rapl", "denied", denied), _finding("activity", "procfs", "works")
        ),
    )

    code, out, err = call("doctor")

    assert code == 1
    assert denied in out
    assert "energy can neither be measured nor estimated" in err


def test_an_estimate_is_enough_for_the_doctor(put: Put, call: Call) -> None:
    put("agent", check=_check(_finding("meter", "estimate", "works")))

    assert call("doctor")[0] == 0


def test_the_doctor_speaks_json(put: Put, call: Call) -> None:
    finding = _finding("meter", "rapl", "absent", "no\nsuch \x1b zone")
    put("agent", check=_check(finding))

    code, out, _ = call("doctor", "--json")

    assert code == 1
    assert json.loads(out) == {"usable": False, "findings": [finding]}
