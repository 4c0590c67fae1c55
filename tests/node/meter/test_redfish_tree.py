"""Where the power is in the trees of several vendors, and in nonsense."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wattribute.core.errors import MeterFailed
from wattribute.core.records import Gauge
from wattribute.node.meter.redfish_tree import Get, Route, members, power, routes, watts
from wattribute_testing.bmc import VENDORS, Tree, tree

ROOT = "/redfish/v1"


def getter(resources: Tree) -> Get:
    return lambda path: resources.get(path.rstrip("/"))


def read(resources: Tree, *wanted: str) -> dict[str, Gauge]:
    get = getter(resources)
    return {r.chassis: power(get, r) for r in routes(get, resources[ROOT], wanted)}


@pytest.mark.parametrize(
    ("vendor", "chassis", "form"),
    [
        ("dell", "System.Embedded.1", "supplies"),
        ("gigabyte", "Self", "environment"),
        ("hpe", "1", "power"),
        ("lenovo", "1", "power"),
        ("openbmc", "chassis", "supplies"),
        ("supermicro", "1", "power"),
    ],
)
def test_each_vendor_has_one_chassis_with_the_power_of_all(
    vendor: str, chassis: str, form: str
) -> None:
    resources = tree(vendor, 312)

    assert read(resources) == {chassis: Gauge(312_000_000)}
    assert routes(getter(resources), resources[ROOT], ())[0].form == form


def test_all_vendors_are_tried_above() -> None:
    assert len(VENDORS) == 6


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        (12, 12.0),
        (12.5, 12.5),
        ("344", 344.0),
        (" 12.25 W", 12.25),
        ("7 Watts", 7.0),
        ({"Reading": "5"}, 5.0),
        ({"Reading": None}, None),
        (None, None),
        (True, None),
        (-1, None),
        (float("nan"), None),
        (10**400, None),
        ("", None),
        ("1e3", None),
        ("٣", None),
        ([3], None),
    ],
)
def test_watts_are_taken_in_any_form_that_says_them(said: object, meant: float | None) -> None:
    assert watts(said) == meant


def chassis_tree(power: Any, **body: Any) -> Tree:
    return {
        ROOT: {},
        f"{ROOT}/Chassis": {"Members": [{"@odata.id": f"{ROOT}/Chassis/1"}]},
        f"{ROOT}/Chassis/1": {"Id": "1", **body},
        f"{ROOT}/Chassis/1/Power": power,
    }


def test_a_mean_is_the_last_resort_and_says_that_it_is_one() -> None:
    control = {"PowerConsumedWatts": None, "PowerMetrics": {"AverageConsumedWatts": 150}}

    assert read(chassis_tree({"PowerControl": [control]})) == {
        "1": Gauge(150_000_000, averaged=True)
    }


def test_supplies_of_the_old_tree_add_up_without_the_empty_bay() -> None:
    supplies = [
        {"PowerInputWatts": 100},
        {"PowerInputWatts": "60"},
        {"Status": {"State": "Absent"}, "PowerInputWatts": None},
    ]

    assert read(chassis_tree({"PowerControl": [], "PowerSupplies": supplies})) == {
        "1": Gauge(160_000_000)
    }


def test_a_supply_that_tells_nothing_leaves_no_sum() -> None:
    supplies = [{"PowerInputWatts": 100}, {"PowerInputWatts": None}]

    with pytest.raises(MeterFailed, match="no chassis of this BMC measures power"):
        read(chassis_tree({"PowerSupplies": supplies}))


def test_zero_watts_are_a_sensor_that_is_not_ready() -> None:
    with pytest.raises(MeterFailed, match=r"measures power \(asked: 1\)"):
        read(chassis_tree({"PowerControl": [{"PowerConsumedWatts": 0}]}))


def test_one_chassis_counts_whatever_its_type() -> None:
    resources = chassis_tree({"PowerControl": [{"PowerConsumedWatts": 9}]}, ChassisType="Module")

    assert read(resources) == {"1": Gauge(9_000_000)}


def test_a_type_that_is_no_text_is_none() -> None:
    resources = two_blades()
    resources[f"{ROOT}/Chassis/1"]["ChassisType"] = []

    assert list(read(resources)) == ["1", "blade_2"]


def two_blades() -> Tree:
    resources = chassis_tree({"PowerControl": [{"PowerConsumedWatts": 100}]}, ChassisType="Blade")
    resources[f"{ROOT}/Chassis"] = {
        "Members": [{"@odata.id": f"{ROOT}/Chassis/1"}],
        "Members@odata.nextLink": f"{ROOT}/Chassis?$skip=1",
    }
    resources[f"{ROOT}/Chassis?$skip=1"] = {"Members": [{"@odata.id": f"{ROOT}/Chassis/2"}]}
    resources[f"{ROOT}/Chassis/2"] = {"Id": "blade 2"}
    resources[f"{ROOT}/Chassis/2/Power"] = {"PowerControl": [{"PowerConsumedWatts": 50}]}
    return resources


def test_several_chassis_are_several_zones_over_all_pages() -> None:
    assert read(two_blades()) == {"1": Gauge(100_000_000), "blade_2": Gauge(50_000_000)}


def test_only_the_chassis_that_is_wanted() -> None:
    assert read(two_blades(), "blade_2") == {"blade_2": Gauge(50_000_000)}
    with pytest.raises(MeterFailed, match=r"no chassis '3'; the BMC has 1, blade_2"):
        read(two_blades(), "3")


def test_a_chassis_inside_one_that_measures_is_part_of_it_even_in_a_circle() -> None:
    resources = two_blades()
    resources[f"{ROOT}/Chassis/2"]["Links"] = {"ContainedBy": {"@odata.id": f"{ROOT}/Chassis/1/"}}
    assert list(read(resources)) == ["1"]

    resources[f"{ROOT}/Chassis/2"]["Links"] = {"ContainedBy": {"@odata.id": f"{ROOT}/Chassis/9"}}
    resources[f"{ROOT}/Chassis/9"] = {"Links": {"ContainedBy": {"@odata.id": "/9"}}}
    assert list(read(resources)) == ["1", "blade_2"]


def test_a_form_that_answers_with_errors_does_not_hide_one_that_works() -> None:
    resources = tree("hpe", 100)

    def get(path: str) -> Any:
        if path.endswith(("EnvironmentMetrics", "PowerSubsystem")):
            raise MeterFailed("500")
        return resources.get(path.rstrip("/"))

    assert routes(get, resources[ROOT], ())[0].form == "power"

    def worse(path: str) -> Any:
        if path.rstrip("/").endswith("Power"):
            raise MeterFailed("also 500")
        return get(path)

    with pytest.raises(MeterFailed, match=r"^500$"):
        routes(worse, resources[ROOT], ())


def test_a_value_that_goes_away_is_a_failure() -> None:
    with pytest.raises(MeterFailed, match="tells no power now"):
        power(lambda _: None, Route("1", "power", ("/x",)))


NAMES = [
    *("@odata.id", "Chassis", "Members", "Members@odata.nextLink", "Id", "Links", "ContainedBy"),
    *("ChassisType", "Power", "PowerControl", "PowerConsumedWatts", "PowerMetrics", "Status"),
    *("AverageConsumedWatts", "PowerSupplies", "PowerInputWatts", "EnvironmentMetrics", "State"),
    *("PowerWatts", "Reading", "PowerSubsystem", "Metrics", "InputPowerWatts"),
]
json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(NAMES),
            inner | st.sampled_from(["/a", "/b", "/c", "Absent"]),
            max_size=5,
        )
    ),
    max_leaves=12,
)
bodies = st.dictionaries(st.sampled_from(["/a", "/b", "/c", "/a/Power"]), json, max_size=4)


@given(bodies, json)
def test_no_json_crashes_it(found: dict[str, Any], root: Any) -> None:
    found["/redfish/v1/Chassis"] = {"Members": [{"@odata.id": "/a"}, {"@odata.id": "/b"}]}

    def get(path: str) -> Any:
        body = found.get(path)
        return body if isinstance(body, dict) else None

    try:
        for route in routes(get, root, ()):
            assert power(get, route).power_uw > 0
    except MeterFailed:
        pass


def test_a_collection_that_follows_itself_ends() -> None:
    page = {"Members": [{"@odata.id": "/x"}] * 9, "Members@odata.nextLink": "/c"}

    assert len(list(members(lambda _: page, "/c"))) == 64
