from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from wattribute.accounting.ledger.collect import Collector
from wattribute.accounting.ledger.fill import Fill, Outcome
from wattribute.accounting.ledger.store import Store
from wattribute.accounting.promql.client import Prometheus
from wattribute.accounting.settings import LedgerSettings
from wattribute.core.errors import DataInvalid, SourceFailed, SourceInterrupted
from wattribute.core.units import HOUR_S
from wattribute_testing.cluster_series import MadeContainer, MadeNode
from wattribute_testing.prometheus import FakePrometheus, Fault, MadeSeries

HOUR = 1_790_812_800
MINUTES = [HOUR + 60.0 * minute for minute in range(-1, 61)]
N = len(MINUTES)


def _rising(step: int, start: int = 0, count: int = N) -> list[int]:
    return [start + step * k for k in range(count)]


def _node(name: str = "a", **changes: Any) -> MadeNode:
    """A node whose one container draws 3 of 4 parts of its dynamic energy; 1 is nobody's."""
    fields: dict[str, Any] = {
        "name": name,
        "times": MINUTES,
        "node_uj": _rising(4_000_000, 10**9),
        "idle_uj": _rising(1_000_000),
        "unattributed_uj": _rising(1_000_000),
        "held_uj": [0] * N,
        "containers": [MadeContainer("c1", _rising(3_000_000, 77), "bot-1", labels={"app": "bot"},
                                     request_mcore=500)],
    }  # fmt: skip
    return MadeNode(**(fields | changes))


@pytest.fixture
def collect(tmp_path: Path) -> Callable[..., tuple[Outcome, list[dict[str, Any]]]]:
    def run(
        series: list[MadeSeries],
        hours: int = 1,
        *,
        recheck: bool = False,
        cluster: str = "",
        annotations: bool = False,
        max_samples: int = 0,
    ) -> tuple[Outcome, list[dict[str, Any]]]:
        store = Store.at(str(tmp_path / "ledger"))
        with (
            FakePrometheus(series, max_samples=max_samples) as server,
            Prometheus(LedgerSettings(prometheus_url=server.url)) as client,
        ):
            collector = Collector(client, cluster=cluster, annotations=annotations)
            fill = Fill(store, collector, now_s=lambda: HOUR + 9e5, recheck=recheck)
            outcome = fill.run(HOUR, HOUR + hours * HOUR_S)
        return outcome, store.entries(HOUR, HOUR + hours * HOUR_S).to_pylist()

    return run


def _sums(entries: list[dict[str, Any]], *keys: str) -> dict[Any, int]:
    found: dict[Any, int] = defaultdict(int)
    for entry in entries:
        key = tuple(entry[key] for key in keys)
        found[key[0] if len(key) == 1 else key] += entry["energy_uj"]
    return dict(found)


Collect = Callable[..., tuple[Outcome, list[dict[str, Any]]]]


def test_entries_add_up_to_the_nodes_rise_from_scrape_to_scrape(collect: Collect) -> None:
    outcome, entries = collect(_node().series())

    assert _sums(entries, "kind") == {
        "workload": 60 * 3_000_000,
        "unattributed": 60 * 1_000_000,
        "idle": 60 * 1_000_000,
    }
    assert not outcome.problems
    assert not outcome.gaps


def test_an_entry_says_who_where_and_how_much_was_reserved(collect: Collect) -> None:
    _, entries = collect(_node().series(), cluster="prod")

    (bot,) = (entry for entry in entries if entry["kind"] == "workload")
    assert (bot["cluster"], bot["node"], bot["provider_id"]) == ("prod", "a", "aws:///z/i-a")
    assert (bot["namespace"], bot["pod"], bot["container"]) == ("shop", "bot-1", "main")
    assert dict(bot["labels"]) == {"app": "bot"}
    assert bot["cpu_request_mcore_s"] == 500 * 3600
    assert bot["alive_s"] == bot["covered_s"] == 3600
    assert bot["low_uj"] == bot["high_uj"] == bot["energy_uj"]
    (idle,) = (entry for entry in entries if entry["kind"] == "idle")
    assert idle["floor_uj"] == idle["energy_uj"]
    assert idle["capacity_cpu_mcore_s"] == 8000 * 3600


def test_an_estimate_carries_its_band_and_its_model(collect: Collect) -> None:
    _, entries = collect(_node(origin="estimated").series())

    assert {entry["origin"] for entry in entries} == {"estimated"}
    assert all(entry["low_uj"] == round(entry["energy_uj"] / 2) for entry in entries)
    assert all(entry["high_uj"] == 2 * entry["energy_uj"] for entry in entries)
    assert {entry["model"] for entry in entries} == {"m 1"}


