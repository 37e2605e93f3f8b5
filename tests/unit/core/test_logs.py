"""Lines of the log, for people and for programs."""

import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from core import traces
from core.logs import APART, configure_logs, take_over
from core.settings import Settings

from support.collector import collecting

logger = logging.getLogger("factory.test")


@pytest.fixture(autouse=True)
def _as_it_was() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    apart = {name: (logging.getLogger(name).handlers[:], logging.getLogger(name).propagate) for name in APART}
    yield
    logging.captureWarnings(False)
    for name, (theirs, propagates) in apart.items():
        logging.getLogger(name).handlers[:] = theirs
        logging.getLogger(name).propagate = propagates
    root.handlers[:] = handlers
    root.setLevel(level)


def test_a_line_for_programs_is_one_object_on_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    configure_logs(Settings(home=tmp_path, log_format="json"), "beat")

    logger.error("batch of %d failed", 3, exc_info=ValueError("odd\nthing"))

    (line,) = capsys.readouterr().err.splitlines()
    told = json.loads(line)
    assert (told["level"], told["logger"], told["message"]) == ("error", "factory.test", "batch of 3 failed")
    assert told["process"] == "beat"
    assert told["exception"].endswith("ValueError: odd\nthing")
    assert "trace_id" not in told


def test_a_line_says_which_trace_it_belongs_to(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    with collecting() as collector:
        settings = Settings(home=tmp_path, traces_endpoint=collector.endpoint)
        traces.begin(settings, "test")
        with traces.span("batch"):
            configure_logs(settings, "api")
            logger.info("in text")
            configure_logs(settings.model_copy(update={"log_format": "json"}), "api")
            logger.info("in JSON")
        logger.info("after it")
        traces.end()

    text, *lines = capsys.readouterr().err.splitlines()
    within, after = map(json.loads, lines)
    (batch,) = collector.named("batch")
    assert " INFO    api factory.test: " in text
    assert text.endswith(f"factory.test: in text [trace {batch.trace_id}]")
    assert (within["trace_id"], within["span_id"]) == batch.place
    assert "trace_id" not in after


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_a_line_names_no_trace_that_is_not_kept(
    log_format: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "always_off")
    with collecting() as collector:
        settings = Settings(home=tmp_path, traces_endpoint=collector.endpoint, log_format=log_format)
        traces.begin(settings, "test")
        with traces.span("batch"):
            configure_logs(settings, "api")
            logger.info("a line")
        traces.end()

    (line,) = capsys.readouterr().err.splitlines()
    assert "a line" in line
    assert "trace" not in line


def test_libraries_that_write_by_themselves_are_taken_over(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    configure_logs(Settings(home=tmp_path, log_format="json"), "generate")
    library = logging.getLogger("transformers")
    library.addHandler(logging.StreamHandler())
    library.propagate = False

    take_over()
    logging.getLogger("transformers.models").error("is not installed")

    (line,) = capsys.readouterr().err.splitlines()
    told = json.loads(line)
    assert (told["process"], told["logger"], told["message"]) == (
        "generate",
        "transformers.models",
        "is not installed",
    )
