import json
from pathlib import Path

import pytest

from wattribute.accounting.ledger.entries import LedgerEntries
from wattribute.accounting.ledger.store import Store
from wattribute.cli import invoke
from wattribute.core.units import MICROJOULES_PER_KWH
from wattribute_testing.cluster_series import MadeContainer, MadeNode
from wattribute_testing.prometheus import FakePrometheus

HOUR = 1_790_812_800


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    entries = LedgerEntries()
    common = {"hour": HOUR * 1_000_000, "cluster": "c", "node": "n", "component": "cpu",
              "origin": "measured", "covered_s": 3000}  # fmt: skip
    for pod, labels, kwh in (
        ("a-1", {"app": "a"}, 3),
        ("b-1", {"app": "b\x1b[31m"}, 1),
        ("x", {}, 0),
    ):
        entries.add(common | {"kind": "workload", "namespace": "shop", "pod": pod, "labels": labels,
                              "energy_uj": kwh * MICROJOULES_PER_KWH})  # fmt: skip
    floor = MICROJOULES_PER_KWH
    entries.add(common | {"kind": "idle", "energy_uj": floor, "floor_uj": floor})
    Store.at(str(tmp_path / "ledger")).write(HOUR, "s1", [entries.table("s1")])
    return tmp_path / "ledger"


