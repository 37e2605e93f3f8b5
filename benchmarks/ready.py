"""Parts of advertisements that are there before the clock runs: stored and recorded as a worker would."""

from concurrent.futures import ThreadPoolExecutor

from benchmarks import media_work
from core.errors import StateError
from core.ledger import Ledger
from core.storage import Storage
from schemas.campaigns import Kind
from schemas.jobs import Job
from workers.choose import Chosen
from workers.finishing.protocol import Finished
from workers.models.protocol import Sample
from workers.publish import publish

WORKER = "benchmark@parent#1"


def make_ready(job: Job, ledger: Ledger, storage: Storage) -> None:
    """Make one part of the advertisements of a campaign; no worker has heard of the campaign yet."""
    lease = ledger.leases.claim(job.bucket, 1, WORKER)
    if lease is None or lease.jobs[0].id != job.id:
        raise StateError(f"the part {job.id} of the benchmark was not there to be made")
    data = media_work.parts()["headline" if job.kind == Kind.COPY else "image"]
    preview, content_type = (data.decode(), "text/plain") if job.kind == Kind.COPY else ("", "image/png")
    chosen = Chosen(
        job,
        Finished(data, content_type, preview, job.id),
        Sample(data, content_type, 0.0, {}),
        (),
        0,
        media_work.READY,
    )
    with ThreadPoolExecutor(1) as uploads:
        assets = publish(storage, uploads, [(chosen, 0.0)], "none")
    ledger.leases.finish(lease, assets)
