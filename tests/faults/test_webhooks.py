"""SIGKILL of who delivers, at any moment: every event arrives, and what arrives twice has one id."""

import random
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.ledger import Ledger
from core.ledger.leases import Failure
from core.ledger.tenants import Admission
from core.settings import Settings
from schemas.events import EventType

from support.lines import line_campaign, line_jobs
from support.receiver import receiving
from support.waiting import wait_until

EVENTS = 40
KILLS = 6


@pytest.fixture
def insider(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path / "home", webhook_private_addresses=True, lease_seconds=1.0)


@pytest.fixture
def books(insider: Settings) -> Iterator[Ledger]:
    opened = Ledger(insider)
    yield opened
    opened.close()


def start(settings: Settings) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "producer", "webhooks", "deliver"]
    return subprocess.Popen(command, env=settings.environment(), stderr=subprocess.DEVNULL)


def fail_jobs(ledger: Ledger) -> None:
    campaign = line_campaign("spring", products=EVENTS, variants=1)
    ledger.campaigns.submit("spring", campaign, line_jobs("spring", campaign, "starter"), Admission("ann", EVENTS))
    lease = ledger.leases.claim("copy/starter/short", EVENTS, "w1")
    assert lease
    ledger.leases.finish(lease, failed=[Failure(job.id, "rejected", "no line", True) for job in lease.jobs])


def test_a_deliverer_that_is_killed_again_and_again_loses_no_event(books: Ledger, insider: Settings):
    dice, pause = random.Random(7), threading.Event()
    with receiving() as receiver:
        books.webhooks.create("ann", receiver.url, [EventType.ASSET_FAILED])
        fail_jobs(books)
        for _ in range(KILLS):
            # Attempts hang, so that each kill meets some in hand; some answers come, some die with their asker.
            receiver.may_answer.clear()
            arrived = len(receiver.sent)
            process = start(insider)
            wait_until(lambda arrived=arrived: len(receiver.sent) > arrived, what="an attempt")
            pause.wait(dice.uniform(0, 0.1))
            process.kill()
            process.wait(10)
            receiver.may_answer.set()
        process = start(insider)
        try:
            wait_until(lambda: not books.webhooks.waiting(), what="the last delivery")
        finally:
            process.terminate()
            ended = process.wait(20)
        ids = receiver.ids

    events = {event.id: event.subject for event in books.webhooks.page("ann", 1000)}
    assert set(events.values()) == {f"spring-{number:06d}" for number in range(EVENTS)}
    assert set(ids) == set(events)
    assert len(ids) > EVENTS, "no kill met an attempt in hand"
    assert ended == 0
