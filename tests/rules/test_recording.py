from typing import Any

SHOP = {"container_namespace": "shop", "cluster": "prod"}


def test_watts_by_workload_have_owner_team_component_and_mode(lab: Any) -> None:
    web = 'wattribute:workload_watts:rate5m{workload="web"'
    lab.check(
        lab.node(),
        {
            f'sum by (owner_kind, team, cluster) ({web},component="cpu"}})': {
                '{owner_kind="Deployment",team="storefront",cluster="prod"}': 12
            },
            f'sum by (origin) ({web},component="cpu",mode="idle"}})': {'{origin="measured"}': 2},
            f'sum by (mode) ({web},component="dram"}})': {
                '{mode="dynamic"}': 1,
                '{mode="idle"}': 0.5,
            },
            f'sum({web},component=~"gpu|other"}})': 0,
        },
    )


def test_watts_by_namespace_and_team_are_sums_of_workloads(lab: Any) -> None:
    lab.check(
        lab.node(),
        {
            "sum by (cluster, container_namespace) (wattribute:namespace_watts:rate5m)": {
                '{cluster="prod",container_namespace="shop"}': 13.5,
                '{cluster="prod",container_namespace="system"}': 0,
            },
            "sum by (team) (wattribute:team_watts:rate5m)": {'{team="storefront"}': 13.5, "{}": 0},
        },
    )


def test_watts_of_node_and_cluster_with_idle_and_unattributed_add_up(lab: Any) -> None:
    lab.check(
        lab.node(idle=8, unattributed=3),
        {
            "sum by (node, instance, origin) (wattribute:node_watts:rate5m)": {
                '{node="node-a",instance="node-a",origin="measured"}': 24.5
            },
            "sum by (cluster) (wattribute:cluster_watts:rate5m)": {'{cluster="prod"}': 24.5},
            "sum by (node) (wattribute:idle_watts:rate5m)": {'{node="node-a"}': 8},
            "sum by (node) (wattribute:unattributed_watts:rate5m)": {'{node="node-a"}': 3},
        },
    )


def test_a_nested_node_is_in_no_sum_over_the_cluster_but_is_checked_itself(lab: Any) -> None:
    guest = lab.node("guest-1", nested=True, agent="wattribute-2")
    lab.check(
        [*lab.node(), *guest],
        {
            "wattribute:node:info": {'{cluster="prod",node="node-a",instance="node-a"}': 1},
            "sum(wattribute:cluster_watts:rate5m)": 21.5,
            "sum(wattribute:namespace_watts:rate5m)": 13.5,
            'kepler:container_package_watts:2m:by_ns_pod{container_namespace="shop"}': {
                '{container_namespace="shop",pod_name="web-7d9c5b6f4-x"}': 12
            },
            'kepler:container_joules_total:increase:24h:by_ns{container_namespace="shop"}': {
                '{container_namespace="shop"}': 13.5 * 1800
            },
            "wattribute:attributed:ratio10m": {'{instance="node-a"}': 1, '{instance="guest-1"}': 1},
        },
    )


def test_an_estimated_node_is_told_by_origin(lab: Any) -> None:
    guess = lab.node("node-b", origin="estimated", agent="wattribute-2")
    lab.check(
        [*lab.node(), *guess],
        {
            "sum by (origin) (wattribute:cluster_watts:rate5m)": {
                '{origin="measured"}': 21.5,
                '{origin="estimated"}': 21.5,
            },
            'sum(wattribute:team_watts:rate5m{origin="estimated"})': 13.5,
        },
    )


def test_the_workload_is_the_owner_else_the_pod_else_the_container(lab: Any) -> None:
    def one(number: int, pod: str, name: str, owner: tuple[str, str]) -> Any:
        return lab.Container(f"c{number}", "x", pod, name, owner, watts={"cpu": (number, 0)})

    containers = (
        one(1, "web-0", "app", ("StatefulSet", "web")),
        one(2, "bare", "app", ("", "")),
        one(3, "", "docker-name", ("", "")),
    )
    lab.check(
        lab.node(containers=containers),
        {
            'sum by (workload) (wattribute:workload_watts:rate5m{component="cpu"})': {
                '{workload="web"}': 1,
                '{workload="bare"}': 2,
                '{workload="docker-name"}': 3,
            }
        },
    )


def test_a_team_is_known_for_every_pod_also_those_without_one(lab: Any) -> None:
    bare = lab.Container("c2", "shop", "bare", "bare", pod_uid="u2", watts={"cpu": (4, 0)})
    lab.check(
        lab.node(containers=(lab.WEB, bare)),
        {
            "count by (pod_uid, team) (wattribute:pod:team)": {
                '{pod_uid="u1",team="storefront"}': 1,
                '{pod_uid="u2"}': 1,
            },
            "count by (container_id, pod_uid, workload, team) (wattribute:container:info)": {
                '{container_id="c1",pod_uid="u1",workload="web",team="storefront"}': 1,
                '{container_id="c2",pod_uid="u2",workload="bare"}': 1,
            },
        },
    )


def test_two_answers_about_one_node_container_or_pod_break_nothing(lab: Any) -> None:
    """The agent's pod was replaced, and the container got its name late."""
    nameless = lab.Container("c1", watts={"cpu": (10, 0)})
    before = lab.node(containers=(nameless,), minutes=20, tail=" stale", agent="wattribute-0")
    after = [
        {**one, "values": f"_x41 {one['values']}"}
        for one in lab.node(containers=(lab.WEB,), agent="wattribute-1")
    ]
    lab.check(
        [*before, *after],
        {
            'count(wattribute:container:info{workload="web"})': 1,
            'sum(wattribute:workload_watts:rate5m{workload="web"}) > bool 5': 1,
            "count(wattribute:container:info)": 1,
            "count(wattribute:node:info)": 1,
        },
        at="24m",
    )


