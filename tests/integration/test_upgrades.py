"""This version beside the next one: newer tables, newer messages, and what older ones have sent."""

import json
import threading
from pathlib import Path

import pytest
from sqlalchemy import event
from sqlalchemy.exc import DBAPIError

from core import migrations
from core.broker import HOUSEKEEPING_QUEUE
from core.errors import OutdatedError
from core.ledger import Ledger
from core.settings import Settings
from deploy.checks import servers
from deploy.findings import Level
from producer.cli import run
from schemas.campaigns import Kind
from schemas.ratings import Feedback
from workers.feedback import record, record_patiently

from support.commands import commands
from support.inputs import HEADLINE, an_ad, claim, submit
from support.rated import a_rating, job_id, make_assets
from support.upgrades import ADDING, REVISION, Change, NextVersion, renaming
from support.waiting import wait_until
from support.workers import Workers

# What a worker says to whoever starts it.
EX_OUTDATED = 3
NEWER = {"version": 2, "id": "from-the-future", "tenant": "default", "rater": "ada", "verse": "unknown to this one"}


def test_newer_tables_with_more_in_them_are_worked_with(ledger: Ledger, tmp_path: Path):
    submit(ledger, an_ad())
    NextVersion(ledger.database, tmp_path, ADDING).migrate()

    lease = claim(ledger, Kind.COPY)

    assert [job.id for job in lease.jobs] == [HEADLINE]


def test_tables_that_miss_something_end_a_process_of_the_version_before(ledger: Ledger, tmp_path: Path):
    submit(ledger, an_ad())
    following = NextVersion(ledger.database, tmp_path, renaming("jobs", "bucket"))
    following.migrate()

    with pytest.raises(OutdatedError, match=rf"at revision {REVISION} and this process knows none after"):
        ledger.leases.pick([Kind.COPY])

    following.go_back()
    assert [job.id for job in claim(ledger, Kind.COPY).jobs] == [HEADLINE]


def test_a_newer_ledger_is_not_opened_and_not_changed(ledger: Ledger, ledger_url: str, tmp_path: Path):
    NextVersion(ledger.database, tmp_path, ADDING).migrate()

    with pytest.raises(OutdatedError, match="install the version that migrated it"):
        Ledger(Settings(home=tmp_path / "home", ledger_url=ledger_url))
    with pytest.raises(OutdatedError):
        ledger.database.migrate_back(migrations.HEAD)

    assert ledger.database.revision() == REVISION


def test_an_older_ledger_is_not_opened_and_not_changed(ledger: Ledger, ledger_url: str, tmp_path: Path):
    before = migrations.revisions()[-2]
    ledger.database.migrate_back(before)

    with pytest.raises(
        OutdatedError, match=f"at revision {before} and this version needs {migrations.HEAD}: `factory m"
    ):
        Ledger(Settings(home=tmp_path / "home", ledger_url=ledger_url))

    assert ledger.database.revision() == before


# Twice the same key, and a table that is not there: PostgreSQL and SQLite call each an error of another class.
BROKEN = {
    "op.execute(\"INSERT INTO alembic_version VALUES ('0012')\")": "(?i)unique constraint",
    "op.execute('SELECT * FROM nowhere')": "nowhere",
}