def test_collecting_twice_changes_nothing(collect: Collect) -> None:
    _, first = collect(_node().series())

    skipped, again = collect(_node().series())
    rechecked, third = collect(_node().series(), recheck=True)

    assert first == again == third
    assert (skipped.skipped, skipped.node_hours, skipped.seals) == (1, 0, [])
    assert rechecked.node_hours == 1


def test_what_comes_late_is_a_correction_and_sums_are_as_if_it_had_been_in_time(
    collect: Collect,
) -> None:
    whole = _node().series()
    half = [MadeSeries(one.labels, one.samples[:32]) for one in whole]
    early, entries = collect(half)
    assert [gap[0] for gap in early.gaps] == ["a"]
    assert sum(entry["energy_uj"] for entry in entries) == 30 * 5_000_000

    late, entries = collect(whole)

    assert late.entries == 0
    assert late.corrections == 3
    assert {entry["corrects"] for entry in entries} == {"", early.seals[0]}
    assert sum(entry["energy_uj"] for entry in entries) == 60 * 5_000_000
    idle = [entry["covered_s"] for entry in entries if entry["kind"] == "idle"]
    assert sum(idle) == 3600


def test_what_the_source_has_forgotten_stays_as_it_was_sealed(collect: Collect) -> None:
    whole = _node().series()
    _, first = collect(whole)

    outcome, again = collect(
        [MadeSeries(one.labels, one.samples[40:]) for one in whole], recheck=True
    )

    assert first == again
    assert [key[2] for key in outcome.forgotten] == ["a"]


def test_a_birth_that_is_held_is_booked_when_it_is_shown(collect: Collect) -> None:
    # 2 J are drawn by a container that is shown as 0 across the end of the hour.
    node = _node(
        times=[*MINUTES, HOUR + 3660.0],
        node_uj=[*[0] * 60, 2_000_000, 2_000_000, 2_000_000],
        idle_uj=[0] * 63,
        unattributed_uj=[0] * 63,
        held_uj=[*[0] * 60, 2_000_000, 2_000_000, 0],
        containers=[MadeContainer("c9", [*[None] * 60, 0, 0, 2_000_000], "late")],
    )

    _, entries = collect(node.series(), hours=2)

    per_hour = _sums(entries, "hour", "kind")
    assert sorted(per_hour.values()) == [0, 0, 2_000_000]
    assert _sums(entries, "pod")["late"] == 2_000_000


def test_an_agent_that_lost_its_totals_costs_nothing(collect: Collect) -> None:
    # At minute 30 all begins anew; the container passes its old value before the next scrape.
    node_uj = [*_rising(4_000_000, 10**9, 31), *_rising(4_000_000, 4_000_000, 31)]
    bot = [*_rising(1_000_000, 0, 31), *_rising(1_000_000, 40_000_000, 31)]
    lost = _node(node_uj=node_uj, containers=[MadeContainer("c1", list(bot), "bot-1")],
                 unattributed_uj=[], idle_uj=[0] * N)  # fmt: skip

    _, entries = collect(lost.series())

    assert _sums(entries, "kind")["workload"] == (29 + 40 + 30) * 1_000_000
    assert sum(entry["energy_uj"] for entry in entries) == (29 + 1 + 30) * 4_000_000


def test_a_name_that_came_late_gets_all_joules_of_its_container(collect: Collect) -> None:
    nameless = MadeContainer("c1", [*_rising(3_000_000, 0, 20), *[57_000_000] * 5, *[None] * 37])
    named = MadeContainer("c1", [*[None] * 20, *_rising(3_000_000, 3_000_000, 42)], "bot-1")

    _, entries = collect(_node(containers=[nameless, named]).series())

    assert _sums(entries, "pod")["bot-1"] == 54_000_000 + 42 * 3_000_000


def test_a_container_that_no_scrape_saw_is_unattributed_and_said(collect: Collect) -> None:
    outcome, entries = collect(_node(unattributed_uj=[0] * N).series())

    assert _sums(entries, "kind")["unattributed"] == 60 * 1_000_000
    assert "no container that a scrape saw" in outcome.problems[0]


def test_a_node_that_is_scraped_by_two_jobs_counts_once(collect: Collect) -> None:
    skewed = [time + 7.0 for time in MINUTES[:-1]]
    twice = _node(times=skewed, more={"prometheus": "b"})

    outcome, entries = collect(_node().series() + twice.series())

    assert sum(entry["energy_uj"] for entry in entries) == 60 * 5_000_000
    assert outcome.problems == ['a: scraped twice: prometheus="b" was left out']


