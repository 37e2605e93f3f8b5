"""The installed command as a person or a script meets it: its own process, its streams, its exit codes."""

import json
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from core.ledger import Ledger
from core.settings import Settings
from core.storage import Storage

from support.waiting import wait_until
from support.writer import CAMPAIGN, JOBS, write_all, write_batch

FACTORY = str(Path(sys.executable).with_name("factory"))
SECONDS = 60
HEAVY = (
    "celery",
    "kombu",
    "sqlalchemy",
    "alembic",
    "boto3",
    "botocore",
    "rich",
    "pydantic_settings",
    "torch",
    "jinja2",
    "fastapi",
    "uvicorn",
)


Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def ledger(settings: Settings):
    opened = Ledger(settings)
    yield opened
    opened.close()


@pytest.fixture
def factory(settings: Settings, tmp_path: Path):
    """Runs the installed command with the test's settings, in its folder."""
    (tmp_path / "campaign.yaml").write_text(CAMPAIGN)

    def command(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [FACTORY, *arguments],
            env=settings.environment(),
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )

    return command


def test_help_and_completion_load_no_library_of_the_commands():
    question = f"import sys, producer.cli; print([name for name in {HEAVY} if name in sys.modules])"

    loaded = subprocess.run(
        [sys.executable, "-c", question], capture_output=True, text=True, check=True, timeout=SECONDS
    )

    assert loaded.stdout == "[]\n"


def test_help_lists_every_command(factory: Run):
    shown = factory("--help")

    assert shown.returncode == 0
    for name in (
        "plan",
        "submit",
        "watch",
        "retry",
        "dead-letters",
        "export",
        "verify",
        "up",
        "demo",
        "models",
        "api",
        "keys",
        "audit",
        "webhooks",
    ):
        assert re.search(rf"^  {name} ", shown.stdout, flags=re.MULTILINE)


def test_a_campaign_goes_from_file_to_spreadsheet(factory: Run, ledger: Ledger, storage: Storage, tmp_path: Path):
    submitted = json.loads(factory("submit", "campaign.yaml", "--json").stdout)
    write_all(ledger, storage)
    watched = factory("watch", submitted["campaign"])
    exported = factory("export", "spring", "--to", "lines.csv")
    verified = factory("verify", "spring")

    assert [done.returncode for done in (watched, exported, verified)] == [0, 0, 0]
    assert "finished  16 of 16 done" in watched.stdout
    assert len((tmp_path / "lines.csv").read_text().splitlines()) == JOBS + 1
    assert verified.stdout.splitlines()[-1] == "sound"


def test_json_is_all_there_is_on_standard_output(factory: Run, ledger: Ledger, storage: Storage):
    factory("submit", "campaign.yaml")
    write_batch(ledger, storage, limit=5, failing=lambda job: job.variant == 1)

    for arguments in (["plan", "campaign.yaml"], ["list"], ["status"], ["jobs", "spring"], ["dead-letters", "spring"]):
        answered = factory(*arguments, "--json")
        assert answered.returncode == 0, answered.stderr
        assert all(isinstance(json.loads(line), dict) for line in answered.stdout.splitlines())
        assert answered.stdout


def test_errors_go_to_standard_error_alone(settings: Settings, factory: Run):
    (settings.home / "ledger.db").unlink()

    wrong, as_json = factory("show", "no-such-job"), factory("show", "no-such-job", "--json")

    assert (wrong.returncode, as_json.returncode) == (1, 1)
    assert wrong.stdout == as_json.stdout == ""
    assert "there is no ledger" in json.loads(as_json.stderr)["error"]
    assert "Traceback" not in wrong.stderr


def test_a_reader_that_goes_away_is_no_error_message(settings: Settings, factory: Run, tmp_path: Path):
    factory("submit", "campaign.yaml")

    process = subprocess.Popen(
        [FACTORY, "jobs", "spring", "--json"],
        env=settings.environment(),
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout
    assert process.stderr
    process.stdout.close()
    told = process.stderr.read()
    process.stderr.close()

    assert process.wait(SECONDS) == 1
    assert told == ""


def test_ctrl_c_ends_the_watching_and_not_the_campaign(
    settings: Settings, factory: Run, ledger: Ledger, tmp_path: Path
):
    factory("submit", "campaign.yaml")
    output = tmp_path / "output"
    with output.open("w") as file:
        # Who starts the tests in the background of a shell has them ignore Ctrl-C; a person's shell does not.
        command = ["env", "--default-signal=INT", FACTORY, "watch", "spring"]
        process = subprocess.Popen(command, env=settings.environment(), cwd=tmp_path, stdout=file, stderr=file)
    wait_until(lambda: "0 of 16 done" in output.read_text(), what="the first line of watch")

    process.send_signal(signal.SIGINT)

    assert process.wait(SECONDS) == 130
    assert "the campaign goes on; `factory watch spring" in output.read_text()
    assert "Traceback" not in output.read_text()
    assert ledger.campaigns.newest_first()[0].state == "active"


def test_a_worker_is_celery_in_the_same_process(settings: Settings, tmp_path: Path):
    log = tmp_path / "log"
    with log.open("w") as file:
        process = subprocess.Popen(
            [FACTORY, "worker", "--kinds", "copy"], env=settings.environment(), cwd=tmp_path, stdout=file, stderr=file
        )
    try:
        wait_until(lambda: f"copy-{process.pid}@" in log.read_text() and "ready" in log.read_text(), what="the worker")
    finally:
        process.terminate()

    assert process.wait(SECONDS) == 0
