"""Jobs that are made of other jobs, and how each of them ends."""

import hashlib
from collections.abc import Iterable
from dataclasses import replace

from sqlalchemy import update

from core.ledger import Ledger
from core.ledger.leases import Failure, Lease, Settled
from core.tables import jobs
from schemas.assets import Asset, Location
from schemas.campaigns import Audience, Brand, Campaign, CopyDeliverable, Kind, Product
from schemas.jobs import Brief, Input, Job, JobState

PRODUCT = Product(sku="NB-1", name="Ember Espresso")
AUDIENCE = Audience(id="commuters", description="people who need coffee before eight")
BRAND = Brand(name="Northbeam")
BRIEF = Brief(brand=BRAND, product=PRODUCT, audience=AUDIENCE, channel="google_search.headline")
HEADLINE, PICTURE, AD = "c1-headline", "c1-image", "c1-ad"
# Three jobs: what the campaign's file asks for is what the oracle expects.
CAMPAIGN = Campaign(
    name="spring",
    brand=BRAND,
    products=(PRODUCT,),
    audiences=(AUDIENCE,),
    deliverables=(CopyDeliverable(kind=Kind.COPY, channel=BRIEF.channel, variants=3),),
)


def a_job(job_id: str, kind: Kind, made_of: dict[str, str] | None = None) -> Job:
    return Job(
        id=job_id,
        campaign_id=job_id.partition("-")[0],
        kind=kind,
        bucket=bucket_of(kind),
        brief=BRIEF,
        variant=0,
        seed=1,
        inputs=tuple(Input(role=role, job_id=made) for role, made in sorted((made_of or {}).items())),
    )


def bucket_of(kind: Kind) -> str:
    return f"{kind}/starter/short"


def with_headlines(count: int) -> list[Job]:
    """An advertisement that takes the first of these headlines that is not lost, and all of its parts."""
    headlines = [f"{HEADLINE}{number}" for number in range(count)]
    inputs = (*(Input(role="headline", job_id=one) for one in headlines), Input(role="image", job_id=PICTURE))
    ad = a_job(AD, Kind.CREATIVE).model_copy(update={"inputs": inputs})
    return [ad, *(a_job(one, Kind.COPY) for one in headlines), a_job(PICTURE, Kind.IMAGE)]


def end(ledger: Ledger, fates: dict[str, bool]) -> None:
    """End jobs of copy, one after the other: they are done, or fail for good."""
    lease = claim(ledger, Kind.COPY)
    assert lease
    for job_id, is_done in fates.items():
        (job,) = (one for one in lease.jobs if one.id == job_id)
        part = replace(lease, jobs=(job,))
        failed = [] if is_done else [Failure(job_id, "rejected", "no line passed the checks", True)]
        ledger.leases.finish(part, [an_asset(job)] if is_done else [], failed)


def headline_of_the_ad(ledger: Ledger) -> list[str]:
    return [one.job_id for one in ledger.jobs.status(AD).job.inputs if one.role == "headline"]


def an_ad(number: str = "", campaign_id: str = "c1") -> list[Job]:
    """The advertisement first, before the jobs that it is made of."""
    headline, picture = f"{campaign_id}-headline{number}", f"{campaign_id}-image{number}"
    return [
        a_job(f"{campaign_id}-ad{number}", Kind.CREATIVE, {"headline": headline, "image": picture}),
        a_job(headline, Kind.COPY),
        a_job(picture, Kind.IMAGE),
    ]


def submit(ledger: Ledger, planned: Iterable[Job], campaign_id: str = "c1"):
    ledger.campaigns.submit(campaign_id, CAMPAIGN, planned)


def an_asset(job: Job, text: str = "", likeness: str = "") -> Asset:
    place = Location(key=f"campaigns/{job.id}", offset_bytes=3, length_bytes=1, sha256="0" * 64)
    return Asset(
        job_id=job.id,
        campaign_id=job.campaign_id,
        sku=job.brief.product.sku,
        location=place,
        manifest=place,
        content_type="text/plain",
        preview=text or job.id,
        fingerprint=hashlib.sha256((text or job.id).encode()).hexdigest(),
        likeness=likeness,
        model="starter",
        device_seconds=0.5,
    )


def claim(ledger: Ledger, kind: Kind, limit: int = 100) -> Lease | None:
    return ledger.leases.claim(bucket_of(kind), limit, "w1")


def make(ledger: Ledger, kind: Kind) -> Settled:
    lease = claim(ledger, kind)
    assert lease
    return ledger.leases.finish(lease, [an_asset(job) for job in lease.jobs])


def fail(ledger: Ledger, kind: Kind, reason: str = "no line passed the checks") -> Settled:
    lease = claim(ledger, kind)
    assert lease
    return ledger.leases.finish(lease, (), [Failure(job.id, "rejected", reason, True) for job in lease.jobs])


def state(ledger: Ledger, job_id: str) -> JobState:
    return ledger.jobs.status(job_id).state


def forge(ledger: Ledger, job_id: str, **values: object):
    with ledger.database.write() as connection:
        connection.execute(update(jobs).where(jobs.c.id == job_id).values(values))


def is_sound(ledger: Ledger, campaign_id: str = "c1") -> bool:
    audit = ledger.audit
    rules = (audit.done_before_its_inputs, audit.waiting_for_nothing, audit.waiting_for_a_lost_input)
    return not any(rule(campaign_id) for rule in rules)
