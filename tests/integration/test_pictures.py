"""Pictures and advertisements through a real worker: made, signed, stored, exported, and read back."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from core import provenance
from core.ledger import Ledger
from core.settings import Settings
from core.storage import Storage
from producer.export import export
from producer.exports.formats import Format
from producer.verify import verify
from schemas.campaigns import Kind
from schemas.jobs import JobState

from support.lines import LINES
from support.tiny_pipelines import write_pipeline
from support.workers import made_by_worker

CAMPAIGN = """\
name: spring
brand: {name: Northbeam, colors: ["#1F3A2E", "#F2C14E"]}
products:
  - {sku: NB-1, name: Blend 1, description: "LINES"}
audiences:
  - {id: commuters, description: people in a hurry}
deliverables:
  - {kind: copy, channel: google_search.headline, variants: 2}
  - {kind: image, channel: iab.medium_rectangle, variants: 1}
  - {kind: creative, channel: instagram.square, headline: google_search.headline, variants: 2}
  - {kind: creative, channel: iab.mobile_banner, headline: google_search.headline, call_to_action: Shop}
"""


@pytest.fixture
def settings(settings: Settings, line_model: Path, tmp_path: Path) -> Settings:
    (tmp_path / "bold").mkdir()
    pipeline = write_pipeline("bold", tmp_path / "bold")
    return settings.model_copy(
        update={"copy_model": str(line_model), "copy_adapter": None, "image_model": str(pipeline)}
    )


@pytest.fixture
def made(settings: Settings, storage: Storage, own_ledger: Ledger, tmp_path: Path) -> Iterator[str]:
    """Return the id of a campaign that a worker has made."""
    assert storage.bucket == settings.s3_bucket
    with made_by_worker(CAMPAIGN.replace("LINES", ". ".join(LINES)), settings, own_ledger, tmp_path) as campaign_id:
        yield campaign_id


def test_a_mixed_campaign_is_made_whole_signed_and_exact(
    made: str, own_ledger: Ledger, storage: Storage, settings: Settings, tmp_path: Path
):
    jobs = list(own_ledger.jobs.of_campaign(made))
    assert {job.job.id: job.error for job in jobs if job.state != JobState.DONE} == {}

    assets = {one.asset.job_id: one for one in own_ledger.assets.of_campaign(made)}
    pictures = [one for one in assets.values() if one.kind != Kind.COPY]
    assert len(assets) == 6
    assert all(one.asset.likeness for one in pictures)
    for one in pictures:
        found = provenance.read(storage.get(one.asset.location), provenance.trust_anchors(settings))
        assert found.validity == provenance.Validity.TRUSTED
    assert verify(own_ledger, storage, made).is_sound

    exported = export(own_ledger, storage, made, tmp_path / "out", Format.FILES)
    sizes = {path.parent.name: _looks(path)[0] for path in (tmp_path / "out" / "creatives").rglob("*.jpg")}
    assert exported.assets == 6
    assert sizes == {"instagram.square": (1080, 1080), "iab.mobile_banner": (320, 50)}
    image = next((tmp_path / "out" / "images").rglob("*.png"))
    assert _looks(image) == ((300, 250), "RGBA")


def _looks(path: Path) -> tuple[tuple[int, int], str]:
    with Image.open(path) as picture:
        return picture.size, picture.mode
