"""Energy and power of each zone, as its own meter sees it."""

from collections.abc import Callable
from typing import Final

from wattribute.core.records import PlatformFit, ZoneTotal
from wattribute.node.exporter.family import Family, Samples, counter, gauge, listed, millionths
from wattribute.node.exporter.scene import Scene

_ZONE: Final = ("zone", "component", "source", "origin")


def _labels(total: ZoneTotal) -> dict[str, str]:
    return {
        "zone": total.zone.name,
        "component": total.zone.component or "",
        "source": total.zone.source,
        "origin": str(total.origin),
    }


def _joules(scene: Scene) -> Samples | None:
    return listed(
        ({**_labels(total), "mode": word}, energy)
        for total in scene.zones
        for word, energy in (("dynamic", total.dynamic_uj), ("idle", total.idle_uj))
    )


def _watts(pick: Callable[[ZoneTotal], int | None]) -> Callable[[Scene], Samples | None]:
    """Return one sample per zone; ``pick`` chooses it, None where the zone has no such power."""
    return lambda scene: listed(
        (_labels(total), power_uw) for total in scene.zones if (power_uw := pick(total)) is not None
    )


def _floors(scene: Scene) -> Samples | None:
    up = {total.zone for total in scene.zones}
    return listed(
        ({"zone": floor.zone.name, "basis": floor.basis}, floor.power_uw)
        for floor in scene.snapshot.floors
        if floor.zone in up
    )


def _platform_fit(pick: Callable[[PlatformFit], int]) -> Callable[[Scene], Samples | None]:
    """Return the sample of one figure of the platform's line, which ``pick`` chooses."""

    def samples(scene: Scene) -> Samples | None:
        fit = scene.snapshot.platform_fit
        return None if fit is None else listed([({"source": fit.source}, pick(fit))])

    return samples


FAMILIES: Final[tuple[Family, ...]] = (
    counter("wattribute_zone_joules_total",
            "Energy of one zone. Zones overlap where component is empty: do not add those.",
            (*_ZONE, "mode"), _joules),
    gauge("wattribute_zone_power_watts", "Power of a zone in the last tick.", _ZONE,
          _watts(lambda total: total.power_uw)),
    gauge("wattribute_zone_power_low_watts",
          "Lower end of the band around an estimated zone's power, made for 90 of 100 cases.",
          _ZONE, _watts(lambda total: total.low_uw)),
    gauge("wattribute_zone_power_high_watts",
          "Upper end of the band around an estimated zone's power, made for 90 of 100 cases.",
          _ZONE, _watts(lambda total: total.high_uw)),
    gauge("wattribute_floor_watts", "Idle power of a zone as it is used now, and how it is known.",
          ("zone", "basis"), _floors),
    gauge("wattribute_platform_fit_slope",
          "Watts of the platform for a watt more of packages, DRAM and GPUs, by the line through "
          "recent windows of the platform meter.",
          ("source",), _platform_fit(lambda fit: millionths(fit.slope))),
    gauge("wattribute_platform_fit_intercept_watts",
          "Power of the platform with packages, DRAM and GPUs at 0, by the same line.",
          ("source",), _platform_fit(lambda fit: fit.intercept_uw)),
    gauge("wattribute_platform_fit_residual_watts",
          "How far windows are off that line: a robust standard deviation.",
          ("source",), _platform_fit(lambda fit: fit.residual_uw)),
)  # fmt: skip
