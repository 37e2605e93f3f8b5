"""A worker's part without a model: lines that follow from their jobs, stored and recorded as a worker does it."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from core.ledger import Ledger
from core.ledger.leases import Failure
from core.storage import Storage
from schemas.assets import Check
from schemas.campaigns import Kind
from schemas.jobs import Job
from workers.choose import Chosen
from workers.finishing.copy import finished_line
from workers.models.protocol import Sample
from workers.publish import publish

CAMPAIGN = """\
name: spring
brand: {name: Northbeam}
products:
  - {sku: NB-1, name: Ember Espresso, url: "https://northbeam.example/ember"}
  - {sku: NB-2, name: Harbour Filter}
audiences:
  - {id: commuters, description: people in a hurry}
deliverables:
  - {kind: copy, channel: google_search.headline, variants: 3}
  - {kind: copy, channel: google_search.description, variants: 2}
  - {kind: copy, channel: meta.primary_text, variants: 2}
  - {kind: copy, channel: meta.headline, variants: 1}
"""
JOBS = 16


def text_of(job: Job) -> str:
    """Return the line of a job: no two jobs have the same one."""
    brief = job.brief
    return f"{brief.product.name} für {brief.audience.id}: {brief.channel} {job.variant + 1}"


def no_job(_: Job) -> bool:
    """Say no to every job."""
    return False


def write_batch(
    ledger: Ledger,
    storage: Storage,
    limit: int = 100,
    failing: Callable[[Job], bool] = no_job,
    text: Callable[[Job], str] = text_of,
) -> bool:
    """Claim a batch, make its lines or fail its jobs; return False when nothing waits."""
    pick = ledger.leases.pick(list(Kind))
    lease = ledger.leases.claim(pick.bucket, limit, "writer@test#1") if pick else None
    if lease is None:
        return False
    chosen = [(_chosen(job, text(job)), 0.5) for job in lease.jobs if not failing(job)]
    failed = [Failure(job.id, "rejected", "no line passed the checks", True, 0.5) for job in lease.jobs if failing(job)]
    with ThreadPoolExecutor(2) as uploads:
        assets = publish(storage, uploads, chosen, "cpu")
    ledger.leases.finish(lease, assets, failed)
    return True


def write_all(ledger: Ledger, storage: Storage, failing: Callable[[Job], bool] = no_job) -> None:
    """Make everything that waits."""
    while write_batch(ledger, storage, failing=failing):
        pass


def _chosen(job: Job, text: str) -> Chosen:
    recipe: dict[str, str | float] = {"model": "writer-1", "score": 0.5 + job.variant / 10}
    sample = Sample(text.encode(), "text/plain", 0.5 + job.variant / 10, dict(recipe))
    return Chosen(job, finished_line(text), sample, (Check(name="length", passed=True),), 0, "writer-1")
