"""Traces: nothing at all without the setting; with it, what a collector is told, and that nobody waits for it."""

import logging
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core import traces
from core.errors import LedgerError, SettingsError
from core.settings import Settings
from core.traces import Link, Origin, campaign_link, link_of

from support.collector import ERROR, Collector, collecting
from support.waiting import wait_until

ids = st.integers(1, 2**64 - 1)
# What people and workers start, with a step that is traced where anybody asks for it.
OFF = """
import sys
import producer.cli, producer.schedules.scheduler, producer.submit, producer.webhooks.deliver
import workers.app, workers.traced
from core import traces
traces.begin(workers.app.settings, "test")
with traces.span("step") as span:
    span.note({"factory.jobs": 1})
traces.end()
print([name for name in sys.modules if name.startswith(("opentelemetry", "google.protobuf"))])
"""
# FastAPI itself imports the names of traces, and nothing that records or sends them.
OFF_IN_THE_API = """
import sys
import producer.api.app, producer.api.serve
print([name for name in sys.modules if name.startswith(("opentelemetry.sdk", "opentelemetry.exporter", "core.otlp"))])
"""


@contextmanager
def tracing(endpoint: str, home: Path) -> Iterator[None]:
    """Send what this process does to a collector."""
    traces.begin(Settings(home=home, traces_endpoint=endpoint), "test")
    try:
        yield
    finally:
        traces.end()


@pytest.fixture
def collector() -> Iterator[Collector]:
    with collecting() as running:
        yield running


