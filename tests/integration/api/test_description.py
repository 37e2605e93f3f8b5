"""The description of the API, and whether the API keeps it: every route is asked what it allows, and what not."""

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given
from hypothesis import settings as how
from hypothesis.errors import Unsatisfiable
from hypothesis.stateful import run_state_machine_as_test
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.schemas import BaseSchema
from schemathesis.specs.openapi import checks

from core.settings import Settings
from producer.api.app import ROUTERS
from schemas.access import DEFAULT_TENANT, Role

from support.calls import Api, operations, serving

EXAMPLES = 10
STATEFUL_EXAMPLES = 6
STATEFUL_STEPS = 6
# A stream that is open ends only with its campaign.
STREAM = "watch_campaign"
# With neither a parameter nor a body that could be wrong.
WITHOUT_RULES = {"get_health", "get_me", "get_metrics", "list_models", "list_webhooks"}
# What an ASGI app that is asked in its process is called.
HOST = "testserver"
# Campaigns obey more rules than a schema can say, so what the schema allows may be refused.
CHECKS = [
    not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
    checks.negative_data_rejection,
    checks.unsupported_method,
]
HASTE = how(
    max_examples=EXAMPLES,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """The app on a ledger of its own, without a broker or a store: neither is asked before the ledger was."""
    settings = Settings(
        home=tmp_path_factory.mktemp("home"), api_hosts=HOST, api_calls_per_minute=1_000_000, broker_url="memory://"
    )
    with serving(settings) as api:
        api.opened.wrong_keys.per_minute = 1_000_000
        yield api


@pytest.fixture(scope="module")
def described(served: Api) -> BaseSchema:
    schema = schemathesis.openapi.from_asgi("/openapi.json", served.app)
    schema.config.update(headers=served.key(Role.ADMIN, DEFAULT_TENANT))
    return schema.exclude(operation_id=STREAM)


@pytest.mark.parametrize("mode", GenerationMode)
def test_every_route_keeps_to_its_description(described: BaseSchema, mode: GenerationMode):
    asked = Counter[str]()
    for found in described.get_all_operations():
        operation = found.ok()

        @HASTE
        @given(case=operation.as_strategy(generation_mode=mode))
        def ask(case: Case) -> None:
            asked[case.operation.label] += 1
            case.call_and_validate(checks=CHECKS)

        try:
            ask()
        except Unsatisfiable:
            assert mode is GenerationMode.NEGATIVE

    unasked = {STREAM} if mode is GenerationMode.POSITIVE else {STREAM, *WITHOUT_RULES}
    assert len(asked) == len(list(operations())) - len(unasked)


def test_what_was_made_is_found_changed_and_ended_as_described(described: BaseSchema):
    class Machine(described.as_state_machine()):
        def validate_response(self, response: Any, case: Case, **options: Any) -> None:
            assert set(options) <= {"additional_checks", "headers"}
            case.validate_response(response, checks=CHECKS)

    run_state_machine_as_test(
        Machine,
        settings=how(HASTE, max_examples=STATEFUL_EXAMPLES, stateful_step_count=STATEFUL_STEPS),
    )


def test_every_operation_has_a_summary_tags_and_every_refusal(served: Api):
    page = served.client.get("/openapi.json").json()
    found = [one for methods in page["paths"].values() for one in methods.values()]

    assert page["openapi"].startswith("3.1")
    assert len(found) == len(list(operations()))
    assert all(one["summary"] and one["description"] and one["tags"] for one in found)
    protected = [one for one in found if one["operationId"] != "get_health"]
    assert all({"401", "403", "421", "422", "429", "500", "503"} <= one["responses"].keys() for one in protected)
    assert all(one["security"] == [{"key": []}] for one in protected)
    for one in found:
        for status, answer in one["responses"].items():
            assert int(status) < 400 or list(answer["content"]) == ["application/problem+json"]


def test_every_reference_of_the_description_leads_somewhere(served: Api):
    answer = served.client.get("/openapi.json")
    known = {f"#/components/schemas/{name}" for name in answer.json()["components"]["schemas"]}

    named = {part.partition('"')[0] for part in answer.text.split('"$ref":"')[1:]}

    assert named - known == set()
    assert len(named) > 30


def test_every_call_of_the_document_has_a_route():
    page = Path("docs/api.md").read_text(encoding="utf-8")
    known = {
        (method, re.sub(r"{\w+}", "ID", route.path_format))
        for router in ROUTERS
        for route in router.routes
        for method in route.methods
    }
    shown = set()
    for line in re.findall(r"^curl .*\$A.*$", page, flags=re.MULTILINE):
        method = re.search(r"-X (\w+)", line)
        sends = " -d " in line or "--data" in line
        address = re.search(r"\$A([^ \"?]*)", line)
        assert address
        path = re.sub(r"\$[CEJMRSW]\b|single-\w+-\d+", "ID", f"/v1{address[1]}")
        shown.add((method[1] if method else "POST" if sends else "GET", path))

    assert shown - known == set()
    assert known - shown == {("GET", "/health"), ("GET", "/metrics")}
