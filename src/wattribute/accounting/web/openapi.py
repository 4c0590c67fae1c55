"""Describes the API in OpenAPI 3.1."""

from typing import Any, Final

from wattribute import __version__
from wattribute.accounting.chargeback.methods import METHODS
from wattribute.accounting.report.columns import COLUMNS

_ABOUT: Final = {
    "statement": "Who pays which part of a month's bill; money as texts.",
    "explain": "One row, back to invoice lines, ratios, the ledger's entries and their counters.",
    "compare": "The same month by every method.",
    "budgets": "Budgets of the settings, and how fast they burn.",
    "reconciliation": "The invoice by service: what found its nodes, and what did not.",
}
_MEDIA: Final = {
    "json": "application/json",
    "csv": "text/csv",
    "parquet": "application/vnd.apache.parquet",
}
_TEXT: Final = {"type": "string"}
_NUMBER: Final = {"type": "number"}


def document() -> dict[str, Any]:
    """Return the whole document."""
    question = [
        _parameter("month", "Calendar month, 2026-10; without it the newest in the ledger."),
        _parameter("by", "As --by: namespace, team, label:app, ..."),
        _parameter("method", "Id of a method.", enum=list(METHODS)),
    ]
    row = _parameter("row", "Id of a row of the statement.")
    paths: dict[str, Any] = {}
    for page, about in _ABOUT.items():
        parameters = [*question, row] if page == "explain" else question
        for ending, media in _MEDIA.items():
            schema = {"$ref": "#/components/schemas/Statement"}
            has_schema = page == "statement" and ending == "json"
            content = {media: {"schema": schema} if has_schema else {}}
            paths[f"/{page}.{ending}"] = _get(f"{page}_{ending}", about, parameters, content)
    paths["/invoice.pdf"] = _get(
        "invoice", "One row's invoice, to print.", [*question, row], {"application/pdf": {}}
    )
    window = [
        _parameter(
            "window",
            "month, lastmonth, 2026-10, or START,END (RFC 3339 or Unix) of a whole month.",
            required=True,
        ),
        _parameter("aggregate", "One of OpenCost's keys: namespace, controller, label:app, ..."),
        _parameter("includeIdle", "With __idle__.", enum=["true", "false"]),
        question[2],
    ]
    sets = {"application/json": {"schema": {"$ref": "#/components/schemas/Allocations"}}}
    about = "OpenCost's allocations, with energy and carbon; one set for the month."
    paths["/allocation"] = _get("allocation", about, window, sets)
    paths["/allocation/compute"] = _get("allocation_compute", about, window, sets)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Wattribute statements", "version": __version__},
        "paths": paths,
        "components": {
            "schemas": {
                "Statement": _statement(),
                "Allocation": _allocation(),
                "Allocations": _object(
                    {
                        "code": {"type": "integer"},
                        "status": _TEXT,
                        "message": _TEXT,
                        "data": {
                            "type": "array",
                            "items": {
                                "type": "object",
                                "additionalProperties": {"$ref": "#/components/schemas/Allocation"},
                            },
                        },
                    }
                ),
                "Failure": _object({"code": {"type": "integer"}, "message": _TEXT}),
            },
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer"},
                "password": {"type": "http", "scheme": "basic"},
            },
        },
        "security": [{}, {"token": []}, {"password": []}],
    }


def _parameter(
    name: str, about: str, *, enum: list[str] | None = None, required: bool = False
) -> dict[str, Any]:
    schema = {"type": "string", **({"enum": enum} if enum else {})}
    return {
        "name": name,
        "in": "query",
        "required": required,
        "description": about,
        "schema": schema,
    }


def _get(
    name: str, about: str, parameters: list[dict[str, Any]], content: dict[str, Any]
) -> dict[str, Any]:
    failure = {"application/json": {"schema": {"$ref": "#/components/schemas/Failure"}}}
    failed = {
        "400": "The question cannot be answered as asked.",
        "401": "It is not known who asks.",
        "403": "Whoever asks may not see this.",
        "503": "The bill or the ledger cannot be read, or too many ask.",
    }
    return {
        "get": {
            "operationId": name,
            "summary": about,
            "parameters": parameters,
            "responses": {
                "200": {"description": "The answer.", "content": content},
                **{
                    code: {"description": text, "content": failure} for code, text in failed.items()
                },
            },
        }
    }


def _object(properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties)}


def _statement() -> dict[str, Any]:
    row = {
        column.name: {
            "type": ["string", "number", "boolean", "null"],
            "description": f"{column.meaning} {column.unit}".strip(),
        }
        for column in COLUMNS
    }
    texts = ("statement", "month", "by", "method", "currency", "total", "allocated", "unallocated")
    rows = {"type": "array", "items": _object(row)}
    return _object({**dict.fromkeys(texts, _TEXT), "difference": _TEXT, "rows": rows})


def _allocation() -> dict[str, Any]:
    maybe = {"type": ["number", "null"]}
    numbers = (
        *("minutes", "sharedCost", "externalCost", "totalCost", "totalCostIdle", "totalCostLow"),
        *("totalCostHigh", "energyKWh", "energyDynamicKWh", "energyIdleKWh", "energyLowKWh"),
        *("energyHighKWh", "measured"),
    )
    grams = ("carbonGrams", "carbonLowGrams", "carbonHighGrams", "carbonEmbodiedGrams")
    texts = ("name", "start", "end", "currency", "confidence", "method", "row", "energyBandOf")
    return _object(
        {
            **dict.fromkeys(texts, _TEXT),
            **dict.fromkeys(numbers, _NUMBER),
            **dict.fromkeys((*grams, "totalEfficiency"), maybe),
            "sharedBy": {"type": "array", "items": _TEXT},
            "properties": {"type": "object"},
            "window": _object({"start": _TEXT, "end": _TEXT}),
        }
    )