@pytest.mark.parametrize("process", [OFF, OFF_IN_THE_API], ids=["workers and producers", "API"])
def test_who_asks_for_no_traces_loads_nothing_of_them(tmp_path: Path, process: str):
    environment = Settings(home=tmp_path).environment() | {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"}

    asked = subprocess.run(
        [sys.executable, "-c", process], env=environment, capture_output=True, text=True, timeout=60, check=False
    )

    assert asked.stdout == "[]\n", asked.stderr


def test_without_traces_a_step_says_nothing_and_a_message_neither():
    with traces.span("step") as span:
        span.link(campaign_link("spring", 1.0))
        span.fail("LedgerError")

        assert (traces.are_on(), traces.current(), traces.headers()) == (False, None, {})


def test_steps_reach_the_collector_as_a_tree_with_what_they_said(collector: Collector, tmp_path: Path):
    with tracing(collector.endpoint, tmp_path), traces.span("submit", {"factory.jobs": 3}) as span:
        began = traces.now()
        traces.passed("plan", began)
        traces.tell("waits", {"factory.wait_seconds": 0.5})
        span.note({"factory.kinds": ["copy", "image"]})

    (submit,) = collector.named("submit")
    assert collector.paths == {"/v1/traces"}
    assert submit.service == "factory-test"
    assert submit.attributes == {"factory.jobs": 3, "factory.kinds": ["copy", "image"]}
    assert submit.events == [("waits", {"factory.wait_seconds": 0.5})]
    assert collector.names_below(submit) == ["plan"]


def test_an_error_is_recorded_by_its_kind_and_never_by_its_text(collector: Collector, tmp_path: Path):
    with tracing(collector.endpoint, tmp_path), pytest.raises(LedgerError), traces.span("record"):
        raise LedgerError("postgresql://factory:hush@db is away")

    (record,) = collector.named("record")
    assert (record.status, record.attributes["error.type"]) == (ERROR, "LedgerError")
    assert record.events == [("exception", {"exception.type": "LedgerError"})]
    assert not any(b"hush" in body for body in collector.bodies)


def test_a_step_that_is_given_back_is_no_error(collector: Collector, tmp_path: Path):
    with tracing(collector.endpoint, tmp_path), pytest.raises(traces.CalmError), traces.span("batch"):
        raise traces.CalmError

    assert [one.status for one in collector.named("batch")] == [0]


def test_what_answers_a_message_goes_back_to_what_sent_it(collector: Collector, tmp_path: Path):
    with tracing(collector.endpoint, tmp_path):
        with traces.span("send"):
            header = traces.headers()[traces.TRACEPARENT]
        with traces.span("batch"), traces.span("process", origin=Origin(is_root=True)) as span:
            sender = link_of(header)
            assert sender
            span.link(sender)

    (send,), (process,) = collector.named("send"), collector.named("process")
    assert process.links == [send.place]
    assert process.parent_id == ""
    assert process.trace_id not in {send.trace_id, *(one.trace_id for one in collector.named("batch"))}


def test_the_end_of_a_campaign_is_in_the_trace_that_its_submit_began(collector: Collector, tmp_path: Path):
    link = campaign_link("spring-ab14284e", 1764143278.5)

    with tracing(collector.endpoint, tmp_path):
        with traces.span("submit"), traces.span("campaign submitted", origin=Origin(as_root=link)):
            pass
        with traces.span("batch"), traces.span("campaign finished", origin=Origin(parent=link)):
            pass

    (submitted,) = collector.named("campaign submitted")
    assert submitted.place == (f"{link.trace_id:032x}", f"{link.span_id:016x}")
    assert submitted.parent_id == ""
    assert collector.names_below(submitted) == ["campaign finished"]
    assert len({one.span_id for one in collector.told}) == 4


def test_a_campaign_that_the_sampler_leaves_out_has_no_end_either(
    collector: Collector, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "parentbased_traceidratio")
    monkeypatch.setenv("OTEL_TRACES_SAMPLER_ARG", "0.5")
    links = [campaign_link(f"spring-{number}", 1.0) for number in range(64)]

    with tracing(collector.endpoint, tmp_path):
        for link in links:
            with traces.span("submitted", origin=Origin(as_root=link)):
                pass
            with traces.span("batch", origin=Origin(is_root=True)), traces.span("finished", origin=Origin(parent=link)):
                pass

    begun, ended = ({one.trace_id for one in collector.named(name)} for name in ("submitted", "finished"))
    assert begun == ended
    assert 0 < len(begun) < 64


def test_the_standard_variables_name_the_service(collector: Collector, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("OTEL_SERVICE_NAME", "spring-factory")

    with tracing(collector.endpoint, tmp_path), traces.span("step"):
        pass

    assert [one.service for one in collector.told] == ["spring-factory"]


def test_a_library_that_is_switched_off_by_its_own_variable_sends_nothing(
    collector: Collector, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")

    with tracing(collector.endpoint, tmp_path), traces.span("step"):
        assert traces.headers() == {}

    assert collector.told == []


def test_a_wrong_variable_is_told_with_the_way_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    # Less than one batch of spans.
    monkeypatch.setenv("OTEL_BSP_MAX_QUEUE_SIZE", "10")

    with pytest.raises(
        SettingsError, match=r"traces do not start: .*max_queue_size.*; look at the variables that begin with OTEL_"
    ):
        traces.begin(Settings(home=tmp_path, traces_endpoint="http://127.0.0.1:9"), "test")

    assert not traces.are_on()


def test_a_header_that_cannot_be_read_is_not_shown(
    collector: Collector, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "Bearer hush")

    with caplog.at_level(logging.DEBUG), tracing(collector.endpoint, tmp_path), traces.span("step"):
        pass

    assert len(collector.told) == 1
    assert caplog.text.count("OTEL_EXPORTER_OTLP_HEADERS cannot be read") == 1
    assert "hush" not in caplog.text


def test_headers_that_can_be_read_are_no_warning(
    collector: Collector, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20hush")

    with caplog.at_level(logging.DEBUG), tracing(collector.endpoint, tmp_path), traces.span("step"):
        pass

    assert len(collector.told) == 1
    assert "OTEL_EXPORTER_OTLP_HEADERS" not in caplog.text
    assert "hush" not in caplog.text


def test_traces_without_their_libraries_are_refused_with_the_way_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk", None)

    with pytest.raises(SettingsError, match=re.escape("`pip install 'content-factory[traces]'`")):
        traces.begin(Settings(home=tmp_path, traces_endpoint="http://127.0.0.1:9"), "test")

    traces.require_installed(Settings(home=tmp_path))


@pytest.mark.parametrize("state", ["away", "silent"])
def test_a_collector_that_does_not_answer_delays_no_step_and_the_end_by_seconds(tmp_path: Path, state: str):
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        if state == "silent":
            silent.listen()
        began = time.monotonic()
        with tracing(f"http://127.0.0.1:{silent.getsockname()[1]}", tmp_path):
            # More than a queue holds: the rest is dropped.
            for _ in range(5000):
                with traces.span("step"):
                    pass
            worked = time.monotonic() - began
        took = time.monotonic() - began

    # Waiting for it would take ten seconds for each of ten batches, and half a minute in the end.
    assert worked < 30
    assert took - worked < 15


@pytest.mark.parametrize("status", [401, 308])
def test_that_a_collector_takes_nothing_is_said_once_and_once_that_it_does_again(
    collector: Collector, status: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    monkeypatch.setenv("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "1")
    # Ones that are not tried again; the second says to go elsewhere, which nobody follows.
    collector.status = status

    with caplog.at_level(logging.WARNING), tracing(collector.endpoint, tmp_path):
        for _ in range(3):
            with traces.span("step"):
                pass
        wait_until(lambda: collector.refused == 3)
        collector.status = 200
        with traces.span("step"):
            pass
        wait_until(lambda: "takes spans again" in caplog.text)

    # That of an earlier test may be given up only now, and say so.
    said = [one.getMessage() for one in caplog.records if collector.endpoint in one.getMessage()]
    (away,) = [one for one in said if "takes no spans" in one]
    assert away.startswith(f"the collector at {collector.endpoint} takes no spans (it answers {status}): ")
    assert "is it up, is that its address without /v1/traces, and does OTEL_EXPORTER_OTLP_HEADERS" in away
    assert caplog.text.count("takes spans again, after at least 3 lost") == 1


def test_a_collector_that_is_away_is_said_to_give_no_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "1")
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        endpoint = f"http://127.0.0.1:{nobody.getsockname()[1]}"
        with caplog.at_level(logging.WARNING), tracing(endpoint, tmp_path), traces.span("step"):
            pass

    said = f"the collector at {endpoint} takes no spans (no answer): they are dropped, work goes on"
    assert caplog.text.count(said) == 1


def test_a_step_that_the_sampler_leaves_out_is_no_current_span(
    collector: Collector, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "always_off")

    with tracing(collector.endpoint, tmp_path), traces.span("step"):
        assert traces.current() is None

    assert collector.told == []


@given(ids, ids)
def test_a_header_leads_back_to_its_span(trace_id: int, span_id: int):
    assert link_of(f"00-{trace_id:032x}-{span_id:016x}-01") == Link(trace_id, span_id)


@given(st.one_of(st.none(), st.integers(), st.text(), st.binary(), st.from_regex(r"00-0{32}-\w{16}-01")))
def test_a_header_that_names_no_span_is_none_whatever_it_is(header: object):
    assert link_of(header) is None


@given(st.text(), st.floats(0, 1e11), st.floats(0, 1e11))
def test_the_trace_of_a_campaign_follows_from_it_and_its_moment(campaign_id: str, moment: float, other: float):
    link, again = campaign_link(campaign_id, moment), campaign_link(campaign_id, other)

    assert link.trace_id
    assert link.span_id
    assert (link == again) == (moment == other)


@pytest.mark.parametrize(
    "endpoint", ["127.0.0.1:4318", "http://ann:hush@127.0.0.1", "ftp://a", "http://a?key=hush", "-"]
)
def test_an_endpoint_that_is_no_plain_address_is_refused_without_being_shown(
    endpoint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("FACTORY_HOME", str(tmp_path))
    monkeypatch.setenv("FACTORY_TRACES_ENDPOINT", endpoint)

    with pytest.raises(SettingsError, match=r"FACTORY_TRACES_ENDPOINT: .*OTEL_EXPORTER_OTLP_HEADERS") as refused:
        Settings.load()

    assert "hush" not in str(refused.value)


@pytest.mark.parametrize("end", ["/v1/traces", "/v1/traces/"])
def test_an_endpoint_that_ends_in_what_is_added_to_it_is_refused(
    end: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("FACTORY_HOME", str(tmp_path))
    monkeypatch.setenv("FACTORY_TRACES_ENDPOINT", f"http://127.0.0.1:4318{end}")

    with pytest.raises(SettingsError, match=r"FACTORY_TRACES_ENDPOINT: .*ends in /v1/traces.*: leave that out"):
        Settings.load()