def test_a_node_that_goes_takes_no_joule_with_it(lab: Any) -> None:
    gone = lab.node(minutes=20, tail=" stale")
    total_j = 13.5 * 20 * 60
    lab.check(
        gone,
        {
            "sum(sum_over_time(wattribute:namespace_watts:rate5m[1h])) * 60"
            f" / {total_j} > bool 0.98": 1,
            "sum(sum_over_time(wattribute:namespace_watts:rate5m[1h])) * 60"
            f" / {total_j} < bool 1.02": 1,
        },
        at="50m",
    )


def test_kilowatt_hours_of_a_day(lab: Any) -> None:
    """Two hours have passed: watts x 2 / 1000, less the first five minutes' slope."""

    def near(metric: str, power: float) -> dict[str, float]:
        expected = power * 2 / 1000
        return {f"abs(sum({metric}) / {expected} - 1) < bool 0.03": 1}

    lab.check(
        lab.node(unattributed=1),
        {
            **near("wattribute:cluster_kwh:1d", 22.5),
            **near('wattribute:node_kwh:1d{node="node-a"}', 22.5),
            **near('wattribute:namespace_kwh:1d{container_namespace="shop"}', 13.5),
            **near('wattribute:workload_kwh:1d{workload="web"}', 13.5),
            **near('wattribute:team_kwh:1d{team="storefront"}', 13.5),
            **near("wattribute:idle_kwh:1d", 8),
        },
        at="2h",
    )


def test_reserved_and_not_used_in_cores_bytes_and_watts_of_the_floor(lab: Any) -> None:
    """Of 8 cores 2 are reserved and 0.5 used; of 16000 bytes 4000 and 1000."""
    lab.check(
        lab.node(idle=8),
        {
            'sum by (team, resource) (wattribute:workload_reserved{workload="web"})': {
                '{team="storefront",resource="cpu_mcore"}': 2000,
                '{team="storefront",resource="memory_bytes"}': 4000,
            },
            "sum by (team, resource) (wattribute:workload_unused:rate5m)": {
                '{team="storefront",resource="cpu_mcore"}': 1500,
                '{team="storefront",resource="memory_bytes"}': 3000,
            },
            "sum by (workload, component) (wattribute:workload_unused_watts:rate5m)": {
                '{workload="web",component="cpu"}': 1500 / 8000 * 10,
                '{workload="web",component="dram"}': round(3000 / 16000 * 0.5, 3),
            },
        },
    )


def test_using_more_than_reserved_is_not_a_negative_rest(lab: Any) -> None:
    greedy = lab.Container(
        "c2", "shop", "greedy", "greedy", requests={"cpu_mcore": 100}, cores=4, pod_uid="u2"
    )
    lab.check(
        lab.node(containers=(lab.WEB, greedy)),
        {'sum(wattribute:workload_unused:rate5m{resource="cpu_mcore"})': 1500},
    )


def test_shares_add_up_while_a_container_is_born(lab: Any) -> None:
    """Held for 30 s at 0, then with its total at once: the gauge gives what the counter gets."""
    born = lab.Container("c9", "shop", "late", "late")
    inputs = lab.node(containers=(lab.WEB, born))
    target = lab.target("node-a")
    changed = []
    for one in inputs:
        name = one["series"]
        cpu = 'component="cpu",mode="dynamic"' in name
        if cpu and "container_joules" in name and 'id="c9",' in name:
            one = {**one, "values": "_x40 0 300+150x400"}  # noqa: PLW2901
        if cpu and "birth_held" in name:
            one = {**one, "values": "0x39 150 300 0x400"}  # noqa: PLW2901
        if cpu and "node_joules" in name:
            one = {**one, "values": "0+300x38 11700+450x400"}  # noqa: PLW2901
        changed.append(one)
    assert target["instance"] == "node-a"
    lab.check(
        changed,
        {
            "abs(wattribute:attributed:ratio10m - 1) < bool 0.02": {'{instance="node-a"}': 1},
        },
        at="25m",
    )


def test_the_names_that_kepler_users_have(lab: Any) -> None:
    pod = '{container_namespace="shop",pod_name="web-7d9c5b6f4-x"}'
    both = '{container_namespace="shop"}'
    expected = {"package": 12, "dram": 1.5, "other": 0, "gpu": 0}
    lab.check(
        lab.node(),
        {
            **{
                f"kepler:container_{kind}_watts:{window}:by_ns_pod{both}": {pod: power}
                for kind, power in expected.items()
                for window in ("15s", "2m")
            },
            f"kepler:container_joules_total:increase:24h:by_ns_pod{both}": {pod: 13.5 * 1800},
            f"kepler:container_joules_total:increase:24h:by_ns{both}": {both: 13.5 * 1800},
        },
    )


def test_the_pace_against_a_budget(lab: Any) -> None:
    """13.5 W is 9.855 kWh a month; two of the six hours have passed."""
    budget = lab.series(
        "wattribute:namespace_budget_kwh_per_month", lab.steady(4.9275), container_namespace="shop"
    )
    lab.check(
        [*lab.node(), budget],
        {
            "abs(wattribute:namespace_budget:burn1h - 2) < bool 0.05": {
                '{container_namespace="shop"}': 1
            },
            "abs(wattribute:namespace_budget:burn6h - 2 * 2 / 6) < bool 0.05": {
                '{container_namespace="shop"}': 1
            },
        },
        at="2h",
    )
