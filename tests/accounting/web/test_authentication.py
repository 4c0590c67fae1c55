"""Who sees what: by token, by password, by a proxy's header; and who sees nothing."""

import base64
from collections.abc import Callable
from pathlib import Path
from typing import Any

import bcrypt
import pytest

from wattribute.accounting.settings import Team, WebSettings
from wattribute.accounting.web.authentication import Authentication
from wattribute.accounting.web.viewers import viewer_of
from wattribute.core.errors import ConfigInvalid

Make = Callable[..., Any]
TOKEN = "t" * 32


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wattribute.http.credentials.FAILURE_DELAY_S", 0)


@pytest.fixture
def token(tmp_path: Path) -> str:
    path = tmp_path / "token"
    path.write_text(TOKEN)
    return str(path)


def _owners(answer: Any) -> set[str]:
    return {row["owner"] for row in answer.json()["rows"]}


def _basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def test_a_teams_token_shows_its_part_and_nothing_of_others(client: Make, token: str) -> None:
    service = client(teams={"sales": Team(token_file=token)})
    told = service.get("/statement.json", authorization=f"Bearer {TOKEN}")
    assert _owners(told) == {"sales"}
    body = told.json()
    assert body["total"] == body["allocated"] != "100.00"
    assert body["rows"][0]["share"] == 1
    for secret in ("100.00", "ai", "bill.csv", "(idle)"):
        assert f'"{secret}"' not in told.text


def test_a_team_reads_neither_other_keys_nor_the_invoice(client: Make, token: str) -> None:
    service = client(teams={"sales": Team(token_file=token)})
    for path in (
        "/statement.json?by=namespace",
        "/statement.csv?by=pod",
        "/explain?by=node",
        "/compare.json?by=namespace",
        "/budgets.csv?by=namespace",
        "/reconciliation",
        "/reconciliation.parquet",
        "/allocation?window=2026-09",
        "/invoice.pdf?by=namespace",
    ):
        assert service.get(path, authorization=f"Bearer {TOKEN}").status_code == 403, path


def test_a_team_reads_its_own_everywhere_else(client: Make, token: str) -> None:
    service = client(teams={"sales": Team(token_file=token)})

    def get(path: str) -> Any:
        return service.get(path, authorization=f"Bearer {TOKEN}")

    assert {row["owner"] for row in get("/budgets.json").json()} == {"sales"}
    assert {row["owner"] for row in get("/compare.json").json()["rows"]} == {"sales"}
    assert get("/explain.json").json()["owner"] == "sales"
    found = get("/allocation?window=2026-09&aggregate=team&includeIdle=true").json()["data"][0]
    assert set(found) == {"sales"}
    page = get("/statement").text
    assert "Your own part only" in page
    assert "idle)" not in page


def test_rows_of_others_cannot_be_explained_or_printed(client: Make, token: str) -> None:
    theirs = client().get("/statement.json?by=team").json()["rows"]
    row = next(one["row"] for one in theirs if one["owner"] == "ai")
    service = client(teams={"sales": Team(token_file=token)})
    for path in ("explain.json", "explain", "invoice.pdf"):
        answer = service.get(f"/{path}?row={row}", authorization=f"Bearer {TOKEN}")
        assert answer.status_code == 400


def test_what_a_team_sees_can_be_told(client: Make, token: str) -> None:
    sees = {"namespace": ("sh*",), "team": ("sales",)}
    service = client(teams={"sales": Team(token_file=token, sees=sees)})
    told = service.get("/statement.json?by=namespace", authorization=f"Bearer {TOKEN}")
    assert _owners(told) == {"shop"}


def test_a_team_may_see_everything(client: Make, token: str) -> None:
    service = client(teams={"finance": Team(token_file=token, sees={"*": ("*",)})})
    told = service.get("/reconciliation.json", authorization=f"Bearer {TOKEN}")
    assert told.status_code == 200


@pytest.mark.parametrize("given", ["", "Bearer wrong", f"Basic {TOKEN}", "Bearer", TOKEN])
def test_without_the_token_there_is_nothing(client: Make, token: str, given: str) -> None:
    service = client(teams={"sales": Team(token_file=token)})
    for path in ("/", "/statement", "/statement.json", "/openapi.json", "/allocation?window=month"):
        answer = service.get(path, authorization=given)
        assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
    assert service.get("/healthz").status_code == 200


def test_a_header_counts_from_a_trusted_proxy_only(client: Make) -> None:
    service = client(trusted_proxies=("10.0.0.0/24",), listen=":9103")
    headers = {"x_forwarded_groups": "sales, other"}
    assert _owners(service.get("/statement.json", peer="10.0.0.7", **headers)) == {"sales"}
    assert _owners(service.get("/statement.json", peer="::ffff:10.0.0.7", **headers)) == {"sales"}
    for peer in ("10.0.1.7", "127.0.0.1", "::1"):
        answer = service.get(
            "/statement.json", peer=peer, x_forwarded_for="10.0.0.7", forwarded="for=10.0.0.7",
            **headers,
        )  # fmt: skip
        assert answer.status_code == 401
    assert service.get("/statement.json", peer="10.0.0.7").status_code == 401


def test_a_team_in_a_header_is_a_name_and_no_pattern() -> None:
    viewer = viewer_of("x", ["*", "a[bc]"], {})
    assert not viewer.everything
    assert viewer.sees == {"team": ("[*]", "a[[]bc]")}


def test_a_users_password_shows_the_users_teams(client: Make, tmp_path: Path) -> None:
    config = tmp_path / "web.yml"
    hashed = bcrypt.hashpw(b"right", bcrypt.gensalt(4)).decode()
    config.write_text(f"basic_auth_users: {{ada: '{hashed}', eve: '{hashed}'}}\n")
    service = client(teams={"ai": Team(users=("ada",))}, web_config=str(config), listen=":9103")
    assert _owners(service.get("/statement.json", authorization=_basic("ada", "right"))) == {"ai"}
    wrong = service.get("/statement.json", authorization=_basic("ada", "wrong"))
    assert wrong.headers["www-authenticate"].startswith("Basic ")
    for user in ("bob", ""):
        answer = service.get("/statement.json", authorization=_basic(user, "right"))
        assert answer.status_code == 401
    # A user of the file in no team sees nothing.
    assert service.get("/statement.json", authorization=_basic("eve", "right")).status_code == 403


def test_a_file_without_users_opens_nothing(client: Make, tmp_path: Path) -> None:
    config = tmp_path / "web.yml"
    config.write_text("{}\n")
    service = client(teams={"ai": Team(users=("ada",))}, web_config=str(config))
    assert service.get("/statement.json", authorization=_basic("ada", "x")).status_code == 401


@pytest.mark.parametrize(
    ("web", "why"),
    [
        ({"listen": ":9103"}, "not only this machine"),
        ({"trusted_proxies": ("10.0.0.7/24",)}, "no address or network"),
        ({"teams": {"a": Team(token_file="/nowhere/file")}}, "/nowhere/file: cannot"),  # noqa: S106 - a file
        ({"teams": {"a": Team(users=("ada",))}}, "need web.web_config"),
    ],
)
def test_settings_that_would_show_too_much_are_refused(web: dict[str, Any], why: str) -> None:
    with pytest.raises(ConfigInvalid, match=why):
        Authentication(WebSettings(**web))
