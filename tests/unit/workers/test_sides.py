"""Which version makes which job, by what the ledger says, read anew every two seconds."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from core.canary import is_challengers
from core.ledger import Ledger
from core.ledger.promotions import Order, Serving
from core.settings import Settings
from schemas.campaigns import Kind
from schemas.versions import SHIPPED
from workers.sides import POINTER_SECONDS, Sides

from support.versions import MODEL, a_version, version_id
from support.waiting import wait_until

BUCKET = "copy/starter+house/short"
BY_ADA = Order("ada", "reads better")
FIRST, SECOND = version_id(1), version_id(2)
JOBS = [f"spring-{number:06d}" for number in range(200)]


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    opened = Ledger(Settings(home=tmp_path))
    for number in (1, 2):
        opened.versions.register(a_version(number))
    yield opened
    opened.close()


def serving(ledger: Ledger) -> Serving:
    return ledger.promotions.serving(Kind.COPY, MODEL)


def test_all_jobs_are_the_champions_while_no_canary_runs(ledger: Ledger):
    before = Sides(ledger.promotions).of(BUCKET, JOBS)
    ledger.promotions.promote(FIRST, serving(ledger), BY_ADA)
    after = Sides(ledger.promotions).of(BUCKET, JOBS)

    assert before == dict.fromkeys(JOBS, SHIPPED)
    assert after == dict.fromkeys(JOBS, FIRST)
    assert Sides(ledger.promotions).of("copy/starter/short", JOBS) == dict.fromkeys(JOBS, SHIPPED)


def test_a_canary_takes_the_jobs_that_its_hash_names_in_every_process_and_bucket(ledger: Ledger):
    ledger.promotions.promote(FIRST, serving(ledger), BY_ADA)
    canary = ledger.promotions.start_canary(SECOND, 0.3, serving(ledger), BY_ADA).canary

    found = [Sides(ledger.promotions).of(f"copy/{MODEL}/{shape}", JOBS) for shape in ("short", "long", "short!alone")]

    assert found == [{job: SECOND if is_challengers(job, canary, 0.3) else FIRST for job in JOBS}] * 3


def test_a_change_is_seen_after_a_moment_and_not_asked_for_with_every_batch(ledger: Ledger):
    sides = Sides(ledger.promotions)
    before = sides.of(BUCKET, JOBS[:1])
    ledger.promotions.promote(FIRST, serving(ledger), BY_ADA)

    at_once = sides.of(BUCKET, JOBS[:1])
    wait_until(lambda: sides.of(BUCKET, JOBS[:1]) != before, POINTER_SECONDS + 2, "the change")

    assert at_once == before
    assert sides.of(BUCKET, JOBS[:1]) == {JOBS[0]: FIRST}


def test_who_withdraws_a_version_sees_at_once_what_serves_instead(ledger: Ledger):
    sides = Sides(ledger.promotions)
    ledger.promotions.start_canary(FIRST, 0.5, serving(ledger), BY_ADA)
    assert set(sides.of(BUCKET, JOBS).values()) == {SHIPPED, FIRST}

    sides.withdraw(BUCKET, FIRST, Order("w1", "damaged"))

    assert sides.of(BUCKET, JOBS) == dict.fromkeys(JOBS, SHIPPED)


def test_what_somebody_changed_meanwhile_stays_when_a_version_is_withdrawn(ledger: Ledger):
    sides = Sides(ledger.promotions)
    ledger.promotions.start_canary(FIRST, 0.5, serving(ledger), BY_ADA)
    sides.of(BUCKET, JOBS)
    ledger.promotions.promote(SECOND, serving(ledger), BY_ADA)

    sides.withdraw(BUCKET, FIRST, Order("w1", "damaged"))

    assert serving(ledger).champion == SECOND
    assert ledger.versions.get(FIRST).fault == "damaged"
    assert sides.of(BUCKET, JOBS) == dict.fromkeys(JOBS, SECOND)
