"""The factory from the outside: submit a campaign, wait until it is settled, and read in the ledger how it went."""

from collections import Counter

from benchmarks import media_work, work
from benchmarks.made import FactoryMade
from benchmarks.processes import Worker
from benchmarks.ready import make_ready
from core.broker import make_app, queue_of
from core.ledger import Ledger
from core.settings import Settings
from core.storage import Storage
from producer.submit import ring_for
from schemas.campaigns import Kind
from schemas.jobs import JobState

COMMAND = ("workers.app", "-Q", queue_of(Kind.COPY), "--pool=threads", "-c", "3")
MEDIA = ",".join(queue_of(kind) for kind in (Kind.IMAGE, Kind.CREATIVE, Kind.MUSIC))
MEDIA_COMMAND = ("workers.app", "-Q", MEDIA, "--pool=threads", "-c", "3")
LONGEST_SECONDS = 600.0


class Factory:
    """A running worker of ours with its ledger."""

    def __init__(self, settings: Settings, worker: Worker) -> None:
        self._settings = settings
        self._app = make_app(settings)
        self._worker = worker
        self._ledger = Ledger(settings)
        self._storage = Storage(settings)

    def ring(self) -> None:
        """Send a ticket for no work: the worker imports its libraries meanwhile."""
        ring_for(self._app, 1, 1)

    def submit(self, campaign_id: str, count: int, kind: Kind = Kind.COPY) -> None:
        """Record a campaign and ring for it; what advertisements are made of is there already."""
        planned = media_work.jobs(kind, campaign_id, count, self._settings)
        ready = media_work.part_jobs(campaign_id) if kind == Kind.CREATIVE else []
        self._ledger.campaigns.submit(campaign_id, work.campaign(campaign_id), [*ready, *planned])
        for job in ready:
            make_ready(job, self._ledger, self._storage)
        ring_for(self._app, count, self._settings.batch_size)

    def make(self, campaign_id: str, count: int, kind: Kind = Kind.COPY) -> FactoryMade:
        """Run so many jobs; the time counts from the first claim to the last finish."""
        cpu_before = self._worker.cpu_seconds
        self.submit(campaign_id, count, kind)
        self.wait_until_settled(campaign_id)
        return self._read(campaign_id, kind, self._worker.cpu_seconds - cpu_before)

    def wait_until_settled(self, campaign_id: str) -> None:
        """Wait until every job is at its end."""
        self._worker.wait_for(
            lambda: self._ledger.campaigns.status(campaign_id).is_settled, LONGEST_SECONDS, "the factory's jobs"
        )

    def upload_sizes(self, campaign_id: str, batches: int) -> list[int]:
        """Return the sizes of the objects that a batch of the campaign stores, on average."""
        sizes = [
            [size for _, size in self._storage.list(f"campaigns/{campaign_id}/{part}/")]
            for part in ("assets", "manifests")
        ]
        return [sum(some) // batches for some in sizes]

    def _read(self, campaign_id: str, kind: Kind, cpu_seconds: float) -> FactoryMade:
        # Headline and picture of advertisements were there before.
        jobs = [one for one in self._ledger.jobs.of_campaign(campaign_id) if one.job.kind == kind]
        # Jobs that were claimed together have the same moment of claim.
        batches = Counter(job.started_at for job in jobs)
        states = Counter(job.state for job in jobs)
        began_at = min(job.started_at for job in jobs if job.started_at)
        ended_at = max(job.finished_at for job in jobs if job.finished_at)
        return FactoryMade(
            jobs=len(jobs),
            seconds=ended_at - began_at,
            cpu_seconds=cpu_seconds,
            done=states[JobState.DONE],
            failed=states[JobState.FAILED],
            device_seconds=sum(job.device_seconds for job in jobs),
            fill=len(jobs) / len(batches) / self._settings.batch_size,
        )

    def close(self) -> None:
        """Close the ledger."""
        self._ledger.close()
