"""The commands as a user types them, on the demo's month."""

import json
from pathlib import Path

import pytest

from wattribute.cli import invoke

pytestmark = pytest.mark.xdist_group("demo")

pytestmark = pytest.mark.xdist_group("demo-statement")  # made once, not by each worker


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("demo") / "d"
    assert invoke(["demo", str(made)]) == 0
    return made


@pytest.fixture
def inside(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(folder)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    return folder


def test_the_first_minute(inside: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The issue's commands after ``demo``, as they are written there."""
    asked = ["--bill", "focus.parquet", "--by", "label:app", "--month", "2026-10"]
    capsys.readouterr()
    assert invoke(["statement", *asked, "--out", "october.csv"]) == 0
    printed = capsys.readouterr().out
    assert "marketing-ai-bot" in printed
    assert "(exact)" in printed
    assert (inside / "october.csv").read_text().startswith("month,row,owner")
    row = next(line.split()[0] for line in printed.splitlines() if "marketing-ai-bot" in line)
    assert invoke(["explain", row, "--limit", "1"]) == 0
    told = capsys.readouterr().out
    assert "focus.parquet line" in told
    assert 'wattribute_container_joules_total{component="gpu"' in told
    assert "\nIn the month marketing-ai-bot ran" in told
    assert invoke(["compare", *asked, "--json"]) == 0
    compared = json.loads(capsys.readouterr().out)
    assert [method["id"] for method in compared["methods"]] == [
        "requests",
        "max-request-usage",
        "usage",
        "energy",
        "energy-idle-reserved",
        "energy-by-time",
    ]


@pytest.mark.usefixtures("inside")
def test_the_question_of_the_cfo(capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    asked = ["--by", "label:app", "--month", "2026-10", "--json"]
    assert invoke(["statement", "--total", "EC2=50000 USD", *asked]) == 0
    body = json.loads(capsys.readouterr().out)
    assert body["difference"] == "0.00"
    assert body["total"] == "50000.00"
    owners = {row["owner"]: row for row in body["rows"]}
    assert owners["customer-support-bot"]["carbon_g"] > 0
    assert body["carbon"][0]["zone"] == "aws/us-east-1"


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--total", "x"], 2, "write it as 'EC2=50000 USD'"),
        (["--total", "EC2=1 USD", "--out", "x.docx"], 2, "unknown format"),
        (["--bill", "absent.csv"], 5, "cannot read the bill"),
        ([], 2, "No bill given"),
    ],
)
@pytest.mark.usefixtures("inside")
def test_mistakes_are_one_line(
    arguments: list[str], code: int, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    assert invoke(["statement", "--by", "label:app", "--month", "2026-10", *arguments]) == code
    error = capsys.readouterr().err
    assert words in error
    assert "Traceback" not in error
