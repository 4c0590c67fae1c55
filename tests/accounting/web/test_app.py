"""Pages and their twins, the API, what is refused."""

import csv
import io
import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import jsonschema
import pyarrow as pa
import pytest
from pyarrow import parquet

from wattribute.accounting.web.openapi import document
from wattribute.accounting.web.views import PAGES

Make = Callable[..., Any]


@pytest.mark.parametrize("page", PAGES)
def test_every_page_has_its_twins(client: Make, page: str) -> None:
    service = client()
    html = service.get(f"/{page}")
    assert (html.status_code, html.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert service.get(f"/{page}.json").json()
    rows = list(csv.reader(io.StringIO(service.get(f"/{page}.csv").text)))
    table = parquet.read_table(pa.BufferReader(service.get(f"/{page}.parquet").content))
    assert rows[0] == table.column_names
    assert len(rows) - 1 == len(table) > 0


def test_the_statement_adds_up_to_the_bill(client: Make) -> None:
    told = client().get("/statement.json?by=team").json()
    assert told["total"] == "100.00"
    assert sum(Decimal(row["cost"]) for row in told["rows"]) == 100
    assert {row["owner"] for row in told["rows"]} >= {"sales", "ai", "(unowned)"}


def test_names_stay_text_and_nothing_runs(client: Make) -> None:
    service = client()
    for page in PAGES:
        answer = service.get(f"/{page}?by=pod", accept="text/html")
        assert answer.status_code == 200, answer.text
        assert "<b>odd" not in answer.text
        assert "<script" not in answer.text
        assert "script-src" not in answer.headers["content-security-policy"]
        assert answer.headers["content-security-policy"].startswith("default-src 'none'")


def test_rows_of_the_statement_lead_to_their_explanation(client: Make) -> None:
    service = client()
    page = service.get("/statement?by=team").text
    links = re.findall(r'href="(explain\?[^"]+)"', page)
    assert len(links) >= 4
    for link in links[:2] + links[-1:]:  # an owner, another, and what has no node
        assert service.get("/" + link.replace("&amp;", "&")).status_code == 200


def test_an_explanations_parts_add_up(client: Make) -> None:
    told = client().get("/explain.json?by=team").json()
    parts = sum(Decimal(str(line["part"])) for line in told["lines"])
    assert abs(parts + Decimal(str(told["shared"])) - Decimal(str(told["cost"]))) < Decimal("0.01")


def test_an_explanation_says_watts_per_core_on_the_page_and_as_data(client: Make) -> None:
    service = client()
    rows = service.get("/statement.json?by=namespace").json()["rows"]
    row = next(row["row"] for row in rows if row["owner"] == "shop")

    page = service.get(f"/explain?by=namespace&row={row}").text
    body = service.get(f"/explain.json?by=namespace&row={row}").json()

    assert "In the month shop ran 1.0 CPU hours at 1.20 times the mean watts per core" in page
    of_month = body["watts_per_core"]
    assert (of_month["ratio"], of_month["low"], of_month["high"]) == (1.2, 1.2, 1.4)


def test_budgets_say_how_fast_they_burn(client: Make) -> None:
    rows = {row["owner"]: row for row in client().get("/budgets.json").json()}
    assert rows["sales"]["state"] == "exceeded"
    assert rows["ai"]["state"] == "within"
    assert rows["ai"]["rate"] == pytest.approx(rows["ai"]["share"] / rows["ai"]["elapsed"])
    assert rows["gone"]["used"] is None
    assert rows["gone"]["state"] == "not known"


def test_the_reconciliation_tells_what_found_no_node(client: Make) -> None:
    told = client().get("/reconciliation.json").json()
    services = {service["name"]: service for service in told["services"]}
    assert Decimal(services["EC2"]["placed"]) == 90
    assert Decimal(services["S3"]["not_joined"]) == 10
    assert told["difference"] == "0.00"


def test_allocations_have_opencosts_shape_and_ours(client: Make) -> None:
    told = client().get("/allocation?window=2026-09&aggregate=namespace&includeIdle=true").json()
    schema = document()
    jsonschema.validate(told, {"$ref": "#/components/schemas/Allocations", **schema})
    (found,) = told["data"]
    assert told["code"] == 200
    assert found["shop"]["properties"] == {"namespace": "shop"}
    assert "__idle__" in found
    assert sum(one["totalCost"] for one in found.values()) == pytest.approx(100)
    assert found["bot"]["energyDynamicKWh"] == pytest.approx(14 / 3.6e6)
    assert found["shop"]["minutes"] == 30 * 24 * 60
    assert (found["shop"]["energyBandOf"], found["shop"]["sharedBy"]) == ("weights", ["learned-1"])


@pytest.mark.parametrize(
    "window", ["2026-09-01T00:00:00Z,2026-10-01T00:00:00Z", "1788220800,1790812800"]
)
def test_a_window_may_be_an_interval_that_is_a_month(client: Make, window: str) -> None:
    answer = client().get(f"/allocation?window={window}&aggregate=controller")
    assert answer.status_code == 200
    assert "__idle__" not in answer.json()["data"][0]


@pytest.mark.parametrize(
    ("query", "why"),
    [
        ("window=7d", "not a month"),
        ("window=2026-09-01T00:00:00Z,2026-09-02T00:00:00Z", "whole calendar months"),
        ("window=2026-09&aggregate=namespace,pod", "one key at a time"),
        ('window=2026-09&filter=namespace:"x"', "not supported"),
        ("window=2026-09&step=1h", "whole months"),
        ("window=2026-09&aggregate=colour", "colour"),
        ("window=2026-09&method=dice", "dice"),
    ],
)
def test_what_would_give_other_numbers_is_refused(client: Make, query: str, why: str) -> None:
    answer = client().get(f"/allocation?{query}")
    assert answer.status_code == 400
    assert why in answer.json()["message"]


def test_the_description_names_every_route(client: Make) -> None:
    told = client().get("/openapi.json").json()
    assert told["openapi"].startswith("3.1")
    service = client()
    for path, item in told["paths"].items():
        query = "?window=2026-09" if path.startswith("/allocation") else ""
        if path == "/invoice.pdf":
            continue
        assert service.get(path + query).status_code == 200
        assert item["get"]["operationId"].isidentifier()


def test_an_invoice_is_a_pdf(client: Make) -> None:
    service = client()
    row = service.get("/statement.json").json()["rows"][0]["row"]
    answer = service.get(f"/invoice.pdf?row={row}")
    assert answer.content.startswith(b"%PDF")
    assert service.get("/invoice.pdf?row=x").status_code == 400


def test_mistakes_are_a_page_for_people_and_a_line_for_programs(client: Make) -> None:
    service = client()
    page = service.get("/statement?month=soon", accept="text/html")
    assert page.status_code == 400
    assert "not a month" in page.text
    assert page.text.startswith("<!doctype html>")
    assert service.get("/statement.json?month=soon").json()["code"] == 400
    assert service.get("/statement?by=" + "x" * 300).status_code == 400


def test_a_name_that_leads_here_from_elsewhere_reads_nothing(client: Make) -> None:
    assert client().get("/statement.json", host="evil.example").status_code == 400


def test_a_bill_that_is_gone_is_said(client: Make) -> None:
    answer = client(bills=("nowhere/*.csv",)).get("/statement.json")
    assert answer.status_code == 400
    assert "web.bills" in answer.json()["message"]


def test_probes_need_nobody(client: Make) -> None:
    assert client().get("/healthz").text == "ok\n"
    assert client().get("/readyz").status_code == 200