def test_an_agent_with_a_new_address_is_the_same_node(collect: Collect) -> None:
    before = [
        MadeSeries(s.labels, s.samples[:25]) for s in _node(instance="10.0.0.1:9102").series()
    ]
    after = [MadeSeries(s.labels, s.samples[25:]) for s in _node(instance="10.0.0.2:9102").series()]

    outcome, entries = collect(before + after)

    assert _sums(entries, "kind")["workload"] == 60 * 3_000_000
    assert sum(entry["energy_uj"] for entry in entries) == 60 * 5_000_000
    assert not outcome.problems


def test_a_gap_is_named_and_what_rose_in_it_is_in_the_hour_that_ends_it(collect: Collect) -> None:
    gone = [MadeSeries(s.labels, [(t if k < 5 else t + 4 * HOUR_S, v) for k, (t, v) in
            enumerate(s.samples)]) for s in _node().series()]  # fmt: skip

    outcome, entries = collect(gone, hours=6)

    assert sum(entry["energy_uj"] for entry in entries) == 60 * 5_000_000
    assert {entry["hour"].hour for entry in entries} == {0, 4}
    assert (outcome.gaps[0][2] - outcome.gaps[0][1]) // 60_000 == 57
    covered = {entry["hour"].hour: entry["covered_s"] for entry in entries}
    assert covered[0] == 180


def test_two_clusters_with_the_same_addresses_are_told_apart(collect: Collect) -> None:
    one = _node(more={"cluster": "x"})
    other = _node(more={"cluster": "y"}, node_uj=_rising(5_000_000))

    _, entries = collect(one.series() + other.series())

    sums = _sums(entries, "cluster")
    assert sums == {"x": 60 * 5_000_000, "y": 60 * 6_000_000}


def test_a_guest_whose_host_is_scraped_too_is_left_out(collect: Collect) -> None:
    nested = [MadeSeries({**s.labels, "nested": "true"} if s.labels["__name__"].endswith(
              "node_info") else s.labels, s.samples) for s in _node("guest").series()]  # fmt: skip

    _, entries = collect(_node().series() + nested)

    assert {entry["node"] for entry in entries} == {"a"}


def test_a_server_that_limits_its_answers_is_asked_for_less(collect: Collect) -> None:
    series = [one for name in "abcdef" for one in _node(name).series()]

    _, entries = collect(series, max_samples=12 * N)

    assert set(_sums(entries, "node").values()) == {60 * 5_000_000}
    assert len(_sums(entries, "node")) == 6


def test_an_answer_that_breaks_off_is_asked_for_again(tmp_path: Path) -> None:
    store = Store.at(str(tmp_path / "ledger"))
    with (
        FakePrometheus(_node().series()) as server,
        Prometheus(LedgerSettings(prometheus_url=server.url)) as client,
    ):
        server.faults = [Fault(), Fault(keep_bytes=500), Fault(), Fault(keep_bytes=500)]
        Fill(store, Collector(client), now_s=lambda: HOUR + 9e5).run(HOUR, HOUR + HOUR_S)
        server.faults = [Fault(), *[Fault(keep_bytes=500)] * 3]
        with pytest.raises(SourceInterrupted):
            Fill(store, Collector(client), now_s=lambda: HOUR + 9e5, recheck=True).run(
                HOUR, HOUR + HOUR_S
            )

    entries = store.entries(HOUR, HOUR + HOUR_S).to_pylist()
    assert sum(entry["energy_uj"] for entry in entries) == 60 * 5_000_000


def test_our_own_family_is_enough(collect: Collect) -> None:
    series = [s for s in _node().series() if not s.labels["__name__"].startswith("kepler")]

    _, entries = collect(series)

    assert entries == collect(_node().series(), recheck=True)[1]
    assert _sums(entries, "kind")["workload"] == 60 * 3_000_000


def test_agents_of_0_1_are_read_by_keplers_names(collect: Collect) -> None:
    outcome, entries = collect(_node(only_kepler=True).series())

    assert _sums(entries, "kind", "origin") == {
        ("workload", "measured"): 60 * 3_000_000,
        ("unattributed", "measured"): 60 * 1_000_000,
        ("idle", "measured"): 60 * 1_000_000,
    }
    assert not outcome.problems


def test_an_origin_that_no_zone_says_is_unknown(collect: Collect) -> None:
    zone = "wattribute_zone_power_watts"
    series = [s for s in _node(only_kepler=True).series() if s.labels["__name__"] != zone]

    _, entries = collect(series)

    assert _sums(entries, "kind", "origin")["workload", "unknown"] == 60 * 3_000_000


