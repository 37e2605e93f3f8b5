"""SIGKILL of a worker while versions are promoted: every job ends once, and every asset says what really made it."""

import itertools
import random
import signal
from collections import Counter
from pathlib import Path

import pytest

from core.canary import is_challengers
from core.ledger import Ledger
from core.settings import Settings
from core.storage import Storage

from support.serving import BY_ADA, NORTH, SOUTH, Served
from support.waiting import wait_until
from support.workers import Workers

pytestmark = pytest.mark.timeout(900)
KILLS = 3
JOBS = 25


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"threads": 1, "batch_size": 4, "lease_seconds": 6.0})


@pytest.fixture
def factory(settings: Settings, own_ledger: Ledger, storage: Storage, line_model: Path, tmp_path: Path) -> Served:
    return Served(settings, own_ledger, storage, line_model, tmp_path / "trained")


def test_kills_while_versions_are_promoted_lose_double_and_mix_nothing(factory: Served, workers: Workers):
    dice, campaigns = random.Random(7), [factory.submit("c0", JOBS)]
    for number, version in zip(range(KILLS), itertools.cycle([SOUTH, NORTH]), strict=False):
        worker, done = workers.start(), factory.done(campaigns)
        wait_until(lambda done=done: factory.keep_house() or factory.done(campaigns) > done, 120, "progress")
        factory.promote(version)
        # Before, while and after the worker fetches and loads it.
        signal.sigtimedwait([], dice.uniform(1.5, 3.0))
        worker.kill()
        worker.wait(10)
        campaigns.append(factory.submit(f"c{number + 1}", JOBS))
    workers.start()

    versions = Counter(map(factory.wrote, factory.made(*campaigns)))

    assert sum(versions.values()) == JOBS * len(campaigns)
    assert {NORTH, SOUTH} & set(versions)


def test_kills_in_a_canary_leave_every_job_on_its_side(factory: Served, workers: Workers):
    factory.promote(SOUTH)
    canary = factory.promotions.start_canary(NORTH, 0.5, factory.serving, BY_ADA)
    campaigns = [factory.submit(f"c{number}", JOBS) for number in range(3)]
    for _ in range(KILLS - 1):
        worker, done = workers.start(), factory.done(campaigns)
        wait_until(lambda done=done: factory.keep_house() or factory.done(campaigns) > done, 120, "progress")
        worker.kill()
        worker.wait(10)
    workers.start()

    wrote = {one.asset.job_id: factory.wrote(one) for one in factory.made(*campaigns)}

    assert wrote == {job: NORTH if is_challengers(job, canary.canary, 0.5) else SOUTH for job in wrote}
    assert len(wrote) == JOBS * 3
