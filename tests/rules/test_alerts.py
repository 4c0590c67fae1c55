"""Every alert: when it fires, and when it does not."""

from typing import Any


def test_no_alert_fires_where_all_is_well(lab: Any) -> None:
    kube = lab.series("kube_node_info", lab.steady(), node="node-a", job="kube-state-metrics")
    lab.check([*lab.node(), *health(lab), kube], {'ALERTS{alertname=~"Wattribute.*"}': None}, "75m")


def health(lab: Any, **values: str) -> list[dict[str, str]]:
    """Health series of node-a; a keyword replaces the values of one."""
    at = lab.target("node-a")
    given = {
        "meter_up": (lab.steady(1), {"meter": "rapl-sysfs"}),
        "zone_up": (lab.steady(1), {"zone": "package-0", "source": "rapl-sysfs"}),
        "zone_joules_total": (
            lab.watts(20),
            {
                "zone": "package-0",
                "component": "cpu",
                "source": "rapl-sysfs",
                "origin": "measured",
                "mode": "dynamic",
            },
        ),
        "state_failures_total": (lab.steady(0), {}),
        "activity_failures_total": (lab.steady(0), {}),
        "activity_dropped_records_total": (lab.steady(0), {}),
        "dropped_intervals_total": (lab.steady(1), {"reason": "impossible"}),
    }
    return [
        lab.series(f"wattribute_{name}", values.get(name, usual), **at, **labels)
        for name, (usual, labels) in given.items()
    ]


def test_no_target_at_all(lab: Any) -> None:
    other = lab.series("up", lab.steady(), job="node-exporter", instance="node-a")
    lab.fires("WattributeAgentsAbsent", [other], "30m", job="wattribute", severity="critical")
    lab.silent("WattributeAgentsAbsent", [other, lab.series("up", "0x600", **lab.target("a"))])


def test_a_target_that_does_not_answer(lab: Any) -> None:
    down = lab.series("up", lab.steady(0), **lab.target("node-a"))
    blip = lab.series("up", "1x20 0x10 1x400", **lab.target("node-a"))
    lab.fires("WattributeAgentDown", [down], "30m", instance="node-a", severity="warning")
    lab.silent("WattributeAgentDown", [blip], "16m")


def test_a_node_that_kubernetes_knows_and_we_do_not(lab: Any) -> None:
    kube = [
        lab.series("kube_node_info", lab.steady(), node=name, job="kube-state-metrics")
        for name in ("node-a", "node-b", "fargate-ip-10-0-0-1")
    ]
    alert = "WattributeNodeWithoutAgent"
    lab.fires(alert, [*lab.node(), *kube], "1h", node="node-b", severity="info")
    lab.silent(alert, [*lab.node(), kube[0], kube[2]], "1h")
    lab.silent(alert, kube, "1h")


def test_an_agent_that_answers_and_does_not_tick(lab: Any) -> None:
    at = lab.target("node-a")
    stuck = lab.series("wattribute_ticks_total", "0+6x40 240x400", **at)
    slow = lab.series("wattribute_ticks_total", "0+0.5x400", **at)  # a tick a minute
    lab.fires("WattributeSnapshotStale", [stuck], "1h", instance="node-a", severity="warning")
    lab.silent("WattributeSnapshotStale", [slow], "1h")


def test_a_state_file_that_cannot_be_written(lab: Any) -> None:
    failing = health(lab, state_failures_total="0+1x400")
    lab.fires("WattributeStateNotSaved", failing, "1h", instance="node-a")
    once = health(lab, state_failures_total="0x20 1x400")
    lab.silent("WattributeStateNotSaved", once, "1h")


def test_a_meter_that_gives_nothing(lab: Any) -> None:
    down = health(lab, meter_up="1x20 0x400", zone_up="1x20 0x400")
    lab.fires("WattributeMeterDown", down, "1h", instance="node-a", meter="rapl-sysfs")
    lab.silent("WattributeZoneDown", down, "1h")  # the meter's alert says it already
    blip = health(lab, meter_up="1x20 0x4 1x400")
    lab.silent("WattributeMeterDown", blip, "13m")