def test_agents_of_0_1_without_keplers_families_are_refused(collect: Collect) -> None:
    series = [
        s for s in _node(only_kepler=True).series() if not s.labels["__name__"].startswith("kepler")
    ]

    with pytest.raises(DataInvalid, match=r"exporter\.metrics: kepler-0\.9"):
        collect(series)


@pytest.mark.parametrize("scrapes_before", [1, 2, 20, 61])
def test_an_hour_in_which_the_agent_was_upgraded_counts_each_joule_once(
    collect: Collect, scrapes_before: int
) -> None:
    own = "wattribute_container_joules_total"
    upgraded = [
        MadeSeries(s.labels, s.samples[scrapes_before:]) if s.labels["__name__"] == own else s
        for s in _node().series()
    ]

    outcome, entries = collect([one for one in upgraded if one.samples])

    assert _sums(entries, "kind")["workload"] == 60 * 3_000_000
    assert sum(entry["energy_uj"] for entry in entries) == 60 * 5_000_000
    assert not outcome.problems


def test_annotations_come_from_kube_state_metrics_by_the_pods_uid(collect: Collect) -> None:
    labels = {"__name__": "kube_pod_annotations", "uid": "uid-bot-1", "job": "kube-state-metrics",
              "annotation_finops_team": "growth"}  # fmt: skip
    annotated = MadeSeries(labels, [(time, "1") for time in MINUTES])

    _, entries = collect([*_node().series(), annotated], annotations=True)

    (bot,) = (entry for entry in entries if entry["kind"] == "workload")
    assert dict(bot["annotations"]) == {"finops_team": "growth"}


def test_a_meter_that_was_silent_as_the_hour_began_brings_no_old_joules(collect: Collect) -> None:
    # The node's series end at minute -31, and come back at minute 10 with their totals.
    times = [HOUR + 60.0 * minute for minute in (-32, -31, *range(-1, 61))]
    zero = [0] * 64
    quiet = _node(times=times, node_uj=zero, idle_uj=zero, unattributed_uj=zero, containers=[])
    back = _node(times=times, node_uj=_rising(4_000_000, 10**9, 64), idle_uj=zero,
                 unattributed_uj=zero, origin="integrated",
                 containers=[MadeContainer("c1", _rising(3_000_000, 77, 64), "bot-1")])  # fmt: skip
    ended = [
        MadeSeries(s.labels, [(t, v) for t, v in s.samples if not -1800 < t - HOUR < 600])
        if s.labels["__name__"] == "wattribute_node_joules_total"
        else s
        for s in back.series()
        if s.labels["__name__"] not in {one.labels["__name__"] for one in quiet.series()}
        or s.labels["__name__"] == "wattribute_node_joules_total"
    ]

    _, entries = collect(quiet.series() + ended)

    assert sum(entry["energy_uj"] for entry in entries) == 62 * 4_000_000


def test_a_node_that_comes_late_as_a_whole_is_sealed_by_the_next_run(collect: Collect) -> None:
    collect(_node().series())

    late, entries = collect(_node().series() + _node("b").series())

    assert (late.skipped, late.node_hours, late.corrections) == (1, 1, 0)
    assert _sums(entries, "node") == {"a": 60 * 5_000_000, "b": 60 * 5_000_000}


def test_a_server_that_dies_between_two_nodes_keeps_what_was_whole(tmp_path: Path) -> None:
    series = [one for name in "abcdefghij" for one in _node(name).series()]
    store = Store.at(str(tmp_path / "ledger"))
    with (
        FakePrometheus(series) as server,
        Prometheus(LedgerSettings(prometheus_url=server.url), sleep=lambda _: None) as client,
    ):
        fill = Fill(store, Collector(client), now_s=lambda: HOUR + 9e5)
        answers = iter(range(100))
        server.before_answer = lambda: 503 if next(answers) >= 3 else 200
        with pytest.raises(SourceFailed, match="503"):
            fill.run(HOUR, HOUR + HOUR_S)
        first = store.entries(HOUR, HOUR + HOUR_S).to_pylist()
        server.before_answer = lambda: 200
        again = Fill(store, Collector(client), now_s=lambda: HOUR + 9e5).run(HOUR, HOUR + HOUR_S)

    whole = _sums(store.entries(HOUR, HOUR + HOUR_S).to_pylist(), "node")
    assert len(_sums(first, "node")) == again.skipped == 8
    assert set(whole.values()) == {60 * 5_000_000}
    assert len(whole) == 10
