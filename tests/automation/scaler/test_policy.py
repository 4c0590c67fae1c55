import pytest

from wattribute.automation.scaler.policy import read_policy
from wattribute.core.errors import ConfigInvalid

GOOD = {
    "policy": "intensity",
    "query": "queue",
    "target": "5",
    "failOpenReplicas": "3",
    "emissionThreshold": "200",
}


def test_keys_of_kedas_transport_are_not_ours() -> None:
    assert read_policy({**GOOD, "scalerAddress": "a:9104", "enableTLS": "true"}).target == 5


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"policy": "karbon"}, "'karbon' must be one of intensity, percentile"),
        ({"policy": ""}, "must be one of"),
        ({"emisionThreshold": "1"}, "did you mean emissionThreshold?"),
        ({"watts": "1"}, "the policy intensity has no such key"),
        ({"emissionThreshold": "two hundred"}, "must be a number, more than 0"),
        ({"emissionThreshold": "nan"}, "must be a number"),
        ({"emissionThreshold": "inf"}, "at most"),
        ({"target": "0"}, "target: '0' must be a number, at least 1e-06"),
        ({"failOpenReplicas": "-1"}, "must be a whole number"),
        ({"failOpenReplicas": "101"}, "0 to 100"),
        ({"failOpenReplicas": "²"}, "whole number"),
        ({"query": 'sum(x{namespace="other"})'}, "PromQL belongs into the scaler's settings"),
        ({"query": "http://other/"}, "must be a name"),
        ({"workload": 'x"} or vector(1)'}, "must be a name"),
        ({"workload": ""}, "must be a name"),
        ({"handler": "stop"}, "must be pause or scaleDown"),
        ({"dryRun": "yes"}, "must be false or true"),
        ({"region": "DE\nFR"}, "must be one line"),
        ({"region": "x" * 300}, "at most 253"),
    ],
)
def test_what_is_wrong_is_told_in_one_line(change: dict[str, str], words: str) -> None:
    with pytest.raises(ConfigInvalid) as caught:
        read_policy({**GOOD, **change})
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("key", ["query", "target", "failOpenReplicas", "emissionThreshold"])
def test_a_key_that_is_needed_is_asked_for(key: str) -> None:
    with pytest.raises(ConfigInvalid, match=f"{key}: missing"):
        read_policy({name: value for name, value in GOOD.items() if name != key})


@pytest.mark.parametrize("text", ["tomorrow", "2026-12-01", "2026-12-01T06:00:00"])
def test_a_deadline_has_a_time_zone(text: str) -> None:
    metadata = {key: value for key, value in GOOD.items() if key != "emissionThreshold"}
    metadata |= {"policy": "deadline", "unitsPerReplicaHour": "10", "deadline": text}
    with pytest.raises(ConfigInvalid, match="a time with its zone"):
        read_policy(metadata)
