"""What a collector is told of calls: routes and outcomes, and nothing that stands in them."""

from collections.abc import Iterator

import pytest

from core import traces
from core.settings import Settings

from support.calls import Api, serving
from support.collector import ERROR, Collector, collecting
from support.writer import CAMPAIGN

CALLER = f"00-{7:032x}-{9:016x}-01"


@pytest.fixture
def collector(settings: Settings) -> Iterator[Collector]:
    with collecting() as running:
        traces.begin(settings.model_copy(update={"traces_endpoint": running.endpoint}), "api")
        yield running
        traces.end()


def test_a_submit_is_a_part_of_its_call_which_goes_back_to_the_caller(api: Api, collector: Collector):
    answer = api.submit(CAMPAIGN, traceparent=CALLER)
    traces.end()

    (call,), (submitted,) = collector.named("POST /v1/campaigns"), collector.named("submit campaign")
    assert answer.status_code == 201
    assert (call.parent_id, call.links) == ("", [(f"{7:032x}", f"{9:016x}")])
    assert call.trace_id != f"{7:032x}"
    assert (submitted.trace_id, submitted.parent_id) == call.place
    assert call.attributes == {
        "http.request.method": "POST",
        "http.route": "/v1/campaigns",
        "http.response.status_code": 201,
        "factory.call.id": answer.headers["x-request-id"],
    }


def test_of_a_call_its_address_and_what_is_asked_for_stay_here(
    settings: Settings, collector: Collector, monkeypatch: pytest.MonkeyPatch
):
    # With these the library of the routes would send all of it by itself.
    monkeypatch.setenv("FASTAPI_OTEL_AUTO_CONFIGURE", "true")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.endpoint)

    with serving(settings) as api:
        api.call("POST", "/v1/campaigns/typed-00000000/pause?also=typed")
        api.call("GET", "/v1/campaigns?state=typed")
        api.call("POST", "/v1/typed")
    traces.end()

    assert [one.name for one in collector.told] == ["POST /v1/campaigns/{campaign}/pause", "POST call"]
    assert [one.attributes["http.response.status_code"] for one in collector.told] == [404, 404]
    assert not any(b"typed" in body for body in collector.bodies)


def test_a_call_that_breaks_is_an_error_of_its_trace(api: Api, collector: Collector, monkeypatch: pytest.MonkeyPatch):
    def breaks(*_: object) -> None:
        raise ZeroDivisionError("typed")

    monkeypatch.setattr(api.ledger.campaigns, "require", breaks)

    assert api.call("POST", "/v1/campaigns/spring-00000000/pause").status_code == 500
    traces.end()

    (call,) = collector.told
    assert (call.name, call.status) == ("POST /v1/campaigns/{campaign}/pause", ERROR)
    assert call.attributes["http.route"] == "/v1/campaigns/{campaign}/pause"
    assert (call.attributes["http.response.status_code"], call.attributes["error.type"]) == (500, "ZeroDivisionError")
    assert call.events == [("exception", {"exception.type": "ZeroDivisionError"})]
    assert not any(b"typed" in body for body in collector.bodies)
