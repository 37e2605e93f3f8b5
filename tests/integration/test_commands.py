"""Every command against real servers, in this process; tests/e2e runs the installed one."""

import json
import os
import urllib.request
from pathlib import Path

import pytest

from core.broker import make_app, waiting_tickets
from core.ledger import Ledger
from core.settings import Settings
from core.storage import Storage
from core.tables import assets
from schemas.campaigns import Kind
from schemas.styles import Style

from support.commands import Factory, commands
from support.styled import campaign_text, claim, like, make
from support.styled import submit as submit_lines
from support.waiting import free_port
from support.writer import CAMPAIGN, JOBS, write_all, write_batch


@pytest.fixture(autouse=True)
def here(settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """Run commands with the test's settings, in its folder."""
    for key, value in settings.environment().items():
        if key.startswith("FACTORY_"):
            monkeypatch.setenv(key, value)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "campaign.yaml").write_text(CAMPAIGN)


@pytest.fixture
def new_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Run commands in a home in which nothing was started yet."""
    monkeypatch.setenv("FACTORY_HOME", str(tmp_path / "new"))
    return tmp_path / "new"


@pytest.fixture
def ledger(settings: Settings):
    opened = Ledger(settings)
    yield opened
    opened.close()


@pytest.fixture
def factory(capsys: pytest.CaptureFixture[str]):
    return commands(capsys)


@pytest.fixture
def campaign(factory: Factory):
    _, [submitted], _ = factory("submit", "campaign.yaml", "--json")
    return submitted["campaign"]


def states(factory: Factory, campaign: str):
    _, [record], _ = factory("status", campaign, "--json")
    return {name: record[name] for name in ("state", "waiting", "leased", "done", "failed", "cancelled")}


def test_plan_counts_and_starts_nothing(factory: Factory, new_home: Path):
    code, [planned], _ = factory("plan", "campaign.yaml", "--json")

    assert code == 0
    assert planned["jobs"] == JOBS
    assert planned["jobs_by_channel"]["meta.primary_text"] == 4
    assert not new_home.exists()


def test_plan_says_what_is_wrong_with_a_file_and_where(factory: Factory, tmp_path: Path):
    (tmp_path / "campaign.yaml").write_text(CAMPAIGN.replace("audiences", "audience"))

    code, objects, error = factory("plan", "campaign.yaml", "--json")

    problems = json.loads(error)["problems"]
    assert (code, objects) == (1, [])
    assert {"file": "campaign.yaml", "line": 6, "column": 1, "field": "audience"}.items() <= problems[1].items()


def test_a_file_submitted_twice_is_one_campaign(factory: Factory, settings: Settings, ledger: Ledger):
    first = factory("submit", "campaign.yaml", "--json")
    second = factory("submit", "campaign.yaml", "--json")

    assert (first[0], second[0]) == (0, 0)
    assert (first[1][0]["is_new"], second[1][0]["is_new"]) == (True, False)
    assert len(ledger.campaigns.newest_first()) == 1
    assert waiting_tickets(make_app(settings), Kind.COPY) == 2


def test_a_submit_without_a_broker_is_safe_and_says_so(
    factory: Factory, monkeypatch: pytest.MonkeyPatch, ledger: Ledger
):
    monkeypatch.setenv("FACTORY_BROKER_URL", f"redis://127.0.0.1:{free_port()}/0")

    code, text, error = factory("submit", "campaign.yaml")

    assert code == 0
    assert "16 jobs submitted" in text
    assert error == "the broker does not answer: the jobs are safe in the ledger and start when it is back\n"
    assert ledger.campaigns.newest_first()[0].waiting == JOBS


def test_a_campaign_over_its_budget_is_refused_with_the_line_of_the_file(
    factory: Factory, tmp_path: Path, ledger: Ledger
):
    (tmp_path / "campaign.yaml").write_text(CAMPAIGN + "budget: {jobs: 5}\n")

    planned = factory("plan", "campaign.yaml")
    submitted = factory("submit", "campaign.yaml")

    assert (planned[0], submitted[0]) == (1, 1)
    assert "campaign.yaml:13:16: budget.jobs: the campaign makes 16 jobs and may make 5" in submitted[2]
    assert ledger.campaigns.newest_first() == []


def test_a_language_that_nobody_writes_is_refused(factory: Factory, tmp_path: Path):
    (tmp_path / "campaign.yaml").write_text(CAMPAIGN + "locales: [fi]\n")

    code, _, error = factory("submit", "campaign.yaml")

    assert code == 1
    assert "does not write 'fi'" in error


def test_a_campaign_is_paused_resumed_made_urgent_and_cancelled(factory: Factory, campaign: str):
    codes = [factory("pause", campaign)[0]]
    paused = states(factory, campaign)
    codes += [factory("resume", "spring")[0], factory("priority", campaign[:8], "interactive")[0]]
    _, [urgent], _ = factory("list", "--json")
    codes += [factory("cancel", campaign)[0], factory("cancel", campaign)[0]]

    assert codes == [0, 0, 0, 0, 0]
    assert paused["state"] == "paused"
    assert (urgent["state"], urgent["priority"]) == ("active", "interactive")
    assert states(factory, campaign)["cancelled"] == JOBS


def test_watch_ends_with_the_campaign(factory: Factory, campaign: str, ledger: Ledger, storage: Storage):
    write_all(ledger, storage)

    code, text, _ = factory("watch", campaign)

    assert code == 0
    assert "finished  16 of 16 done" in text


def test_watch_of_a_campaign_with_dead_letters_fails_and_says_where_to_look(
    factory: Factory, campaign: str, ledger: Ledger, storage: Storage
):
    write_all(ledger, storage, failing=lambda job: job.variant == 2)

    code, objects, error = factory("watch", campaign, "--json")

    assert code == 1
    assert (objects[-1]["done"], objects[-1]["failed"]) == (14, 2)
    assert f"`factory dead-letters {campaign}` says why" in error


def test_watch_does_not_wait_for_a_paused_campaign(factory: Factory, campaign: str):
    factory("pause", campaign)

    code, _, error = factory("watch", campaign)

    assert code == 1
    assert f"paused by hand: `factory resume {campaign}` goes on" in error


def test_status_shows_processes_queues_and_campaigns(factory: Factory, campaign: str):
    code, objects, _ = factory("status", "--json")

    assert code == 0
    assert {"queue": "generate.copy", "tickets": 1} in objects
    assert any(record.get("process") == "generate" for record in objects)
    assert objects[-1]["campaign"] == campaign


def test_jobs_are_listed_by_state(factory: Factory, campaign: str, ledger: Ledger, storage: Storage):
    write_batch(ledger, storage, limit=5, failing=lambda job: job.variant == 1)

    code, objects, _ = factory("jobs", campaign, "--state", "failed", "--json")
    _, text, error = factory("jobs", campaign, "--limit", "3")

    assert code == 0
    assert [record["error_code"] for record in objects] == ["rejected"]
    assert len(text.splitlines()) == 4
    assert "--limit shows more" in error


def test_show_tells_everything_about_a_job(factory: Factory, campaign: str, ledger: Ledger, storage: Storage):
    write_all(ledger, storage)

    code, [record], _ = factory("show", f"{campaign}-000000", "--json")
    _, text, _ = factory("show", f"{campaign}-000000")

    assert code == 0
    assert record["text"] == "Ember Espresso für commuters: google_search.headline 1"
    assert record["manifest"]["recipe"]["score"] == 0.5
    assert "checks    length ok" in text


def test_show_without_s3_tells_what_the_ledger_knows_and_fails(
    factory: Factory, campaign: str, ledger: Ledger, storage: Storage, monkeypatch: pytest.MonkeyPatch
):
    write_all(ledger, storage)
    monkeypatch.setenv("FACTORY_S3_ENDPOINT", f"http://127.0.0.1:{free_port()}")

    code, text, error = factory("show", f"{campaign}-000000")

    assert code == 1
    assert "text      Ember Espresso für commuters" in text
    assert "does not answer" in error


def test_a_link_gives_anybody_the_bytes(factory: Factory, campaign: str, ledger: Ledger, storage: Storage):
    write_all(ledger, storage)

    code, [record], _ = factory("link", f"{campaign}-000000", "--seconds", "60", "--json")
    with urllib.request.urlopen(record["link"]) as answer:
        line = answer.read()[record["first_byte"] : record["last_byte"] + 1]

    assert code == 0
    assert json.loads(line)["job_id"] == f"{campaign}-000000"


def test_dead_letters_are_edited_and_retried(factory: Factory, campaign: str, ledger: Ledger, storage: Storage):
    write_all(ledger, storage, failing=lambda job: job.id.endswith("000000"))
    job = f"{campaign}-000000"

    _, [letter], _ = factory("dead-letters", campaign, "--json")
    edited = factory("dead-letters", "--edit", job, "product.description=Dark roast, 250 g", "--retry")

    assert letter["error"] == "no line passed the checks"
    assert edited[0] == 0
    assert ledger.jobs.status(job).job.brief.product.description == "Dark roast, 250 g"
    assert states(factory, campaign) == {
        "state": "active", "waiting": 1, "leased": 0, "done": 15, "failed": 0, "cancelled": 0
    }  # fmt: skip


@pytest.mark.parametrize(
    ("assignment", "expected"),
    [
        ("product.descriptoin=x", "did you mean 'description'?"),
        ("channel=x.post", "x.post takes medium lines and job"),
        ("channel=nowhere", "there is no channel 'nowhere'"),
        ("product.url=here", "product.url"),
        ("product=Ember", "'product' has fields of its own: product.sku"),
        ("brand.banned_words=cheap", "is a list: write it as JSON"),
        ("product.name=", "product.name: Field required"),
    ],
)
def test_an_edit_that_cannot_be_is_refused(
    assignment: str, expected: str, factory: Factory, campaign: str, ledger: Ledger, storage: Storage
):
    write_all(ledger, storage, failing=lambda job: job.id.endswith("000000"))

    code, _, error = factory("dead-letters", "--edit", f"{campaign}-000000", assignment)

    assert code == 1
    assert expected in error
    assert ledger.jobs.status(f"{campaign}-000000").state == "failed"


def test_retry_wants_jobs_or_all(factory: Factory, campaign: str, ledger: Ledger, storage: Storage):
    write_all(ledger, storage, failing=lambda job: job.variant == 0)
    failed = states(factory, campaign)["failed"]

    neither = factory("retry", campaign)
    one = factory("retry", campaign, f"{campaign}-000000", "--json")
    not_failed = factory("retry", campaign, f"{campaign}-000001")
    all_others = factory("retry", campaign, "--failed", "--json")

    assert (neither[0], one[0], not_failed[0], all_others[0]) == (2, 0, 1, 0)
    assert (one[1][0]["retried"], all_others[1][0]["retried"]) == (1, failed - 1)


def test_export_takes_the_format_from_the_ending(factory: Factory, campaign: str, ledger: Ledger, storage: Storage):
    write_batch(ledger, storage, limit=5, failing=lambda job: job.variant == 1)

    code, text, error = factory("export", campaign, "--to", "lines.csv")
    again = factory("export", campaign, "--to", "lines.csv", "--json")

    assert code == 0
    assert text == f"lines.csv: 4 lines of {campaign} as csv\n"
    assert error == "not in it: 11 open jobs, 1 failed job\n"
    assert again[0] == 1
    assert json.loads(again[2])["error"].startswith("lines.csv exists already")


def test_verify_fails_when_a_promise_is_broken(factory: Factory, campaign: str, ledger: Ledger, storage: Storage):
    write_all(ledger, storage)
    sound = factory("verify", campaign)
    with ledger.database.write() as connection:
        connection.execute(assets.delete().where(assets.c.job_id == f"{campaign}-000002"))

    code, [verdict], _ = factory("verify", campaign, "--json")

    assert sound[0] == 0
    assert sound[1].endswith("sound\n")
    assert (code, verdict["is_sound"]) == (1, False)
    assert verdict["violations"][0]["target"] == f"{campaign}-000002"


@pytest.mark.usefixtures("campaign")
def test_models_say_who_writes_and_what_was_made(factory: Factory, ledger: Ledger, storage: Storage):
    write_all(ledger, storage)

    code, objects, _ = factory("models", "list", "--json")
    shown = factory("models", "show", objects[0]["model"])
    unknown = factory("models", "show", "gpt")

    assert code == 0
    assert (objects[0]["role"], objects[0]["assets"]) == ("makes new campaigns", JOBS)
    assert "writer-1" in shown[1]
    assert unknown[0] == 1


def test_styles_say_what_people_like_and_what_is_written_next(factory: Factory, ledger: Ledger):
    nothing = factory("models", "styles")
    submit_lines(ledger, campaign_text())
    like(ledger, make(ledger), Style.DETAIL)

    code, cells, _ = factory("models", "styles", "--json")
    shown = factory("models", "styles")
    of_others = factory("models", "styles", "--tenant", "others")

    assert (code, [(one["model"], one["channel"], one["audience"]) for one in cells]) == (
        0,
        [("starter+house", "email.subject", "commuters"), ("starter+house", "email.subject", "home")],
    )
    for cell in cells:
        benefit, detail = cell["styles"]
        assert (benefit["style"], detail["style"]) == ("benefit", "detail")
        assert benefit["answers"] + detail["answers"] == 20
        assert benefit["low"] < benefit["mean"] < benefit["high"] < 0.5 < detail["mean"]
        assert detail["share"] > 0.9
        assert benefit["share"] + detail["share"] == pytest.approx(1, abs=1e-5)
    assert "email.subject  commuters" in shown[1]
    assert "nobody has rated a line yet" in nothing[2]
    assert "nobody has rated a line yet" in of_others[2]


def test_a_job_tells_what_spoke_for_its_style_when_it_was_chosen(factory: Factory, ledger: Ledger):
    submit_lines(ledger, campaign_text(products=1))
    style = {job.id: job.brief.style for job in claim(ledger).jobs}
    job_id = min(style)

    _, [record], _ = factory("show", job_id, "--json")
    _, text, _ = factory("show", job_id)

    assert record["style_choice"]["style"] == record["brief"]["style"] == style[job_id]
    assert [arm["share"] for arm in record["style_choice"]["known"]["arms"]] == [0.5, 0.5]
    assert "by shares: benefit 50% (0.0 answers), detail 50% (0.0 answers)" in text


def test_styles_say_when_nothing_is_chosen(factory: Factory, ledger: Ledger, monkeypatch: pytest.MonkeyPatch):
    ledger.database.ping()
    monkeypatch.setenv("FACTORY_BANDIT", "off")

    code, _, told = factory("models", "styles")

    assert code == 0
    assert "FACTORY_BANDIT is off" in told


def test_a_worker_becomes_celery_with_the_settings(
    factory: Factory, monkeypatch: pytest.MonkeyPatch, settings: Settings
):
    became = []
    monkeypatch.setattr(os, "execvpe", lambda *arguments: became.append(arguments))

    code, _, _ = factory("worker", "--kinds", "copy", "--device", "cuda:1", "--name", "copy-two")

    [(_, command, environment)] = became
    assert code == 0
    assert command[1:9] == ["-m", "celery", "-q", "-A", "workers.app", "worker", "-Q", "generate.copy"]
    assert "copy-two@%h" in command
    assert environment["FACTORY_DEVICE"] == "cuda:1"
    assert environment["FACTORY_BROKER_URL"] == settings.broker_url.get_secret_value()


def test_a_worker_of_feedback_serves_its_queue_alone(factory: Factory, monkeypatch: pytest.MonkeyPatch):
    became = []
    monkeypatch.setattr(os, "execvpe", lambda *arguments: became.append(arguments))

    code, _, _ = factory("worker", "--feedback", "--name", "ratings")

    [(_, command, _)] = became
    assert code == 0
    assert command[command.index("-Q") + 1] == "feedback"
    assert "ratings@%h" in command


def test_a_worker_of_an_unknown_kind_is_refused(factory: Factory):
    code, _, error = factory("worker", "--kinds", "video")

    assert code == 2
    assert "unknown kind 'video'; known: copy" in error


MISTAKES = [
    (["status", "no-such-campaign"], 1, "there is no campaign 'no-such-campaign'"),
    (["show", "no-such-job"], 1, "there is no job 'no-such-job'"),
    (["link", "no-such-job"], 1, "there is no job 'no-such-job'"),
    (["plan", "no-such-file.yaml"], 1, "cannot be read: No such file or directory"),
    (["plan", "/dev/null"], 1, "is not a file"),
    (["submit", "."], 1, "is a folder"),
    (["priority", "spring", "urgent"], 2, "is not one of"),
    (["jobs", "spring", "--state", "broken"], 2, "is not one of"),
    (["dead-letters", "a", "b"], 2, "give one campaign at most"),
    (["export", "spring"], 2, "Missing option '--to'"),
    (["nonsense"], 2, "No such command 'nonsense'"),
]


@pytest.mark.usefixtures("campaign")
@pytest.mark.parametrize(("arguments", "code", "expected"), MISTAKES)
def test_a_mistake_is_a_line_and_an_exit_code(arguments: list[str], code: int, expected: str, factory: Factory):
    plain = factory(*arguments)
    as_json = factory(*arguments, "--json")

    assert (plain[0], as_json[0]) == (code, code)
    assert expected in plain[2]
    assert expected in json.loads(as_json[2])["error"]
    assert "Traceback" not in plain[2]
    assert as_json[1] == []


@pytest.mark.parametrize(
    ("variable", "value", "expected"),
    [
        ("FACTORY_BATCH_SIZE", "many", "FACTORY_BATCH_SIZE"),
        ("FACTORY_LEDGER_URL", "oracle://here", "FACTORY_LEDGER_URL"),
        ("FACTORY_LEDGER_URL", "sqlite:///campaign.yaml", "FACTORY_LEDGER_URL: campaign.yaml is no ledger"),
        ("FACTORY_BROKER_URL", "foo://here", "FACTORY_BROKER_URL: no transport 'foo'"),
        ("FACTORY_BROKER_URL", "redis://here:port/0", "FACTORY_BROKER_URL"),
        ("FACTORY_HOME", "/proc/nowhere", "FACTORY_HOME"),
        ("FACTORY_COPY_MODEL", "x" * 200, "use a shorter path"),
    ],
)
def test_a_wrong_setting_names_its_variable(
    variable: str, value: str, expected: str, factory: Factory, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv(variable, value)

    code, _, error = factory("submit", "campaign.yaml")

    assert code == 1
    assert expected in error
    assert "unexpected" not in error


def test_a_wrong_endpoint_names_its_variable(
    factory: Factory, campaign: str, ledger: Ledger, storage: Storage, monkeypatch: pytest.MonkeyPatch
):
    write_all(ledger, storage)
    monkeypatch.setenv("FACTORY_S3_ENDPOINT", "not an address")

    code, _, error = factory("verify", campaign)

    assert code == 1
    assert "FACTORY_S3_ENDPOINT" in error


def test_a_question_in_the_wrong_folder_leaves_no_trace(factory: Factory, new_home: Path):
    code, _, error = factory("watch", "spring")
    listed = factory("list")

    assert code == 1
    assert "is this the right folder, or is FACTORY_HOME missing?" in error
    assert (listed[0], "no campaigns" in listed[2]) == (0, True)
    assert not new_home.exists()


def test_a_bug_is_a_short_message_that_says_how_to_see_more(factory: Factory, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("producer.campaigns.read", lambda _: 1 / 0)

    code, _, error = factory("plan", "campaign.yaml")

    assert code == 1
    assert "unexpected ZeroDivisionError" in error
    assert "FACTORY_LOG_LEVEL=debug shows where" in error
