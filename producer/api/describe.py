"""The description of the API (OpenAPI 3.1): every error declared, every id of an operation stable."""

import json
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute

from producer.api.problems import MEDIA_TYPE, ProblemDetails
from producer.reference import campaign_schema

TITLE = "Content Factory"
VERSION = "1"
SUMMARY = "Campaigns become ad copy, pictures, advertisements and music."
ABOUT = """\
The rules and words are those of the command line. Errors are problem details (RFC 9457) that name the field; lists come
in pages with a cursor; JSON answers to GET have an ETag. docs/api.md shows every call.
"""
# What any route may answer, and what that means.
_ANYWHERE = {
    401: "No key, or a wrong one.",
    403: "The role of the key is not enough, or the call comes from a page of another site.",
    408: "The body took too long.",
    413: "The body is too large.",
    415: "The body is of another type, or encoded.",
    421: "Another host was meant.",
    422: "The call breaks the rules; `problems` names each field.",
    429: "Too many calls, or as many jobs as the tenant may have; Retry-After says when to ask again.",
    500: "The factory broke, or stored bytes are lost.",
    503: "The ledger, the store or the broker is away, or the call took too long; Retry-After says when to ask again.",
}
_SOMEWHERE = {
    400: "The body is broken.",
    404: "There is no such thing of yours.",
    409: "The thing is not in a state that allows this.",
}
# Where an answer leads: the operation that takes what it holds.
_CAMPAIGN = {"campaign": "$response.body#/campaign/campaign"}
_JOB = {"job": "$response.body#/job"}
_SCHEDULE = {"schedule": "$response.body#/schedule"}
_LINKS: dict[str, dict[str, dict[str, str]]] = {
    "submit_campaign": dict.fromkeys(
        ("get_campaign", "get_definition", "get_progress", "get_scores", "list_jobs", "list_assets"), _CAMPAIGN
    )
    | dict.fromkeys(
        ("pause_campaign", "resume_campaign", "cancel_campaign", "set_priority", "retry_dead_letters"), _CAMPAIGN
    ),
    "submit_job": dict.fromkeys(
        ("get_job", "cancel_job", "retry_job", "edit_dead_letter", "get_link", "list_ratings", "rate_job"), _JOB
    ),
    "add_schedule": dict.fromkeys(
        ("get_schedule", "change_schedule", "run_schedule", "list_runs", "remove_schedule"), _SCHEDULE
    ),
    "create_webhook": {"delete_webhook": {"webhook": "$response.body#/webhook/webhook"}},
}
_PROBLEM = {"$ref": "#/components/schemas/ProblemDetails"}

Responses = dict[int | str, dict[str, Any]]


def refusals(*some: int, drop: bool = False) -> Responses:
    """Return what a route may refuse with: these and what any route may; with `drop` what any route may but these."""
    codes = {*_ANYWHERE} - {*some} if drop else {*_ANYWHERE, *some}
    told = _ANYWHERE | _SOMEWHERE
    return {code: {"description": told[code], "content": {MEDIA_TYPE: {"schema": _PROBLEM}}} for code in sorted(codes)}


def operation_id(route: APIRoute) -> str:
    """Return the id of an operation: the name of its function, so a new address changes none."""
    return route.name


def described(app: FastAPI) -> dict[str, Any]:
    """Return the description of the app."""
    page = get_openapi(
        title=TITLE, version=VERSION, summary=SUMMARY, description=ABOUT, routes=app.routes, openapi_version="3.1.0"
    )
    schemas: dict[str, Any] = page.setdefault("components", {}).setdefault("schemas", {})
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    schemas["ProblemDetails"] = _hoisted(ProblemDetails.model_json_schema(), schemas)
    schemas["CampaignFile"] = _hoisted(campaign_schema(), schemas)
    for methods in page["paths"].values():
        for method, operation in methods.items():
            _add_body_errors(operation)
            _add_links(operation)
            if method == "get":
                _add_etag(operation)
    return page


def _hoisted(schema: dict[str, Any], schemas: dict[str, Any]) -> dict[str, Any]:
    """Return a schema whose inner schemas are parts of the page."""
    text = json.dumps(schema).replace("#/$defs/", "#/components/schemas/")
    hoisted: dict[str, Any] = json.loads(text)
    schemas.update(hoisted.pop("$defs", {}))
    hoisted.pop("$schema", None)
    return hoisted


def _add_body_errors(operation: dict[str, Any]) -> None:
    if "requestBody" in operation:
        operation["responses"].setdefault("400", refusals(400)[400])


def _add_links(operation: dict[str, Any]) -> None:
    links = {
        name: {"operationId": name, "parameters": values}
        for name, values in _LINKS.get(operation["operationId"], {}).items()
    }
    for status in ("200", "201"):
        if links and status in operation["responses"]:
            operation["responses"][status]["links"] = links


def _add_etag(operation: dict[str, Any]) -> None:
    answer = operation["responses"]["200"]
    if "application/json" not in answer.get("content", {}):
        return
    tag = {"description": "The hash of this answer.", "schema": {"type": "string"}}
    answer["headers"] = {"ETag": tag}
    operation["responses"]["304"] = {"description": "You have this answer already.", "headers": {"ETag": tag}}
    known = {"name": "If-None-Match", "in": "header", "required": False, "schema": {"type": "string"}}
    operation.setdefault("parameters", []).append(known | {"description": "ETags of answers that you have."})
