import json

import pytest

from core.errors import CampaignFileError, Problem, StateError
from producer.cli.render import complain, count, duration, moment, rate, show_table, things
from schemas.campaigns import Kind


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(None, "?"), (0.04, "0.0 s"), (9.94, "9.9 s"), (59.4, "59 s"), (61, "1 min 01 s"), (3600, "1 h 00 min")],
)
def test_a_time_span_reads_as_people_say_it(seconds: float | None, expected: str):
    assert duration(seconds) == expected


def test_a_slow_rate_is_told_by_the_minute():
    assert [rate(None), rate(2.0), rate(0.05)] == ["nothing lately", "2.0/s", "3.0/min"]


def test_a_noun_follows_its_number():
    assert [count(0, "job"), count(1, "job"), count(2, "job")] == ["0 jobs", "1 job", "2 jobs"]


def test_kinds_are_counted_by_their_nouns():
    assert things({Kind.CREATIVE: 2, Kind.COPY: 1}) == "1 line, 2 advertisements"


def test_times_are_utc_whatever_the_machine_thinks():
    assert moment(0.0) == "1970-01-01 00:00:00Z"


def test_a_table_in_a_pipe_is_neither_cut_nor_coloured(capsys: pytest.CaptureFixture[str]):
    show_table(("line", "n"), [("[bold]x" * 100, 5)], numbers=("n",))

    head, row = capsys.readouterr().out.splitlines()
    assert head.split() == ["line", "n"]
    assert row == "[bold]x" * 100 + "  5"


def test_an_error_in_json_names_every_problem(capsys: pytest.CaptureFixture[str]):
    complain(CampaignFileError((Problem("a.yaml", 3, 5, "name", "is missing"),)), is_json=True)

    told = json.loads(capsys.readouterr().err)
    assert told["error"] == "a.yaml:3:5: name: is missing"
    assert told["problems"] == [
        {"file": "a.yaml", "line": 3, "column": 5, "field": "name", "message": "is missing"},
    ]


def test_an_error_for_people_is_its_text(capsys: pytest.CaptureFixture[str]):
    complain(StateError("campaign x is finished"), is_json=False)

    assert capsys.readouterr().err == "factory: campaign x is finished\n"
