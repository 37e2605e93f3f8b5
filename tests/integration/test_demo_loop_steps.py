"""Steps of the loop on a real ledger: who may be simulated, what is recorded, what was never learnt from."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from core.broker import FEEDBACK_QUEUE, make_app
from core.errors import StateError
from core.ledger import Ledger
from core.settings import Settings
from core.storage import Storage
from producer.loop import steps
from producer.loop.people import NAMES, Length, LengthTaste
from schemas.campaigns import Kind
from workers.learning.snapshot import is_held_out, product_of, store, take

from support.heard import MODEL, answer, heard, lines_of, small_rules
from support.rated import a_rating, make_assets, rate
from support.workers import Workers


@pytest.fixture
def ledger(settings: Settings) -> Iterator[Ledger]:
    opened = Ledger(settings)
    yield opened
    opened.close()


@pytest.fixture
def feedback_worker(settings: Settings, tmp_path: Path) -> Iterator[None]:
    workers = Workers(settings, tmp_path)
    workers.start("feedback", queues=FEEDBACK_QUEUE)
    yield
    workers.end()


@pytest.mark.usefixtures("feedback_worker")
def test_what_simulated_people_say_is_recorded_as_theirs(settings: Settings, ledger: Ledger):
    make_assets(ledger, 4)
    lines = steps.lines_of(ledger, "spring")
    taste = LengthTaste(Length.LONG, {"google_search.headline": 100})

    rated = steps.rate(ledger, make_app(settings), lines, taste, each=2)

    kept = list(ledger.ratings.all())
    assert [rated.ratings, rated.liked, rated.lines] == [8, 0, 4]
    assert len(kept) == 8
    assert {one.rater for one in kept} <= set(NAMES)
    # Nothing is long enough; one of ten answers is a slip.
    assert sum(one.approves is False for one in kept) > 4


def test_ratings_that_nobody_records_are_no_reason_to_wait_for_ever(
    settings: Settings, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("producer.loop.steps.PATIENCE_SECONDS", 0.5)
    make_assets(ledger, 1)
    lines, taste = steps.lines_of(ledger, "spring"), LengthTaste(Length.LONG, {"google_search.headline": 1})

    with pytest.raises(StateError, match="feedback worker"):
        steps.rate(ledger, make_app(settings), lines, taste, each=1)


def test_beside_people_nobody_is_simulated(ledger: Ledger):
    make_assets(ledger, 2)
    rate(ledger, [a_rating(0, NAMES[0], approves=True)])
    steps.require_nobody_else(ledger)
    rate(ledger, [a_rating(1, "ada", approves=True)])

    with pytest.raises(StateError, match="FACTORY_HOME"):
        steps.require_nobody_else(ledger)


def test_lines_that_were_rejected_are_lines_too(ledger: Ledger):
    make_assets(ledger, 3)
    rate(ledger, [a_rating(0, approves=False)])

    assert [line.variant for line in steps.lines_of(ledger, "spring")] == [0, 1, 2]


def test_held_out_is_what_the_snapshot_says(ledger: Ledger, storage: Storage):
    lines, rules = lines_of(20, 2), small_rules()
    said = heard(lines, [answer(line, "ada", approves=line.job.variant == 0) for line in lines])
    ledger.trainings.ask(Kind.COPY, MODEL, "a test")
    claim = ledger.trainings.claim(Kind.COPY, MODEL, "w@test#1")
    assert claim is not None
    ledger.trainings.keep_snapshot(claim, store(storage, said, take(said, Kind.COPY, MODEL, rules)), "")

    found = steps.held_out_of(storage, ledger.trainings.of_id(claim.training.id))

    products = {line.job.brief.product.sku: product_of(line.job.brief) for line in lines}
    share = rules.snapshot.held_out_share
    assert found == {sku for sku, product in products.items() if is_held_out(product, share)}
    assert 0 < len(found) < len(products)
