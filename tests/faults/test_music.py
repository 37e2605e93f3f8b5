"""SIGKILL while music is made: a recording and its companions end exactly once, or not at all."""

from pathlib import Path

import pytest

from core.broker import make_app, ring
from core.ledger import Ledger
from core.settings import Settings
from core.storage import Storage
from producer import campaigns
from producer.submit import submit
from producer.verify import verify
from schemas.campaigns import Kind

from support.tiny_composer import write_composer
from support.waiting import wait_until
from support.workers import Process, Workers

CAMPAIGN = """\
name: spring
brand: {name: Northbeam}
products: [{sku: NB-1, name: Ember}]
audiences: [{id: all, description: everybody}]
deliverables:
  - {kind: music, channel: music.ident, mood: upbeat, variants: 6}
"""
KILLS = 3


@pytest.fixture
def settings(settings: Settings, tmp_path: Path) -> Settings:
    model = str(write_composer(tmp_path / "composer"))
    return settings.model_copy(update={"music_model": model, "batch_size": 1, "lease_seconds": 5.0})


def start(workers: Workers, settings: Settings) -> Process:
    """Start a worker and ring for it, as the sweep would."""
    ring(make_app(settings), Kind.MUSIC)
    return workers.start("generate")


def test_a_killed_worker_leaves_every_piece_whole_or_not_at_all(
    settings: Settings, storage: Storage, own_ledger: Ledger, tmp_path: Path
):
    (tmp_path / "campaign.yaml").write_text(CAMPAIGN)
    source = campaigns.read(tmp_path / "campaign.yaml")
    submit(source, settings, own_ledger, make_app(settings))
    workers = Workers(settings, tmp_path)

    try:
        for kill in range(1, KILLS + 1):
            process = start(workers, settings)
            wait_until(lambda wanted=kill: own_ledger.campaigns.status(source.id).done >= wanted, 120)
            process.kill()
            process.wait(10)
            assert verify(own_ledger, storage, source.id).violations == []
        start(workers, settings)
        wait_until(lambda: own_ledger.campaigns.status(source.id).is_settled, 120)
    finally:
        workers.end()

    verdict = verify(own_ledger, storage, source.id)
    assert verdict.violations == []
    assert (verdict.states["done"], verdict.assets) == (6, 6)
