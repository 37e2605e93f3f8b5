"""The campaigns of the loop: which jobs they plan, and what they have in common."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.errors import StateError
from core.ledger import Ledger
from core.settings import Settings
from producer.campaigns import CampaignSource
from producer.loop.files import Files
from producer.plan import jobs
from schemas.campaigns import Kind
from schemas.jobs import Job

MODELS = {Kind.COPY: "starter+house"}


@pytest.fixture
def local_ledger(tmp_path: Path) -> Iterator[Ledger]:
    """An empty ledger in a file."""
    opened = Ledger(Settings(home=tmp_path / "home"))
    yield opened
    opened.close()


def planned(source: CampaignSource) -> dict[tuple[str, str, int], Job]:
    return {(job.brief.product.sku, job.brief.channel, job.variant): job for job in jobs(source, MODELS)}


def test_the_example_asks_for_enough_to_learn_from(local_ledger: Ledger, tmp_path: Path):
    first = Files.of(None, local_ledger, tmp_path / "loop").first()

    assert len(planned(first)) == 576


def test_written_again_a_brief_is_the_same_with_the_seed_it_had(local_ledger: Ledger, tmp_path: Path):
    files = Files.of(None, local_ledger, tmp_path / "loop")

    before, after = planned(files.first()), planned(files.again({"SHOP-001", "SHOP-002"}))

    assert len(after) == 4
    assert {slot: (job.brief, job.seed) for slot, job in after.items()} == {
        slot: (before[slot].brief, before[slot].seed) for slot in after
    }


def test_the_trial_asks_for_other_lines_of_the_same_products(local_ledger: Ledger, tmp_path: Path):
    files = Files.of(None, local_ledger, tmp_path / "loop")

    before, trial = planned(files.first()), planned(files.trial({"SHOP-001"}))

    assert {sku for sku, _, _ in trial} == {"SHOP-001"}
    assert all(trial[slot].seed != before[slot].seed for slot in trial)


def test_each_loop_of_a_home_asks_for_new_lines(local_ledger: Ledger, tmp_path: Path):
    ids = []
    for _ in range(3):
        source = Files.of(None, local_ledger, tmp_path / "loop").first()
        local_ledger.campaigns.submit(source.id, source.campaign, [])
        ids.append(source.id)

    assert len(set(ids)) == 3


def test_a_campaign_with_pictures_is_refused_by_the_name_of_its_field(local_ledger: Ledger, tmp_path: Path):
    path = tmp_path / "campaign.json"
    campaign = {
        "name": "pictures",
        "brand": {"name": "Northbeam"},
        "products": [{"sku": "T-1", "name": "Blend"}],
        "audiences": [{"id": "home", "description": "at home"}],
        "deliverables": [{"kind": "image", "channel": "instagram.square"}],
    }
    path.write_text(json.dumps(campaign), encoding="utf-8")

    with pytest.raises(StateError, match="deliverables: only lines of copy"):
        Files.of(path, local_ledger, tmp_path / "loop")