def test_a_zone_that_gives_nothing(lab: Any) -> None:
    down = health(lab, zone_up="1x20 0x400")
    lab.fires("WattributeZoneDown", down, "1h", zone="package-0", source="rapl-sysfs")
    lab.silent("WattributeMeterDown", down, "1h")


def test_a_node_that_is_estimated_and_was_measured(lab: Any) -> None:
    at = lab.target("node-a")
    measured, estimated = (
        {"component": "cpu", "mode": "dynamic", "origin": origin}
        for origin in ("measured", "estimated")
    )
    name, alert = "wattribute_node_joules_total", "WattributeFellBackToEstimate"
    fell = [
        lab.series(name, "0+300x40 stale", **at, **measured),
        lab.series(name, "_x40 0+200x400", **at, **estimated),
    ]
    lab.fires(alert, fell, "1h", instance="node-a", component="cpu", severity="warning")
    lab.silent(alert, [lab.series(name, "0+200x400", **at, **estimated)], "1h")
    back = [
        lab.series(name, "0+300x40 _x20 12000+300x400", **at, **measured),
        lab.series(name, "_x40 0+200x20 4000x400", **at, **estimated),
    ]
    lab.silent(alert, back, "1h")


def test_a_counter_that_stands_still_while_its_meter_answers(lab: Any) -> None:
    alert = "WattributeCounterStuck"
    stuck = health(lab, zone_joules_total="0+600x40 24000x400")
    lab.fires(alert, stuck, "1h", instance="node-a", zone="package-0", source="rapl-sysfs")
    down = health(lab, zone_joules_total="0+600x40 24000x400", zone_up="1x40 0x400")
    lab.silent(alert, down, "1h")
    at = lab.target("node-a")
    uncore = {"component": "", "source": "rapl-sysfs", "origin": "measured", "mode": "dynamic"}
    quiet = [
        lab.series("wattribute_zone_joules_total", "5x400", **at, zone="uncore-0", **uncore),
        lab.series("wattribute_zone_up", "1x400", **at, zone="uncore-0", source="rapl-sysfs"),
    ]
    lab.silent(alert, quiet, "1h")


def test_intervals_that_are_dropped_again_and_again(lab: Any) -> None:
    many = health(lab, dropped_intervals_total="0+1x400")
    lab.fires("WattributeIntervalsDropped", many, "1h", instance="node-a", reason="impossible")
    lab.silent("WattributeIntervalsDropped", health(lab, dropped_intervals_total="0x20 2x400"))


def test_shares_that_do_not_add_up(lab: Any) -> None:
    alert = "WattributeAttributionDrift"
    whole = lab.node()
    family = "wattribute_container_joules_total{"
    lost = [one for one in whole if not (family in one["series"] and 'id="c1"' in one["series"])]
    lab.fires(alert, lost, instance="node-a", severity="warning")
    lab.silent(alert, whole)


def test_records_that_are_lost(lab: Any) -> None:
    losing = health(lab, activity_dropped_records_total="0+5x400")
    lab.fires("WattributeRecordsDropped", losing, "1h", instance="node-a")
    lab.silent("WattributeRecordsDropped", health(lab), "1h")


def test_activity_that_cannot_be_read(lab: Any) -> None:
    failing = health(lab, activity_failures_total="0+1x400")
    lab.fires("WattributeActivityFailing", failing, "1h", instance="node-a")
    lab.silent("WattributeActivityFailing", health(lab, activity_failures_total="0x20 1x400"))


def test_a_node_that_mostly_idles(lab: Any) -> None:
    alert = "WattributeIdleShareHigh"
    labels = {"cluster": "prod", "node": "node-a", "severity": "info"}
    lab.fires(alert, lab.node(idle=80), **labels)
    lab.silent(alert, lab.node(idle=8))


def test_a_namespace_that_burns_its_budget(lab: Any) -> None:
    alert = "WattributeEnergyBudgetBurn"
    budget = "wattribute:namespace_budget_kwh_per_month"

    def with_budget(kwh: float) -> list[dict[str, str]]:
        return [*lab.node(), lab.series(budget, lab.steady(kwh), container_namespace="shop")]

    lab.fires(alert, with_budget(1), container_namespace="shop", severity="warning")
    lab.silent(alert, with_budget(9.9))
    lab.silent(alert, lab.node())
