"""Redfish trees of several vendors, reduced to what leads to power.

Sources: DMTF DSP8010 schemas (Chassis 1.2x, EnvironmentMetrics 1.3, PowerSubsystem 1.1,
PowerSupplyMetrics 1.1, Power 1.7), and the vendors' public API guides for names and structure.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

Json = dict[str, Any]
Tree = dict[str, Json]
"""Resources by path, without a slash at the end."""

ROOT: Final = "/redfish/v1"


def tree(vendor: str, power_w: float) -> Tree:
    """The tree of a vendor's BMC whose chassis draws ``power_w`` watts.

    Raises:
        KeyError: not one of ``VENDORS``.
    """
    return VENDORS[vendor](power_w)


def _at(path: str) -> Json:
    return {"@odata.id": path}


def _tree(vendor: str, chassis: Mapping[str, Json], rest: Tree, slash: str = "") -> Tree:
    """Root and collections around some chassis."""
    paths = [f"{ROOT}/Chassis/{name}" for name in chassis]
    return {
        ROOT: {
            "@odata.id": f"{ROOT}/",
            "Id": "RootService",
            "RedfishVersion": "1.17.0",
            "Vendor": vendor,
            "Chassis": _at(f"{ROOT}/Chassis{slash}"),
            "SessionService": _at(f"{ROOT}/SessionService"),
            "Links": {"Sessions": _at(f"{ROOT}/SessionService/Sessions")},
        },
        f"{ROOT}/Chassis": {
            "Members@odata.count": len(paths),
            "Members": [_at(path + slash) for path in paths],
        },
        **{
            path: {"@odata.id": path, "Id": name, **body}
            for path, (name, body) in zip(paths, chassis.items(), strict=True)
        },
        **rest,
    }


def _dell(power_w: float) -> Tree:
    """iDRAC9: old and new tree; storage enclosures are chassis too; null where nothing is told."""
    chassis = f"{ROOT}/Chassis/System.Embedded.1"
    supplies = f"{chassis}/PowerSubsystem/PowerSupplies"
    names = ("PSU.Slot.1", "PSU.Slot.2")
    rest: Tree = {
        f"{chassis}/EnvironmentMetrics": {"PowerWatts": {"Reading": None}},
        f"{chassis}/PowerSubsystem": {"PowerSupplies": _at(supplies)},
        supplies: {"Members": [_at(f"{supplies}/{name}") for name in names]},
        f"{chassis}/Power": {
            "PowerControl": [
                {
                    "Name": "System Power Control",
                    "PowerConsumedWatts": int(power_w),
                    "PowerMetrics": {"AverageConsumedWatts": 200, "IntervalInMin": 1},
                }
            ]
        },
    }
    for name in names:
        rest[f"{supplies}/{name}"] = {
            "Status": {"State": "Enabled"},
            "Metrics": _at(f"{supplies}/{name}/Metrics"),
        }
        rest[f"{supplies}/{name}/Metrics"] = {"InputPowerWatts": {"Reading": power_w / 2}}
    return _tree(
        "Dell",
        {
            "System.Embedded.1": {
                "ChassisType": "RackMount",
                "Power": _at(f"{chassis}/Power"),
                "PowerSubsystem": _at(f"{chassis}/PowerSubsystem"),
                "EnvironmentMetrics": _at(f"{chassis}/EnvironmentMetrics"),
            },
            "Enclosure.Internal.0-1:RAID.SL.3-1": {
                "ChassisType": "StorageEnclosure",
                "Links": {"ContainedBy": _at(chassis)},
            },
        },
        rest,
    )


def _hpe(power_w: float) -> Tree:
    """The iLO 5: every link ends with a slash; only the old tree."""
    power = {"PowerControl": [{"MemberId": "0", "PowerConsumedWatts": int(power_w)}]}
    body = {"ChassisType": "RackMount", "Power": _at(f"{ROOT}/Chassis/1/Power/")}
    return _tree("HPE", {"1": body}, {f"{ROOT}/Chassis/1/Power": power}, "/")


def _supermicro(power_w: float) -> Tree:
    """Numbers as texts, and no link to Power in the chassis."""
    power = {"PowerControl": [{"MemberId": "0", "PowerConsumedWatts": str(int(power_w))}]}
    return _tree(
        "Supermicro", {"1": {"ChassisType": "RackMount"}}, {f"{ROOT}/Chassis/1/Power": power}
    )


def _lenovo(power_w: float) -> Tree:
    """XCC: PowerControl has the server, and then its processors and memory."""
    control = [
        {"Name": "Server Power Control", "PowerConsumedWatts": power_w},
        {"Name": "CPU Sub-system Power", "PowerConsumedWatts": power_w * 0.5},
        {"Name": "Memory Sub-system Power", "PowerConsumedWatts": power_w * 0.1},
    ]
    body = {"ChassisType": "RackMount", "Power": _at(f"{ROOT}/Chassis/1/Power")}
    return _tree("Lenovo", {"1": body}, {f"{ROOT}/Chassis/1/Power": {"PowerControl": control}})


def _openbmc(power_w: float) -> Tree:
    """Only the new tree; an accelerator's module inside measures its own power, an empty bay none.

    The supplies tell their output alone.
    """
    chassis = f"{ROOT}/Chassis/chassis"
    supplies = f"{chassis}/PowerSubsystem/PowerSupplies"
    module = f"{ROOT}/Chassis/HGX_GPU_SXM_1"
    return _tree(
        "OpenBMC",
        {
            "chassis": {
                "ChassisType": "RackMount",
                "PowerSubsystem": _at(f"{chassis}/PowerSubsystem"),
                "Links": {"Contains": [_at(module)]},
            },
            "HGX_GPU_SXM_1": {
                "ChassisType": "Module",
                "EnvironmentMetrics": _at(f"{module}/EnvironmentMetrics"),
                "Links": {"ContainedBy": _at(chassis)},
            },
        },
        {
            f"{module}/EnvironmentMetrics": {"PowerWatts": {"Reading": 400.0}},
            f"{chassis}/PowerSubsystem": {"PowerSupplies": _at(supplies)},
            supplies: {"Members": [_at(f"{supplies}/psu0"), _at(f"{supplies}/psu1")]},
            f"{supplies}/psu0": {"Metrics": _at(f"{supplies}/psu0/Metrics")},
            f"{supplies}/psu0/Metrics": {"OutputPowerWatts": {"Reading": power_w}},
            f"{supplies}/psu1": {"Status": {"State": "Absent"}},
        },
    )


def _gigabyte(power_w: float) -> Tree:
    """AMI MegaRAC: the newest form, beside a Power that says 0."""
    chassis = f"{ROOT}/Chassis/Self"
    return _tree(
        "AMI",
        {"Self": {"ChassisType": "RackMount", "Power": _at(f"{chassis}/Power")}},
        {
            f"{chassis}/EnvironmentMetrics": {"PowerWatts": {"Reading": power_w}},
            f"{chassis}/Power": {"PowerControl": [{"PowerConsumedWatts": 0}]},
        },
    )


VENDORS: Final[Mapping[str, Callable[[float], Tree]]] = {
    "dell": _dell,
    "gigabyte": _gigabyte,
    "hpe": _hpe,
    "lenovo": _lenovo,
    "openbmc": _openbmc,
    "supermicro": _supermicro,
}
