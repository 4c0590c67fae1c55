import json
from collections.abc import Callable

Call = Callable[..., tuple[int, str, str]]


def test_the_intensity_is_shown_with_its_basis_source_and_year(call: Call) -> None:
    code, out, _ = call("carbon", "show", "--zone", "aws/eu-central-1")
    assert code == 0
    assert "370.9  location  gsf-real-time-cloud  2023" in out
    assert "PUE 1.35 (gsf-real-time-cloud 2024)" in out


def test_hours_of_the_past_come_as_json(call: Call) -> None:
    code, out, _ = call("carbon", "show", "--zone", "DE", "--from", "2026-10-01", "--json")
    body = json.loads(out)
    assert code == 0
    assert len(body["intensity"]) == 24
    assert body["intensity"][0]["start"] == "2026-10-01T00:00:00Z"
    assert body["pue"]["source"] == "unknown"


def test_what_cannot_be_answered_is_one_line(call: Call) -> None:
    for arguments, expected, said in (
        (["--zone", "narnia"], 5, "no place"),
        (["--zone", "DE", "--forecast", "3"], 5, "no forecast"),
        ([], 2, "--zone"),
        (["--zone", "DE", "--from", "yesterday"], 2, "2026-10-01"),
        (["--zone", "DE", "--from", "2026-10-02", "--to", "2026-10-01"], 2, "not after"),
        (["--zone", "DE", "--basis", "market"], 5, "carbon.market"),
    ):
        code, out, err = call("carbon", "show", *arguments)
        assert (code, out, err.count("\n")) == (expected, "", 1), arguments
        assert said in err
