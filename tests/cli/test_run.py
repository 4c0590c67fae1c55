import json
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace

import pytest

from wattribute.node.settings import NodeSettings

Call = Callable[..., tuple[int, str, str]]
Put = Callable[..., SimpleNamespace]


def _measured(**changes: object) -> SimpleNamespace:
    part = SimpleNamespace(
        dynamic_uj=1_500_000,
        idle_uj=500_000,
        origin="estimated",
        low_uj=1_000_000,
        high_uj=3_000_000,
    )
    members: dict[str, object] = {
        "command": ("true",),
        "exit_code": 0,
        "elapsed_ns": 2_000_000_000,
        "cpu_ns": 1_250_000_000,
        "energy_uj": 2_000_000,
        "by_component": {"cpu": part},
        "joules": 2.0,
        "low_joules": 1.0,
        "high_joules": 3.0,
        "origin": "estimated",
        "grams_co2e": None,
        "complete": True,
        "notes": (),
    }
    return SimpleNamespace(**(members | changes))


@pytest.fixture
def asked(put: Put) -> list[tuple[object, ...]]:
    """What the command line asked `run_command` for."""
    seen: list[tuple[object, ...]] = []

    def run_command(
        command: Sequence[str], settings: NodeSettings, g_per_kwh: float | None
    ) -> SimpleNamespace:
        seen.append((tuple(command), settings, g_per_kwh))
        return _measured(command=tuple(command), grams_co2e=g_per_kwh and 0.000123)

    put("measuring", run_command=run_command)
    return seen


def test_the_result_goes_to_standard_error_with_its_band(
    asked: list[tuple[object, ...]], call: Call
) -> None:
    code, out, err = call("run", "--g-per-kwh", "400", "--", "true", "--flag")

    assert (code, out) == (0, "")
    assert err.splitlines() == [
        "wattribute: 2 J estimated (1 to 3 J)",
        "  2.000 s, 1.250 s of CPU time, 1 W on average",
        "  cpu            2 J estimated (1 to 3 J), 0.5 J of it idle",
        "  carbon  0.000123 g CO2e",
    ]
    assert asked[0][0] == ("true", "--flag")
    assert asked[0][2] == 400


def test_flags_after_the_command_are_the_commands(
    asked: list[tuple[object, ...]], call: Call
) -> None:
    assert call("run", "--sysfs", "/x", "make", "--json", "-j2")[0] == 0
    assert asked[0][0] == ("make", "--json", "-j2")


def test_the_result_in_json(asked: list[tuple[object, ...]], call: Call, tmp_path: Path) -> None:
    _, out, err = call("run", "--json", "--", "true")
    assert out == ""
    assert json.loads(err)["by_component"]["cpu"]["dynamic_joules"] == 1.5

    file = tmp_path / "result.json"
    _, out, err = call("run", "--json", str(file), "--", "true")
    assert (out, err) == ("", "")
    assert json.loads(file.read_text())["joules"] == 2
    assert len(asked) == 2


def test_a_file_that_cannot_be_written_is_said_before_the_command_runs(
    asked: list[tuple[object, ...]], call: Call, tmp_path: Path
) -> None:
    code, _, err = call("run", "--json", str(tmp_path / "no/such.json"), "--", "true")

    assert code == 2
    assert "cannot be written" in err
    assert not asked


@pytest.mark.parametrize(("theirs", "ours"), [(0, 0), (3, 3), (-9, 137), (137, 137)])
def test_the_exit_code_is_the_commands(theirs: int, ours: int, put: Put, call: Call) -> None:
    put("measuring", run_command=lambda *_: _measured(exit_code=theirs))

    assert call("run", "true")[0] == ours


@pytest.mark.parametrize(
    ("error", "code"),
    [(FileNotFoundError(2, "No such file"), 127), (PermissionError(13, "Permission denied"), 126)],
)
def test_a_command_that_cannot_be_started(error: OSError, code: int, put: Put, call: Call) -> None:
    def run_command(*_: object) -> None:
        raise error

    put("measuring", run_command=run_command)

    assert call("run", "nope\x1b") == (
        code,
        "",
        f"wattribute: error: nope\\x1b: {error.strerror}\n",
    )


def test_an_incomplete_result_says_so(put: Put, call: Call) -> None:
    put("measuring", run_command=lambda *_: _measured(complete=False, notes=("2 children lost",)))

    _, _, err = call("run", "true")

    assert "  incomplete: " in err
    assert "  note: 2 children lost\n" in err


def test_a_command_is_needed(call: Call) -> None:
    assert call("run")[0] == 2


@pytest.mark.parametrize(
    "wrong",
    [
        ("run", "--g-per-kwh", "nan", "true"),
        ("run", "--g-per-kwh", "inf", "true"),
        ("top", "--once", "--every", "nan"),
        ("dev", "plant", "--seconds", "nan"),
    ],
)
def test_a_number_that_is_none_is_a_usage_error(wrong: tuple[str, ...], call: Call) -> None:
    status, _, err = call(*wrong)

    assert status == 2
    assert "is not a finite number" in err