def test_show_prints_who_used_what(ledger: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke(["ledger", "show", "--ledger", str(ledger), "--by", "label:app"]) == 0

    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert [row[:3] for row in rows[1:]] == [
        ["a", "3.000", "60.0"],
        ["(idle)", "1.000", "20.0"],
        ["b\\x1b[31m", "1.000", "20.0"],
        ["(none)", "0.000", "0.0"],
        ["total", "5.000", "100.0"],
    ]


def test_show_by_team_says_which_rule_matches_nothing(
    ledger: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "wattribute.yaml"
    config.write_text(
        "ownership: {rules: [{when: {'label:app': a}, team: alpha}, {when: {pod: zz}, team: z}]}"
    )

    assert invoke(["ledger", "show", "--ledger", str(ledger), "--by", "team",
                "--config", str(config), "--json"]) == 0  # fmt: skip

    out, err = capsys.readouterr()
    sums = {row["group"]: row["energy_uj"] // MICROJOULES_PER_KWH for row in json.loads(out)}
    assert sums == {"alpha": 3, "(unowned)": 1, "(idle)": 1}
    assert err == "ownership.rules[1] matched nothing: pod=zz\n"


def test_a_period_without_entries_is_a_negative_answer(
    ledger: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert invoke(["ledger", "show", "--ledger", str(ledger), "--month", "2027-01"]) == 1
    assert "no entries in this period" in capsys.readouterr().err


def test_check_names_gaps_and_passes(ledger: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke(["ledger", "check", "--ledger", str(ledger)]) == 0
    assert "gap: c/n 2026-10-01 00:00 to 2026-10-01 01:00: 10 min are missing" in (
        capsys.readouterr().out
    )


def test_check_finds_entries_that_are_there_twice(
    ledger: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = Store.at(str(ledger))
    again = store.entries(HOUR, HOUR + 3600)
    store.write(HOUR, "s2", [again])

    assert invoke(["ledger", "check", "--ledger", str(ledger)]) == 1
    assert "4 entries are there twice" in capsys.readouterr().err


def test_check_finds_a_damaged_file(ledger: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (ledger / "dt=2026-10-01" / "s1.parquet").write_bytes(b"PAR1")

    assert invoke(["ledger", "check", "--ledger", str(ledger), "--json"]) == 1
    assert "not a whole Parquet file" in json.loads(capsys.readouterr().out)["faults"][0]
    assert invoke(["ledger", "show", "--ledger", str(ledger)]) == 5


def test_collect_seals_a_day(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    times = [HOUR - 86_400 * 60 + 60.0 * minute for minute in range(-1, 61)]
    steps = [1_000_000 * k for k in range(62)]
    bot = MadeContainer("c1", list(steps), "bot-1")
    node = MadeNode("a", times, steps, steps, [bot], [0] * 62, [0] * 62)
    with FakePrometheus(node.series()) as server:
        command = ["ledger", "collect", "--prometheus", server.url, "--ledger", str(tmp_path),
                   "--from", "2026-08-02", "--to", "2026-08-03"]  # fmt: skip
        assert invoke(command) == 0
        assert invoke(command) == 0

    out = capsys.readouterr().out.splitlines()
    assert out == [
        "read 1 node hours (0 were sealed already): 2 entries and 0 corrections in 1 seals",
        "read 0 node hours (1 were sealed already): 0 entries and 0 corrections in 0 seals",
    ]


def test_a_server_that_scrapes_no_agent_is_a_negative_answer(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with FakePrometheus() as server:
        assert invoke(["ledger", "collect", "--prometheus", server.url, "--ledger", str(tmp_path),
                    "--from", "2026-08-02", "--to", "2026-08-03"]) == 1  # fmt: skip
    assert "no agent was seen" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["collect"], 2, "needs one source"),
        (["collect", "--prometheus", "localhost"], 2, "'localhost' is no address"),
        (["collect", "--prometheus", "http://x", "--month", "2026-13"], 2, "is no month"),
        (["collect", "--prometheus", "http://x", "--from", "2026-10-01T00:30"], 2, "full hour"),
        (["collect", "--prometheus", "http://x", "--from", "soon"], 2, "is no day or hour"),
        (["collect", "--prometheus", "http://x", "--month", "2026-10", "--to", "2026-10-05"], 2,
         "--month goes without"),
        (["collect", "--prometheus", "http://x", "--from", "2996-10-01"], 2, "no hour to seal"),
        (["collect", "--spool", "."], 5, "no spool"),
        (["show", "--by", "colour"], 2, "--by colour: no such key"),
        (["show", "--ledger", "nosuch://x"], 5, "cannot open the ledger"),
    ],
)  # fmt: skip
def test_what_cannot_be_done_is_one_line(  # noqa: PLR0917 - fixtures
    arguments: list[str], code: int, said: str, tmp_path: Path,
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)

    assert invoke(["ledger", *arguments]) == code
    assert said in capsys.readouterr().err


def test_check_of_a_folder_that_is_not_there_does_not_say_all_is_well(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert invoke(["ledger", "check", "--ledger", str(tmp_path / "leger")]) == 5
    assert "nothing to check" in capsys.readouterr().err


def test_show_has_a_column_by_another_weight_where_it_says_anything(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    entries = LedgerEntries()
    common = {"hour": HOUR * 1_000_000, "node": "n", "component": "cpu", "origin": "measured",
              "covered_s": 3600, "kind": "workload", "shared_by": "learned-1"}  # fmt: skip
    for pod, kwh, by_time_kwh in (("hot", 3, 2), ("cool", 1, 2)):
        entries.add(common | {"pod": pod, "energy_uj": kwh * MICROJOULES_PER_KWH,
                              "time_uj": by_time_kwh * MICROJOULES_PER_KWH})  # fmt: skip
    Store.at(str(tmp_path)).write(HOUR, "s1", [entries.table("s1")])

    assert invoke(["ledger", "show", "--ledger", str(tmp_path), "--by", "pod"]) == 0
    titles, hot, *_, total = capsys.readouterr().out.splitlines()
    assert "BY CPU TIME" in titles
    assert "BY LEARNED" not in titles
    assert hot.split()[5] == "2.000"
    assert total.split()[3] == "4.000"
    assert invoke(["ledger", "show", "--ledger", str(tmp_path), "--by", "shared_by"]) == 0
    assert capsys.readouterr().out.splitlines()[1].split()[:2] == ["learned-1", "4.000"]