@pytest.mark.parametrize(("statement", "words"), BROKEN.items())
def test_a_migration_that_fails_says_why_there_and_back(
    statement: str, words: str, ledger: Ledger, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    before = migrations.HEAD
    following = NextVersion(ledger.database, tmp_path, Change((statement,), (statement,)))
    monkeypatch.setattr(migrations, "FOLDER", following.folder)
    monkeypatch.setattr(migrations, "HEAD", REVISION)

    with pytest.raises(DBAPIError, match=words):
        ledger.database.migrate()
    assert ledger.database.revision() == before
    with ledger.database.write() as connection:
        connection.exec_driver_sql(f"UPDATE alembic_version SET version_num = '{REVISION}'")
    monkeypatch.setattr(migrations, "HEAD", before)
    with pytest.raises(DBAPIError, match=words):
        ledger.database.migrate_back(before)

    assert ledger.database.revision() == REVISION


def test_opening_a_ledger_of_this_version_asks_for_its_revision_once(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    # Nor does it look for the migrations.
    monkeypatch.setattr(migrations, "FOLDER", tmp_path / "missing")
    asked: list[str] = []
    event.listen(ledger.database.engine, "before_cursor_execute", lambda *told: asked.append(told[2]))

    ledger.database.settle()

    # Whether there is a revision, and which: SQLite is told to begin, too.
    assert len([one for one in asked if one != "BEGIN"]) == 2


def test_tables_that_went_back_end_a_process_of_this_version(ledger: Ledger):
    submit(ledger, an_ad())
    ledger.database.migrate_back("0001")

    with pytest.raises(OutdatedError, match="at revision 0001 and this version needs"):
        ledger.leases.pick([Kind.COPY])

    assert ledger.database.revision() == "0001"


def test_a_worker_ends_with_a_line_until_somebody_migrates(settings: Settings, workers: Workers, tmp_path: Path):
    before = migrations.revisions()[-2]
    ledger = Ledger(settings)
    ledger.database.migrate_back(before)

    worker = workers.start("housekeeping", queues=HOUSEKEEPING_QUEUE)
    wait_until(lambda: worker.poll() is not None, 120, "the end of the worker")

    log = (tmp_path / "housekeeping.log").read_text()
    assert worker.returncode == EX_OUTDATED
    assert f"this worker ends: the ledger is at revision {before} and this version needs {migrations.HEAD}" in log
    assert "Traceback" not in log
    assert ledger.database.revision() == before
    ledger.close()


def test_a_rating_that_newer_tables_do_not_take_is_neither_refused_nor_lost(ledger: Ledger, tmp_path: Path):
    make_assets(ledger, 1)
    message = a_rating(0, "ada", stars=4)
    following = NextVersion(ledger.database, tmp_path, renaming("ratings", "stars"))
    following.migrate()

    with pytest.raises(OutdatedError):
        record_patiently(lambda: ledger, message.model_dump(mode="json"), threading.Event())

    following.go_back()
    assert ledger.intake.refusals(5) == []
    record(ledger, message.model_dump(mode="json"))
    assert ledger.intake.is_recorded(message.id)


def test_a_job_of_a_newer_form_stays_for_a_newer_worker(ledger: Ledger):
    submit(ledger, an_ad())
    with ledger.database.write() as connection:
        newer = """UPDATE jobs SET brief = replace(brief, '"sku":', '"mood":"warm","sku":')"""
        connection.exec_driver_sql(newer)

    with pytest.raises(OutdatedError, match=f"the brief of job {HEADLINE} is of a newer version .*mood"):
        claim(ledger, Kind.COPY)

    assert ledger.leases.holders() == []


def test_a_job_with_a_style_of_a_newer_version_stays_for_a_newer_worker(ledger: Ledger):
    submit(ledger, an_ad())
    with ledger.database.write() as connection:
        connection.exec_driver_sql("UPDATE jobs SET open_styles = 'benefit,verse'")

    with pytest.raises(OutdatedError, match=f"job {HEADLINE} is of a newer version .*open_styles: 'verse'"):
        claim(ledger, Kind.COPY)

    assert ledger.leases.holders() == []


def test_a_message_of_a_newer_version_waits_for_a_newer_worker(ledger: Ledger):
    record(ledger, NEWER)
    record(ledger, NEWER)

    assert ledger.intake.refusals(5) == []
    assert ledger.intake.expected() == 1
    assert ledger.intake.overdue(-1) == [NEWER]
    # Pages show what a person said last; they cannot show this.
    assert ledger.intake.on_their_way("default", "ada") == []


@pytest.mark.parametrize("change", [{"id": "short"}, {"id": 7}, {"tenant": ""}, {"tenant": None}, {"rater": "a" * 101}])
def test_a_newer_message_that_could_not_be_sent_again_is_refused(ledger: Ledger, change: dict[str, object]):
    record(ledger, NEWER | change)

    (refusal,) = ledger.intake.refusals(5)
    assert refusal.reason == "version: 2 is newer than 1, which this worker knows: update the worker"
    assert ledger.intake.expected() == 0


# As the first version sent them. Whoever changes the schema keeps reading these.
FIRST_MESSAGES = (
    {"type": "rating", "job_id": job_id(0), "stars": 4},
    {"type": "rating", "job_id": job_id(0), "approves": False, "reason": None, "comment": "", "is_withdrawn": False},
    {"type": "comparison", "job_id": job_id(0), "other_job_id": job_id(1), "outcome": "better", "comment": "rounder"},
    {"type": "results", "job_id": job_id(0), "source": "google-ads", "impressions": 10, "clicks": 2},
)


@pytest.mark.parametrize("content", FIRST_MESSAGES)
def test_messages_of_the_first_version_are_recorded(ledger: Ledger, content: dict[str, object]):
    make_assets(ledger, 2)
    sent = {"version": 1, "id": "an-old-message", "rater": "ada", "at": 1000.0, "content": content}

    record(ledger, json.loads(json.dumps(sent)))

    assert Feedback.model_validate(sent).tenant == "default"
    assert ledger.intake.refusals(5) == []
    assert ledger.intake.is_recorded("an-old-message")


def test_the_command_migrates_there_and_back(
    ledger: Ledger, ledger_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
):
    monkeypatch.setenv("FACTORY_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("FACTORY_LEDGER_URL", ledger_url)
    factory, before = commands(capsys), migrations.revisions()[-2]

    back = factory("migrate", "--to", before, "--json")
    forward = factory("migrate", "--json")
    again = factory("migrate")

    assert back == (0, [{"before": migrations.HEAD, "after": before}], "")
    assert forward == (0, [{"before": before, "after": migrations.HEAD}], "")
    assert again == (0, f"the ledger is at revision {migrations.HEAD}, as it was\n", "")
    assert ledger.database.revision() == migrations.HEAD


@pytest.mark.parametrize("command", [("list",), ("status",), ("dead-letters",), ("ratings", "report"), ("audit",)])
def test_no_other_command_migrates_what_went_back(
    command: tuple[str, ...],
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    factory, before = commands(capsys), migrations.revisions()[-2]
    for name, value in settings.environment().items():
        monkeypatch.setenv(name, value)
    assert factory("migrate", "--to", before)[0] == 0

    code, _, told = factory(*command)

    assert code == 1
    assert f"the ledger is at revision {before} and this version needs {migrations.HEAD}: `factory migrate`" in told
    assert factory("migrate", "--json")[1] == [{"before": before, "after": migrations.HEAD}]


def test_the_doctor_names_a_ledger_of_another_version_and_leaves_it_alone(
    ledger: Ledger, ledger_url: str, tmp_path: Path
):
    before = migrations.revisions()[-2]
    opened = Settings(home=tmp_path / "home", ledger_url=ledger_url)
    ledger.database.migrate_back(before)

    older = servers.ledger(opened)[0]
    ledger.database.migrate()
    NextVersion(ledger.database, tmp_path, ADDING).migrate()
    newer = servers.ledger(opened)[0]

    assert (older.level, newer.level) == (Level.FAIL, Level.FAIL)
    assert f"at revision {before}" in older.found
    assert older.mend.startswith("run `factory migrate` or `factory up`")
    assert newer.mend.startswith("install the version that migrated it")


def test_the_command_says_what_it_cannot_do(
    ledger: Ledger, ledger_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
):
    monkeypatch.setenv("FACTORY_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("FACTORY_LEDGER_URL", ledger_url)
    factory = commands(capsys)

    unknown = factory("migrate", "--to", "0000")
    NextVersion(ledger.database, tmp_path, ADDING).migrate()
    newer = factory("migrate")

    assert (unknown[0], newer[0]) == (1, 1)
    assert "there is no revision '0000': one of 0001, " in unknown[2]
    assert f"the ledger is at revision {REVISION} and this process knows none after {migrations.HEAD}" in newer[2]


def test_there_is_nothing_to_migrate_where_there_is_no_ledger(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
):
    monkeypatch.setenv("FACTORY_HOME", str(tmp_path / "nowhere"))

    assert run(["migrate"]) == 1
    assert "there is no ledger in" in capsys.readouterr().err


def test_the_newest_revision_is_the_last_file_of_the_migrations():
    assert migrations.revisions()[-1] == migrations.HEAD
    assert migrations.revisions()[0] == "0001"
