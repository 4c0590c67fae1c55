"""By what a zone is shared: the setting, what is measured, and what the hardware counts."""

import pytest

from wattribute.core.records import Zone
from wattribute.node.sharing.weight_choice import WeightSetting, choose_weight, obstacle

PACKAGE = Zone("package", "0", "rapl-sysfs", "0")
DRAM = Zone("dram", "0", "rapl-sysfs", "0")
BMC = Zone("platform", "1", "redfish")
COUNTED = frozenset({"cycles", "cache_misses"})


@pytest.mark.parametrize(
    ("setting", "kind", "counted", "shared_by", "learns"),
    [
        ("auto", "package", frozenset(), "learned-1", True),
        ("auto", "package", COUNTED, "cycles", False),
        ("auto", "dram", COUNTED, "misses", False),
        ("auto", "dram", frozenset({"cycles"}), "learned-1", True),
        ("learned", "package", COUNTED, "learned-1", True),
        ("shadow", "package", COUNTED, "cycles", True),
        ("shadow", "package", frozenset(), "time", True),
        ("time", "package", COUNTED, "time", False),
        ("cycles", "package", frozenset(), "time", False),
    ],
)
def test_a_measured_zone(
    setting: WeightSetting, kind: str, counted: frozenset[str], shared_by: str, *, learns: bool
) -> None:
    choice = choose_weight(setting, kind, obstacle="", counted=counted)

    assert (choice.shared_by, choice.learns) == (shared_by, learns)
    assert choice.reason


@pytest.mark.parametrize("setting", ["auto", "learned", "shadow"])
def test_where_nothing_can_be_learned_the_obstacle_is_the_reason(setting: WeightSetting) -> None:
    choice = choose_weight(setting, "package", obstacle="it is estimated", counted=frozenset())

    assert (choice.shared_by, choice.learns, choice.reason) == ("time", False, "it is estimated")


def test_the_rival_is_what_the_energy_is_not_shared_by() -> None:
    def rival(setting: WeightSetting, counted: frozenset[str] = frozenset()) -> str:
        return choose_weight(setting, "package", obstacle="", counted=counted).rival

    assert [rival("learned"), rival("shadow"), rival("time")] == ["time", "learned", ""]
    assert [rival("cycles", COUNTED), rival("shadow", COUNTED)] == ["time", "learned"]


def test_an_estimate_has_no_weights_unless_one_platform_meter_stands_behind_it() -> None:
    def why(zone: Zone, *measured: Zone, estimated: bool = True) -> str:
        return obstacle(zone, estimated=estimated, measured=measured)

    assert "estimated" in why(PACKAGE)
    assert "estimated" in why(DRAM, PACKAGE)
    assert "estimated" in why(PACKAGE, BMC, Zone("platform", "2", "redfish"))
    assert not why(PACKAGE, BMC)
    assert not why(PACKAGE, PACKAGE, estimated=False)
    assert not why(BMC, BMC, estimated=False)
    assert "package" in why(Zone("core", "0", "rapl-sysfs", "0"), estimated=False)
    assert "of their own" in why(BMC, BMC, PACKAGE, estimated=False)
    assert "part" in why(BMC, BMC, Zone("platform", "2", "redfish"), estimated=False)
