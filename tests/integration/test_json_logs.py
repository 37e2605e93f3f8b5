"""`FACTORY_LOG_FORMAT=json`: every line of every process is an object that names it, from its start to its end."""

import json
from pathlib import Path

import pytest

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
    finally:
        stack.down(settings, print)

    lines = {name: (Home.of(settings).logs / f"{name}.log").read_text().splitlines() for name in WORKERS}
    named = {name: {json.loads(line)["process"] for line in found} for name, found in lines.items()}

    assert named == {name: set() if name in SILENT else {name} for name in WORKERS}
