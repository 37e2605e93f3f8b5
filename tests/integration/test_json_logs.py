"""`FACTORY_LOG_FORMAT=json`: every line of every process is an object that names it, from its start to its end."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from core import migrations
from core.broker import make_app, ring
from core.ledger import Ledger
from core.settings import Settings
from deploy import stack
from deploy.home import Home
from deploy.pages import wait_for_pages
from deploy.programs import WORKERS
from schemas.campaigns import Kind

from support.lines import line_campaign, line_jobs
from support.waiting import wait_until

pytestmark = pytest.mark.timeout(600)
# These have nothing to say unless something is delivered or due.
SILENT = {"deliver", "scheduler"}


def test_every_line_of_every_process_is_an_object_that_names_it(tmp_path: Path, line_model: Path):
    settings = Settings(
        home=tmp_path / "home", copy_model=str(line_model), copy_adapter=None, threads=1, log_format="json"
    )
    started = stack.up(settings, print)
    try:
        wait_for_pages(started.settings, print)
        ledger, campaign = Ledger(started.settings), line_campaign("one", products=2, variants=1)
        ledger.campaigns.submit("one", campaign, line_jobs("one", campaign, line_model))
        ring(make_app(started.settings), Kind.COPY, 1)
        wait_until(lambda: ledger.campaigns.status("one").is_settled, 240, "the end")
        ledger.close()
        # It runs behind all others: on a busy machine it still loads, and has nothing to say of its end.
        train = Home.of(settings).logs / "train.log"
        wait_until(lambda: train.stat().st_size, 240, "a worker of trainings")
    finally:
        stack.down(settings, print)

    lines = {name: (Home.of(settings).logs / f"{name}.log").read_text().splitlines() for name in WORKERS}
    named = {name: {json.loads(line)["process"] for line in found} for name, found in lines.items()}

    assert named == {name: set() if name in SILENT else {name} for name in WORKERS}


@pytest.mark.parametrize("log_format", ["json", "text"])
@pytest.mark.parametrize("command", [("api", "--port=1"), ("scheduler",), ("webhooks", "deliver")])
def test_why_a_process_does_not_start_is_in_its_log_as_the_other_lines_are(
    command: tuple[str, ...], log_format: str, tmp_path: Path
):
    settings = Settings(home=tmp_path / "home", log_format=log_format)
    ledger, before = Ledger(settings), migrations.revisions()[-2]
    ledger.database.migrate_back(before)
    ledger.close()

    ended = subprocess.run(
        [sys.executable, "-m", "producer", *command],
        env=settings.environment(),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    (line,) = ended.stderr.splitlines()
    reason = f"the ledger is at revision {before} and this version needs {migrations.HEAD}"
    assert ended.returncode == 1
    if log_format == "json":
        told = json.loads(line)
        assert (told["level"], told["process"]) == ("critical", command[-1] if command[0] == "webhooks" else command[0])
        assert told["message"].startswith(f"{told['process']} ends: {reason}")
    else:
        assert line.startswith(f"factory: {reason}")
