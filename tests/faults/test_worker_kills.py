"""SIGKILL of the worker at any moment of its work: every job still ends exactly once."""

import random
import signal
from collections.abc import Sequence
from pathlib import Path

import pytest

from core.broker import make_app, ring
from core.ledger import Ledger
from core.settings import Settings
from core.storage import Storage
from schemas.campaigns import Kind
from workers.sweep import sweep

from support.exact import assert_exact
from support.lines import line_campaign, line_jobs
from support.waiting import wait_until
from support.workers import Process, Workers

pytestmark = pytest.mark.timeout(900)
CAMPAIGNS, JOBS = 9, 60
KILLS = 20


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"batch_size": 4, "lease_seconds": 6.0, "threads": 1})


@pytest.fixture
def campaigns(settings: Settings, own_ledger: Ledger, line_model: Path) -> list[str]:
    names = [f"c{number}" for number in range(CAMPAIGNS)]
    for name in names:
        campaign = line_campaign(name, products=JOBS, variants=1)
        own_ledger.campaigns.submit(name, campaign, line_jobs(name, campaign, line_model))
    ring(make_app(settings), Kind.COPY, 4)
    return names


def is_settled(ledger: Ledger, campaigns: Sequence[str]) -> bool:
    return all(ledger.campaigns.status(one).is_settled for one in campaigns)


def holds_jobs(ledger: Ledger, worker: Process) -> bool:
    """Tell whether this very life of the worker holds jobs: those of a former one stand there until it has begun."""
    return any(holder.endswith(f"#{worker.pid}") for holder in ledger.leases.holders())


def test_twenty_kills_of_the_worker_lose_and_double_nothing(
    settings: Settings, own_ledger: Ledger, storage: Storage, workers: Workers, campaigns: list[str]
):
    app, dice, struck = make_app(settings), random.Random(7), 0

    def is_at_work(worker: Process) -> bool:
        return holds_jobs(own_ledger, worker) or is_settled(own_ledger, campaigns)

    for _ in range(KILLS):
        worker = workers.start()
        # The ticket of the former life died with it.
        sweep(app, own_ledger)
        wait_until(lambda worker=worker: is_at_work(worker), 120, "work in hand")
        signal.sigtimedwait([], dice.uniform(0, 0.6))
        struck += holds_jobs(own_ledger, worker)
        worker.kill()
        worker.wait(10)
    workers.start()
    # As often as beat does.
    wait_until(lambda: sweep(app, own_ledger) or is_settled(own_ledger, campaigns), 300, "the end", every_seconds=1)

    assert_exact(own_ledger, storage, campaigns)
    assert struck > KILLS / 2
