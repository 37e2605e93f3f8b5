"""Music through a real worker: written, played, signed, stored with all its files, exported, and read back."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import soundfile
from PIL import Image

from core import provenance
from core.broker import make_app
from core.errors import CorruptAssetError
from core.ledger import Ledger
from core.settings import Settings
from core.storage import Storage
from producer import campaigns
from producer.delivered import deliveries
from producer.export import export
from producer.exports.formats import Format
from producer.inspect_file import inspect_file
from producer.submit import submit
from producer.verify import Verdict, verify
from schemas.campaigns import Kind
from schemas.jobs import Job, JobState
from workers.choose import Chosen
from workers.finishing.protocol import Finished
from workers.models.protocol import File, Sample
from workers.publish import publish

from support.tiny_composer import write_composer
from support.workers import made_by_worker

CAMPAIGN = """\
name: spring
brand: {name: Northbeam}
products:
  - {sku: NB-1, name: Ember}
  - {sku: NB-2, name: Harbour}
audiences:
  - {id: commuters, description: people in a hurry}
deliverables:
  - {kind: music, channel: music.bumper, mood: upbeat, key: D, variants: 2}
  - {kind: music, channel: music.bed, mood: electronic, seconds: 10, is_loop: true}
"""
ENDINGS = {".wav", ".mp3", ".ogg", ".ogg.c2pa", ".mid", ".mid.c2pa", ".png"}


@pytest.fixture
def settings(settings: Settings, tmp_path: Path) -> Settings:
    return settings.model_copy(update={"music_model": str(write_composer(tmp_path / "composer"))})


@pytest.fixture
def made(settings: Settings, storage: Storage, own_ledger: Ledger, tmp_path: Path) -> Iterator[str]:
    """Return the id of a campaign that a worker has made."""
    assert storage.bucket == settings.s3_bucket
    with made_by_worker(CAMPAIGN, settings, own_ledger, tmp_path) as campaign_id:
        yield campaign_id


def test_music_is_made_whole_signed_and_exact_in_every_format(
    made: str, own_ledger: Ledger, storage: Storage, settings: Settings, tmp_path: Path
):
    jobs = list(own_ledger.jobs.of_campaign(made))
    assert {job.job.id: job.error for job in jobs if job.state != JobState.DONE} == {}
    assert len(jobs) == 3

    # Besides the delivered files of each piece its manifest and its small picture.
    assert_sound(verify(own_ledger, storage, made), objects=3 * (len(ENDINGS) + 2))
    exported = export(own_ledger, storage, made, tmp_path / "out", Format.FILES)
    assert exported.kinds == {Kind.MUSIC: 3}
    folder = tmp_path / "out" / "music" / "music.bumper"
    names = {path.name for path in folder.iterdir()}
    assert names == {f"brand--commuters--en--{number}{ending}" for number in (1, 2) for ending in ENDINGS}
    for path in (one for one in folder.iterdir() if one.suffix != ".c2pa"):
        found = inspect_file(path, settings)
        assert (found.validity, found.source) == (provenance.Validity.TRUSTED, "trainedAlgorithmicMedia"), path
    for ending in (".wav", ".mp3", ".ogg"):
        assert soundfile.info(folder / f"brand--commuters--en--1{ending}").frames == 6 * 48_000
    with Image.open(folder / "brand--commuters--en--1.png") as picture:
        assert picture.size == (960, 380)
    page = (tmp_path / "out" / "contact-sheet.html").read_text()
    assert (
        '<audio controls preload="none" src="music/music.bumper/brand--commuters--en--1.mp3" aria-label="upbeat' in page
    )
    assert 'img src="music/music.bumper/brand--commuters--en--1.png"' in page


def assert_sound(verdict: Verdict, objects: int) -> None:
    assert (verdict.violations, verdict.objects, verdict.unreferenced) == ([], objects, 0)


@pytest.fixture
def stored(settings: Settings, storage: Storage, own_ledger: Ledger, tmp_path: Path) -> str:
    """Return the id of a campaign whose pieces are a few bytes each, stored and recorded without a model."""
    (tmp_path / "campaign.yaml").write_text(CAMPAIGN)
    source = campaigns.read(tmp_path / "campaign.yaml")
    submit(source, settings, own_ledger, make_app(settings))
    while pick := own_ledger.leases.pick([Kind.MUSIC]):
        lease = own_ledger.leases.claim(pick.bucket, 10, "writer@test#1")
        assert lease
        with ThreadPoolExecutor(1) as uploads:
            chosen = [(_chosen(job), 0.5) for job in lease.jobs]
            own_ledger.leases.finish(lease, publish(storage, uploads, chosen, "cpu"), ())
    return source.id


def _chosen(job: Job) -> Chosen:
    files = tuple(File(ending, f"audio/{ending}", f"{job.id} as {ending}".encode()) for ending in ("mp3", "ogg"))
    finished = Finished(job.id.encode(), "audio/wav", "a tune", job.id, "0" * 16, files)
    return Chosen(job, finished, Sample(b"", "audio/wav", 0.0, {}), (), 0, "writer-1")


def test_companions_are_objects_of_their_own_that_the_manifest_names(stored: str, own_ledger: Ledger, storage: Storage):
    verdict = verify(own_ledger, storage, stored)

    assert_sound(verdict, objects=3 * 4)
    for one in deliveries(own_ledger, storage, stored, with_files=True):
        assert one.companions == {ending: f"{one.asset.job_id} as {ending}".encode() for ending in ("mp3", "ogg")}


def test_a_companion_that_is_lost_or_changed_is_a_violation(stored: str, own_ledger: Ledger, storage: Storage):
    first, second, _ = deliveries(own_ledger, storage, stored, with_manifests=True)
    assert first.manifest
    assert second.manifest
    lost, changed = first.manifest.companions[0].location, second.manifest.companions[1].location
    storage.delete(lost.key)
    storage.put(changed.key, b"another tune", "audio/ogg")

    found = verify(own_ledger, storage, stored).violations

    assert {(one.rule, one.target) for one in found} == {
        ("bytes in S3", first.asset.job_id),
        ("bytes in S3", second.asset.job_id),
    }
    with pytest.raises(CorruptAssetError):
        list(deliveries(own_ledger, storage, stored, with_files=True))
