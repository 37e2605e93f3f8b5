"""Pieces and pictures that nobody made, in a real ledger and store with their manifests, rated by two people."""

import hashlib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from pydantic import JsonValue
from ruamel.yaml import YAML

from core.ledger import Ledger
from core.ledger.leases import Lease
from core.settings import Settings
from core.storage import Storage
from schemas.campaigns import Audience, Brand, Campaign, ImageDeliverable, Kind, MusicDeliverable, Product
from schemas.jobs import Job
from schemas.learning import curriculum
from workers.choose import Chosen
from workers.finishing.protocol import Finished
from workers.models.protocol import Sample
from workers.publish import publish

from support.rated import message, rate

CAMPAIGN = "spring"
AUDIENCE = Audience(id="all", description="everybody")
BRAND = Brand(name="Northbeam")


@dataclass(frozen=True)
class Media:
    """What was delivered for a job: its bytes, how it was made, and whether people like it."""

    job: Job
    data: bytes
    content_type: str
    recipe: dict[str, JsonValue]
    is_liked: bool


def record(ledger: Ledger, storage: Storage, made: Sequence[Media]) -> None:
    """Record a campaign of these jobs, store what was made, and what two people say of it."""
    jobs = [one.job for one in made]
    ledger.campaigns.submit(CAMPAIGN, _campaign(jobs[0].kind), jobs)
    of_job = {one.job.id: one for one in made}
    while pick := ledger.leases.pick([jobs[0].kind]):
        lease = ledger.leases.claim(pick.bucket, 1000, "w@test#1")
        assert isinstance(lease, Lease)
        with ThreadPoolExecutor(2) as uploads:
            chosen = [(_chosen(of_job[job.id]), 0.1) for job in lease.jobs]
            ledger.leases.finish(lease, publish(storage, uploads, chosen, "cpu"))
    rate(
        ledger,
        [
            message({"type": "rating", "job_id": one.job.id, "approves": one.is_liked}, rater)
            for one in made
            for rater in ("ada", "bo")
        ],
    )


def small_world(settings: Settings, folder: Path, kind: Kind, **recipe: object) -> Settings:
    """Return settings under which a tiny model of a kind learns from some hundred ratings."""
    rules = curriculum()
    needs = rules.needs.model_copy(update={"opinions": 40, "pairs": 20, "held_out_pairs": 8, "held_out_products": 4})
    gate = rules.gate.model_copy(
        update={
            "resamples": 2000,
            "most_briefs": 2,
            "distinct_loss": 1.0,
            "pass_rate_loss": 1.0,
            "neutral_loss": 5.0,
            "slowdown": 20.0,
        }
    )
    changed = {kind: rules.recipes[kind].model_copy(update=recipe)}
    document = rules.model_copy(update={"needs": needs, "recipes": changed, "gate": gate, "gates": {}})
    file = folder / "learning.yaml"
    with file.open("w", encoding="utf-8") as stream:
        YAML(typ="safe", pure=True).dump(document.model_dump(mode="json"), stream)
    changes: dict[str, object] = {"curriculum": file, "device": "cpu", "dtype": "float32", "threads": 1}
    return settings.model_copy(update=changes | {"canary_share": 0.0, "image_steps": 2})


def liked_by(score: Callable[[int], float], numbers: Sequence[int]) -> set[int]:
    """Return the better half of some numbers."""
    return set(sorted(numbers, key=score)[len(numbers) // 2 :])


def _chosen(one: Media) -> Chosen:
    finished = Finished(one.data, one.content_type, one.job.id, hashlib.sha256(one.data).hexdigest(), recipe=one.recipe)
    return Chosen(one.job, finished, Sample(one.data, one.content_type, 0.0, one.recipe), (), 0, "tiny@00000000")


def _campaign(kind: Kind) -> Campaign:
    deliverable = (
        MusicDeliverable(kind=Kind.MUSIC, channel="music.spot", mood="calm")
        if kind == Kind.MUSIC
        else ImageDeliverable(kind=Kind.IMAGE, channel="instagram.square")
    )
    return Campaign(
        name=CAMPAIGN,
        brand=BRAND,
        products=(Product(sku="NB-1", name="Ember"),),
        audiences=(AUDIENCE,),
        deliverables=(deliverable,),
    )
