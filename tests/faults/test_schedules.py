"""SIGKILL of schedulers at any moment, two side by side: every moment that came is one whole campaign."""

import random
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.ledger import Ledger
from core.ledger.runs import Decision
from core.settings import Settings
from producer.schedules.keep import Owner, Wish, add
from producer.schedules.templates import received
from schemas.schedules import CatchUp, RunState

from support.scheduled import CAMPAIGN, TENANT, Factory, without_broker
from support.waiting import wait_until

SCHEDULES = 8
# Each comes with as many missed moments as are made up for.
MOMENTS = 10
KILLS = 8


@pytest.fixture
def settings_here(tmp_path: Path) -> Settings:
    return without_broker(tmp_path / "home").model_copy(update={"lease_seconds": 0.5})


@pytest.fixture
def books(settings_here: Settings) -> Iterator[Ledger]:
    opened = Ledger(settings_here)
    yield opened
    opened.close()


def start(settings: Settings) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "producer", "scheduler"]
    return subprocess.Popen(command, env=settings.environment(), stderr=subprocess.DEVNULL)


def states(ledger: Ledger) -> list[RunState]:
    found = ledger.schedules.page(TENANT, SCHEDULES)
    return [one.state for schedule in found for one in ledger.runs.history(schedule.id, 1000)]


def test_schedulers_that_are_killed_again_and_again_lose_and_double_no_moment(books: Ledger, settings_here: Settings):
    factory, dice, pause = Factory(settings_here, books), random.Random(7), threading.Event()
    taken = received(CAMPAIGN.encode(), "campaign.yaml", TENANT)
    for number in range(SCHEDULES):
        wish = Wish("*/5 * * * *", None, CatchUp.ALL)
        schedule = add(books, settings_here, taken, wish, Owner(TENANT, "test"), f"often-{number}", time.time())
        factory.come_due(schedule, (time.time() // 300 - MOMENTS + 1) * 300)
    seen = 0
    for _ in range(KILLS):
        processes = [start(settings_here) for _ in range(2)]
        done = states(books).count(RunState.SUBMITTED)
        # Killed at work and not at its start: each life gets a little done.
        wait_until(lambda done=done: states(books).count(RunState.SUBMITTED) > done, what="a run")
        pause.wait(dice.uniform(0, 0.08))
        for process in processes:
            process.kill()
            process.wait(10)
        seen = states(books).count(RunState.SUBMITTED)
    assert seen < SCHEDULES * MOMENTS, "the kills met nothing at work"
    last = start(settings_here)
    try:
        wait_until(lambda: set(states(books)) == {RunState.SUBMITTED}, what="the last run")
    finally:
        last.terminate()
        ended = last.wait(20)

    # The five minutes may have turned once more meanwhile.
    runs = len(states(books))
    assert runs >= SCHEDULES * MOMENTS
    assert len(factory.campaigns()) == runs
    assert ended == 0


def test_a_scheduler_that_is_killed_between_decision_and_submit_loses_nothing(books: Ledger, settings_here: Settings):
    taken = received(CAMPAIGN.encode(), "campaign.yaml", TENANT)
    schedule = add(books, settings_here, taken, Wish("0 0 1 1 *"), Owner(TENANT, "test"), None, time.time())
    books.runs.decide(schedule, Decision((schedule.next_at,), (), schedule.next_at + 1), time.time())
    books.runs.claim(time.time(), settings_here.lease_seconds)

    process = start(settings_here)
    try:
        wait_until(lambda: states(books) == [RunState.SUBMITTED], what="the run")
    finally:
        process.kill()
        process.wait(10)

    assert len(Factory(settings_here, books).campaigns()) == 1
