"""A ledger with assets that nobody made: what people rate, without a model and without bytes."""

from hashlib import sha256

from benchmarks import work
from core.ledger import Ledger
from schemas.assets import Asset, Location
from schemas.campaigns import Kind
from schemas.jobs import Job

AT_ONCE = 1000
MODEL = "none"
NOWHERE = Location(key="nowhere", offset_bytes=0, length_bytes=1, sha256="")


def fill(ledger: Ledger, campaign_id: str, count: int) -> None:
    """Submit a campaign of so many lines, and record an asset for each, in a place where no bytes are."""
    ledger.campaigns.submit(campaign_id, work.campaign(campaign_id), work.jobs(campaign_id, count, MODEL, None))
    while pick := ledger.leases.pick([Kind.COPY]):
        lease = ledger.leases.claim(pick.bucket, AT_ONCE, "benchmark")
        if lease:
            ledger.leases.finish(lease, [asset_of(job, NOWHERE) for job in lease.jobs])


def asset_of(job: Job, place: Location) -> Asset:
    """Return the asset of a job, whose bytes and manifest lie at one place."""
    return Asset(
        job_id=job.id,
        campaign_id=job.campaign_id,
        sku=job.brief.product.sku,
        location=place,
        manifest=place,
        content_type="text/plain",
        preview=f"Line {job.id}",
        fingerprint=sha256(job.id.encode()).hexdigest(),
        model=MODEL,
        device_seconds=0.0,
    )
