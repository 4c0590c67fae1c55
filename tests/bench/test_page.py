"""The page says what the results say, the bad news first."""

import xml.etree.ElementTree as ET
from pathlib import Path

import msgspec
import pytest
from bench.accuracy.chart import render_chart
from bench.accuracy.page import render
from bench.accuracy.results import (
    Conditions,
    Measured,
    Played,
    Results,
    Summary,
    read_results,
    write_results,
)
from bench.accuracy.run import play_recordings, play_worlds
from bench.accuracy.score import Score
from bench.accuracy.targets import verdicts, worse_than_time
from bench.figure import at_most, unmeasured

CONDITIONS = Conditions(date="2026-01-02", machine="a CPU", extent="1 seed")


def summary(error: float, excess: float = 0.0, **more: float) -> Summary:
    score = Score(error=error, raw_error=error, worst=error, misfit=0, tick_ms=0.1, **more)
    return Summary(score=score, excess=excess)


def world(by_time: float, learned: float, **more: float) -> dict[str, Summary]:
    names = ("time", "Kepler 0.11 rule", "Kepler 0.9 ratio", "Scaphandre rule")
    own = {"covers": 90.0, "half_width": 20.0, "error_squared": 0.01} | more
    return dict.fromkeys(names, summary(by_time)) | {
        "learned": summary(learned, learned - by_time, **own)
    }


RESULTS = Results(
    worlds=Played(
        conditions=CONDITIONS,
        summaries={
            "soft 20": world(28.0, 4.0),
            "hard 20": world(25.0, 9.0, covers=80.0),
            "constant": world(28.0, 30.0, half_width=80.0),
        },
    ),
    recordings=Played(conditions=CONDITIONS, summaries={}, unmeasured={"mine": "MINE is not set"}),
    plants=Measured(
        conditions=CONDITIONS,
        figures=[
            at_most("plants", "hot", 12.0, most=10, unit="%"),
            unmeasured("plants", "Kepler | it", "", "KEPLER is not set"),
        ],
    ),
)


def test_worlds_in_which_it_is_worse_come_before_all_tables() -> None:
    page = render(RESULTS)

    worse = page.index("* constant: 30.0 % instead of 28.0 %, +2.0 points in the worst seed")
    assert worse < page.index("| soft 20 | 28.0 | **4.0** | -24.0 |")
    assert "soft 20: " not in page


def test_missed_targets_are_named_with_their_value() -> None:
    summaries = RESULTS.worlds.summaries if RESULTS.worlds else {}
    missed = {(one.world, one.what) for one in verdicts(summaries) if not one.met}
    page = render(RESULTS)

    assert missed == {
        ("hard 20", "error"),
        ("hard 20", "band covers"),
        ("constant", "worst seed against CPU time"),
        ("constant", "band over errors"),
    }
    assert "7 of 11 targets" in page
    assert "* error: hard 20 9.00 (<= 8 %)" in page
    assert "* band covers >= 85 %: hard 20 80.00" in page


def test_the_world_that_is_worst_on_average_comes_first() -> None:
    summaries = {"a": world(1.0, 1.2), "b": world(1.0, 3.0), "c": world(1.0, 1.02)}

    assert worse_than_time(summaries) == ["b", "a"]


def test_what_was_not_measured_is_said_and_why() -> None:
    page = render(RESULTS)

    assert "* mine: not measured. MINE is not set" in page
    assert "| hot | 12 % | <= 10 % | miss |  |" in page
    assert "| Kepler \\| it |  |  | unmeasured | KEPLER is not set |" in page
    assert "Not measured yet." in page
    assert render(Results()).count("Not measured yet.") == 4


def test_the_chart_has_two_bars_for_each_world_and_is_well_formed() -> None:
    chart = ET.fromstring(render_chart({"a & b": world(20.0, 5.0)}))  # noqa: S314 - our own
    texts = [element.text for element in chart.iter("{http://www.w3.org/2000/svg}text")]
    bars = [e for e in chart.iter("{http://www.w3.org/2000/svg}rect") if e.get("height") == "8"]

    assert "a & b" in texts
    assert float(bars[0].get("width", 0)) == pytest.approx(4 * float(bars[1].get("width", 0)))
    assert len(bars) == 2


def test_results_come_back_as_they_were_but_for_digits(tmp_path: Path) -> None:
    file = tmp_path / "results.json"
    write_results(RESULTS, file)

    assert read_results(file) == RESULTS
    assert read_results(tmp_path / "none.json") == Results()
    fine = msgspec.structs.replace(
        RESULTS, worlds=Played(conditions=CONDITIONS, summaries={"a": world(1 / 3, 0.1)})
    )
    write_results(fine, file)
    assert b"0.33333," in file.read_bytes()
    assert render(read_results(file)) == render(fine)


def test_a_small_world_and_the_shipped_recording_are_played(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("ASE26", raising=False)
    told: list[str] = []
    worlds = play_worlds(["one"], 1, lambda name, _: told.append(name))
    recorded = play_recordings(
        ["ase26, 16 pods", "nx12, 5 pods"], 1, lambda name, _: told.append(name)
    )

    assert told == ["one", "nx12, 5 pods"]
    assert worlds.summaries["one"]["learned"].score.error == pytest.approx(0, abs=1e-6)
    assert list(recorded.unmeasured) == ["ase26, 16 pods"]
    better = recorded.summaries["nx12, 5 pods"]
    assert better["learned"].score.error < better["time"].score.error
