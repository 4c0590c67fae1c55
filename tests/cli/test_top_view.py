import pytest
from hypothesis import given
from hypothesis import strategies as st

from wattribute.cli.top.view import (
    SORTS,
    VIEWS,
    By,
    Choice,
    ComponentPower,
    ConsumerRow,
    Picture,
    Sort,
    cells,
    chosen,
    columns,
    footing,
    heading,
)

WEB = ConsumerRow(
    watts=3, joules=30, cpu_percent=60, container="web", container_id="a" * 64, pod="shop",
    pod_uid="u1", namespace="sales",
)  # fmt: skip
SIDECAR = ConsumerRow(
    watts=2, joules=50, cpu_percent=10, container="proxy", container_id="b" * 64, pod="shop",
    pod_uid="u1", namespace="sales", alive=False,
)  # fmt: skip
DOCKER = ConsumerRow(watts=4, joules=10, cpu_percent=90, container="db", container_id="c" * 64)
PROCESS = ConsumerRow(watts=1, joules=1, cpu_percent=5, command="nginx", pid=42, container="web")


def _picture(
    *parts: ComponentPower, containers: tuple[ConsumerRow, ...] = (WEB, SIDECAR, DOCKER)
) -> Picture:
    return Picture(
        node="n1", where="http://h:9102", activity="tasks", policy="none", time_s=0.0, age_s=0.0,
        interval_s=5.0, parts=parts, processes=(PROCESS,), containers=containers,
    )  # fmt: skip


def _names(rows: list[ConsumerRow]) -> list[str]:
    return [row.container for row in rows]


@pytest.mark.parametrize(
    ("sort", "names"),
    [
        ("watts", ["db", "web", "proxy"]),
        ("joules", ["proxy", "web", "db"]),
        ("cpu", ["db", "web", "proxy"]),
        ("name", ["db", "proxy", "web"]),
    ],
)
def test_rows_come_in_the_order_asked_for(sort: Sort, names: list[str]) -> None:
    assert _names(chosen(_picture(), Choice(by="container", sort=sort))) == names


def test_a_pod_adds_up_its_containers_and_others_stay_alone() -> None:
    db, shop = sorted(chosen(_picture(), Choice(by="pod")), key=lambda row: row.containers)

    assert (shop.pod, shop.watts, shop.joules, shop.cpu_percent) == ("shop", 5, 80, 70)
    assert (shop.containers, shop.alive) == (2, True)
    assert (db.pod, db.watts) == ("db", 4)


def test_a_filter_looks_at_every_name_whatever_its_case() -> None:
    for text in ("SHOP", "sales", "b" * 64, "proxy"):
        assert "proxy" in _names(chosen(_picture(), Choice(by="container", filter_text=text)))
    assert chosen(_picture(), Choice(by="process", filter_text="42")) == [PROCESS]
    assert chosen(_picture(), Choice(by="process", filter_text="none")) == []


def test_a_limit_cuts_after_sorting() -> None:
    assert _names(chosen(_picture(), Choice(by="container", limit=1))) == ["db"]


@pytest.mark.parametrize("by", VIEWS)
def test_a_row_has_a_cell_for_every_column(by: By) -> None:
    assert all(len(cells(row, by)) == len(columns(by)) for row in chosen(_picture(), Choice(by=by)))


def test_what_has_ended_says_so() -> None:
    assert "proxy (ended)" in cells(SIDECAR, "container")


def test_an_estimate_is_never_shown_without_its_name_and_band() -> None:
    picture = _picture(
        ComponentPower("cpu", "estimated", 20.0, 15.0, 26.0, 1.0),
        ComponentPower("dram", "estimated", 2.0, 1, 3, 1.0),
    )

    assert heading(picture) == (
        "n1: 22.0 W, 2 J estimated | cpu 20.0 W estimated (15.0 to 26.0) | "
        "dram 2.0 W estimated (1.0 to 3.0)"
    )


def test_a_sum_with_an_estimate_in_it_says_so() -> None:
    cpu = ComponentPower("cpu", "measured", 20.0, None, None, 1.0)

    assert heading(_picture(cpu)) == "n1: 20.0 W, 1 J | cpu 20.0 W measured"
    assert "22.0 W, 2 J partly estimated" in heading(
        _picture(cpu, ComponentPower("dram", "estimated", 2.0, 1.0, 3.0, 1.0))
    )


def test_the_footing_says_where_numbers_come_from() -> None:
    assert footing(_picture()) == (
        "http://h:9102; activity by tasks; tick every 5 s; idle policy none"
    )


rows = st.builds(
    ConsumerRow,
    watts=st.floats(0, 1e6),
    joules=st.floats(0, 1e6),
    cpu_percent=st.floats(0, 1e4),
    container=st.text(max_size=5),
    container_id=st.text(max_size=5),
    pod=st.sampled_from(["", "a", "b"]),
    pod_uid=st.sampled_from(["", "u1", "u2"]),
)


@given(st.lists(rows, max_size=20), st.sampled_from(SORTS), st.sampled_from(VIEWS))
def test_no_joule_is_lost_between_views(many: list[ConsumerRow], sort: Sort, by: By) -> None:
    picture = _picture(containers=tuple(many))
    if by in ("container", "pod"):
        shown = chosen(picture, Choice(by=by, sort=sort))
        assert sum(row.joules for row in shown) == pytest.approx(sum(row.joules for row in many))
