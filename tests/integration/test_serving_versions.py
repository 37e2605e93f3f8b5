"""A real worker serves the versions that the ledger says: between batches, without a restart, never mixed."""

import itertools
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from core.canary import is_challengers
from core.errors import StateError
from core.ledger import Ledger
from core.ledger.promotions import Action
from core.settings import Settings
from core.storage import Storage
from schemas.campaigns import Kind
from schemas.versions import SHIPPED
from workers.sides import POINTER_SECONDS

from support.serving import BY_ADA, NORTH, SOUTH, Served
from support.versions import version_id
from support.waiting import wait_until
from support.workers import Workers


@pytest.fixture
def database(request: pytest.FixtureRequest) -> str:
    return getattr(request, "param", "sqlite")


@pytest.fixture
def settings(settings: Settings, database: str, request: pytest.FixtureRequest) -> Settings:
    changes: dict[str, Any] = {"threads": 1, "batch_size": 8}
    if database == "postgresql":
        changes["ledger_url"] = request.getfixturevalue("postgres").new_ledger()
    return settings.model_copy(update=changes)


@pytest.fixture
def factory(settings: Settings, own_ledger: Ledger, storage: Storage, line_model: Path, tmp_path: Path) -> Served:
    return Served(settings, own_ledger, storage, line_model, tmp_path / "trained")


@pytest.mark.parametrize("database", ["sqlite", "postgresql"], indirect=True)
def test_a_canary_on_half_of_the_jobs_gives_each_job_to_its_side(factory: Served, workers: Workers):
    factory.promote(SOUTH)
    begun = factory.promotions.start_canary(NORTH, 0.5, factory.serving, BY_ADA)
    workers.start()

    made = factory.made(*(factory.submit(f"c{number}", 20) for number in range(3)))

    expected = {
        one.asset.job_id: NORTH if is_challengers(one.asset.job_id, begun.canary, begun.share) else SOUTH
        for one in made
    }
    assert {one.asset.job_id: factory.wrote(one) for one in made} == expected
    assert len(expected) == 60
    assert min(Counter(expected.values()).values()) > 15


def test_a_worker_takes_up_a_promotion_and_a_rollback_between_batches(factory: Served, workers: Workers):
    worker = workers.start()
    shipped = {factory.wrote(one) for one in factory.made(factory.submit("shipped", 8))}

    answers = []
    for version in (NORTH, SOUTH, None):
        if version:
            factory.promote(version)
        else:
            factory.promotions.rollback(factory.serving, BY_ADA)
        # What was read before may serve for two more seconds.
        wait_until(lambda: factory.is_read_anew, 5, "the pointers to be read anew")
        answers.append(
            {factory.wrote(one) for one in factory.made(factory.submit(f"after-{version or 'rollback'}", 8))}
        )

    assert shipped == {SHIPPED}
    assert answers == [{NORTH}, {SOUTH}, {NORTH}]
    assert worker.poll() is None


def test_promotions_under_load_never_mix_versions(factory: Served, workers: Workers):
    workers.start(batch_size=4)
    campaigns = [factory.submit("c0", 25)]
    wait_until(lambda: factory.done(campaigns) > 0, 120, "progress")
    began_at, turns, seen = time.monotonic(), itertools.count(), [0]

    def turn_over() -> bool:
        """Promote the other version or go back to it with every progress, for longer than pointers are kept."""
        if (done := factory.done(campaigns)) > seen[-1]:
            seen.append(done)
            match next(turns) % 3:
                case 0:
                    factory.promote(SOUTH)
                case 1:
                    factory.promote(NORTH)
                case _:
                    factory.promotions.rollback(factory.serving, BY_ADA)
        is_over = time.monotonic() - began_at > 4 * POINTER_SECONDS
        if not is_over and factory.is_settled(campaigns):
            campaigns.append(factory.submit(f"c{len(campaigns)}", 25))
        return is_over and factory.is_settled(campaigns)

    wait_until(turn_over, 240, "the end")

    versions = Counter(map(factory.wrote, factory.made(*campaigns)))
    assert sum(versions.values()) == 25 * len(campaigns)
    assert len(versions) > 1
    # Nobody served that was never champion.
    assert set(versions) <= {SHIPPED, *(change.champion for change in factory.history)}


def test_a_challenger_that_is_damaged_is_withdrawn_and_the_champion_makes_its_jobs(
    factory: Served, workers: Workers, tmp_path: Path
):
    factory.promote(SOUTH)
    described = factory.ledger.versions.get(NORTH).described
    factory.storage.put(f"{described.prefix}adapter_model.safetensors", b"damaged", "application/octet-stream")
    factory.promotions.start_canary(NORTH, 0.5, factory.serving, BY_ADA)
    workers.start()

    made = factory.made(factory.submit("c1", 20))

    change = factory.history[-1]
    assert {factory.wrote(one) for one in made} == {SOUTH}
    assert (change.action, change.before, change.champion) == (Action.STOP_CANARY, NORTH, SOUTH)
    assert "adapter_model.safetensors" in factory.ledger.versions.get(NORTH).fault
    assert f"version {NORTH} is withdrawn" in (tmp_path / "copy.log").read_text()
    with pytest.raises(StateError, match="is broken"):
        factory.promote(NORTH)


def test_a_champion_that_fits_no_longer_is_rolled_back_before_anything_is_made(
    factory: Served, workers: Workers, tmp_path: Path, line_model: Path
):
    misfit = version_id(3)
    factory.register_misfit(tmp_path / "misfit")
    factory.promote(SOUTH)
    factory.promote(misfit)
    workers.start()

    made = factory.made(factory.submit("c1", 10))

    change = factory.history[-1]
    assert {factory.wrote(one) for one in made} == {SOUTH}
    assert (change.action, change.before, change.after) == (Action.ROLLBACK, misfit, SOUTH)
    assert "does not fit" in factory.ledger.versions.get(misfit).fault
    at_first = factory.promotions.champion_at(Kind.COPY, str(line_model), made[0].created_at)
    assert at_first == SOUTH
