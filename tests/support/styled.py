"""Campaigns that leave the styles of their lines to ratings, and people who like one style, without any model."""

import itertools
from collections import Counter
from collections.abc import Sequence

from core.bandit import choose, place
from core.ledger import Ledger
from core.ledger.leases import Lease
from core.ledger.tenants import Admission
from producer import plan
from producer.campaigns import received
from schemas.access import DEFAULT_TENANT
from schemas.campaigns import Kind
from schemas.jobs import Job
from schemas.ratings import Feedback
from schemas.styles import Style

from support.rated import an_asset

MODEL = "starter+house"
BUCKET = f"copy/{MODEL}/short"
CHANNEL = "email.subject"
MODELS = {Kind.COPY: MODEL, Kind.IMAGE: "starter", Kind.CREATIVE: "layouts", Kind.MUSIC: "starter"}
_numbers = itertools.count()


def campaign_text(name: str = "spring", products: int = 10, variants: int = 2, styles: str = "auto") -> str:
    """Return a campaign file of so many lines for each of two audiences."""
    listed = "\n".join(f"  - {{sku: NB-{number}, name: Blend {number}}}" for number in range(products))
    return f"""\
name: {name}
brand: {{name: Northbeam}}
products:
{listed}
audiences:
  - {{id: commuters, description: in a hurry}}
  - {{id: home, description: at home}}
deliverables:
  - {{kind: copy, channel: {CHANNEL}, variants: {variants}{f", styles: {styles}" if styles else ""}}}
"""


def submit(ledger: Ledger, text: str, tenant: str = DEFAULT_TENANT, model: str = MODEL) -> str:
    """Record a campaign and its jobs as `factory submit` does; return its id."""
    source = received(text.encode(), "campaign.yaml", tenant)
    planned = plan.jobs(source, MODELS | {Kind.COPY: model})
    ledger.campaigns.submit(source.id, source.campaign, planned, Admission(tenant))
    return source.id


def claim(ledger: Ledger, limit: int = 1000, bucket: str = BUCKET) -> Lease:
    """Claim jobs as a worker does."""
    lease = ledger.leases.claim(bucket, limit, "w@test#1")
    assert lease is not None
    return lease


def make(ledger: Ledger, limit: int = 1000, bucket: str = BUCKET) -> tuple[Job, ...]:
    """Claim jobs and record a line for each."""
    lease = claim(ledger, limit, bucket)
    ledger.leases.finish(lease, [an_asset(job, f"Line of {job.id}") for job in lease.jobs])
    return lease.jobs


def like(ledger: Ledger, made: Sequence[Job], liked: Style, raters: int = 1) -> None:
    """Have people accept the lines of one style and reject all others."""
    tenants = {job.campaign_id: ledger.jobs.tenant(job.id) for job in made}
    messages = [
        Feedback.model_validate(
            {
                "id": f"liked-{next(_numbers):06d}",
                "rater": f"rater {who}",
                "at": 1000.0,
                "tenant": tenants[job.campaign_id],
                "content": {"type": "rating", "job_id": job.id, "approves": job.brief.style == liked},
            }
        )
        for job in made
        for who in range(raters)
    ]
    assert all(receipt.is_new for receipt in ledger.intake.record(messages))


def counted(made: Sequence[Job]) -> Counter[Style]:
    """Return how many jobs have each style."""
    return Counter(job.brief.style for job in made)


def assert_recorded(ledger: Ledger, made: Sequence[Job]) -> None:
    """Fail unless each job has the style that was recorded for it, and that follows from what was known then."""
    for job in made:
        choice = ledger.styles.of_job(job.id)
        assert choice is not None, job.id
        assert choice.style == choose(choice.known, place(job.id, job.seed)), job.id
        assert job.brief.style == choice.style == ledger.jobs.status(job.id).job.brief.style, job.id
