"""A campaign of every kind, with words that would run if a page let them: made without a model, with real bytes."""

import hashlib
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO

import numpy as np
import soundfile

from core.ledger import Ledger
from core.ledger.leases import Failure
from core.ledger.promotions import Order
from core.ledger.schedules import Schedule
from core.storage import Storage
from producer.api.opened import Opened
from producer.schedules.keep import Owner, Wish, add
from producer.schedules.templates import received
from schemas.access import DEFAULT_TENANT
from schemas.assets import Check
from schemas.campaigns import Kind
from schemas.jobs import Job
from schemas.versions import Guardrail
from workers.choose import Chosen
from workers.finishing.copy import finished_line
from workers.finishing.protocol import Finished
from workers.models.protocol import File, Sample
from workers.publish import publish

from support.drawings import encoded, mug, rocket
from support.versions import MODEL, a_verdict, a_version, version_id

HOSTILE = "<script>document.title='broken'</script>"
CAMPAIGN = f"""\
name: harbour
brand: {{name: "North & beam", description: "{HOSTILE}"}}
products:
  - {{sku: NB-1, name: "Ember {HOSTILE}", description: "Dark roast {HOSTILE}", subject: a hot beverage}}
  - {{sku: NB-2, name: Mooring Mug, description: Keeps coffee hot for four hours, subject: a hot beverage}}
audiences:
  - {{id: commuters, description: "people in a hurry {HOSTILE}"}}
deliverables:
  - {{kind: copy, channel: google_search.headline, variants: 2}}
  - {{kind: copy, channel: meta.primary_text, variants: 1}}
  - {{kind: image, channel: instagram.square, variants: 2}}
  - {{kind: music, channel: music.bumper, mood: happy, variants: 1}}
"""
# Two products with two headlines and two pictures each, one text for the second, and one piece for the brand.
MADE, FAILED = 10, 1


def fails(job: Job) -> bool:
    """Tell whether a job of the campaign becomes a dead letter."""
    return job.brief.channel == "meta.primary_text" and job.brief.product.sku == "NB-1"


def make_exhibits(ledger: Ledger, storage: Storage, failing: Callable[[Job], bool] = fails) -> None:
    """Make everything that waits, as a worker would."""
    while pick := ledger.leases.pick(list(Kind)):
        lease = ledger.leases.claim(pick.bucket, 100, "maker@test#1")
        assert lease
        chosen = [(_chosen(job), 0.5) for job in lease.jobs if not failing(job)]
        failed = [Failure(job.id, "rejected", f"no line: {HOSTILE}", True, 0.5) for job in lease.jobs if failing(job)]
        with ThreadPoolExecutor(2) as uploads:
            assets = publish(storage, uploads, chosen, "cpu")
        ledger.leases.finish(lease, assets, failed)


def add_schedule(opened: Opened) -> Schedule:
    """Have the campaign submitted each Monday."""
    taken = received(CAMPAIGN.encode(), "campaign.yaml", DEFAULT_TENANT)
    owner = Owner(DEFAULT_TENANT, f"somebody {HOSTILE}")
    return add(opened.ledger, opened.settings, taken, Wish("0 6 * * 1", "Europe/Berlin"), owner, None, time.time())


def register_versions(ledger: Ledger) -> None:
    """Register a version that serves, one that could, and one that did not pass the gate."""
    lost = Guardrail(name=f"alike {HOSTILE}", champion=0.1, challenger=0.4, most=0.2)
    for version in (a_version(1), a_version(2), a_version(3, verdict=a_verdict(0.05, lost))):
        ledger.versions.register(version)
    seen = ledger.promotions.serving(Kind.COPY, MODEL)
    ledger.promotions.promote(version_id(1), seen, Order("ada", f"reads better {HOSTILE}"))


def _chosen(job: Job) -> Chosen:
    finished = {Kind.COPY: _line, Kind.IMAGE: _picture, Kind.MUSIC: _piece}[job.kind](job)
    sample = Sample(b"", finished.content_type, 0.5, {"model": "secret-model", "prompt": f"Write. {HOSTILE}"})
    return Chosen(job, finished, sample, (Check(name="length", passed=True, detail=HOSTILE),), 0, "secret-model@1234")


def _line(job: Job) -> Finished:
    return finished_line(f"{job.brief.product.name}, {job.brief.channel} {job.variant + 1}")


def _picture(job: Job) -> Finished:
    data = encoded(mug(256) if job.variant else rocket(256), "PNG")
    return Finished(data, "image/png", f"A picture of {job.brief.product.name}", job.id)


def _piece(job: Job) -> Finished:
    tone = 0.3 * np.sin(np.arange(24_000) * 2 * np.pi * 440 / 48_000)
    files = tuple(File(ending, kind, _sound(tone, ending.upper())) for ending, kind in {"mp3": "audio/mpeg"}.items())
    picture = File("png", "image/png", encoded(rocket(128), "PNG"))
    fingerprint = hashlib.sha256(job.id.encode()).hexdigest()
    return Finished(_sound(tone, "WAV"), "audio/wav", "happy, half a second", fingerprint, companions=(*files, picture))


def _sound(tone: "np.ndarray[tuple[int], np.dtype[np.float64]]", form: str) -> bytes:
    data = BytesIO()
    soundfile.write(data, tone, 48_000, format=form)
    return data.getvalue()
