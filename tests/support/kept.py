"""A factory in the middle of its work, with something of all that a backup keeps; and what there is of it elsewhere."""

import time
from pathlib import Path

from sqlalchemy import select

from core.broker import make_app
from core.ledger import Ledger
from core.ledger.promotions import Order
from core.ledger.tenants import Limits
from core.settings import Settings
from core.storage import Storage
from core.tables import jobs, metadata, sessions, trainings
from core.versions import store
from producer.campaigns import read
from producer.schedules.keep import Owner, Wish, add
from producer.schedules.templates import of_file
from producer.submit import submit
from schemas.access import DEFAULT_TENANT, Role
from schemas.campaigns import Kind
from schemas.events import EventType
from schemas.jobs import JobState
from schemas.learning import TrainingState
from schemas.ratings import Feedback
from schemas.schedules import CatchUp

from support.rated import message
from support.versions import MODEL, a_version, version_id
from support.writer import CAMPAIGN, write_batch

RATERS = ("ada", "bob", "cyd")
FORGOTTEN = "dan"
CHAMPION = version_id(1)
# The greater part of the file where nothing else is kept.
SNAPSHOT = b'{"opinions": 2}\n' * 3000
# In hand when the backup is taken, and done before it.
LEASED, DONE, FAILED = 3, 4, 1
# A moment of the year is enough: nothing of it comes due in a test.
CRON = "0 0 1 1 *"
# Of a lease nothing is left, and who had signed in signs in again.
OF_A_LEASE = {"state", "lease_token", "lease_until", "worker", "attempts"}


def fill(settings: Settings, ledger: Ledger, storage: Storage, folder: Path) -> str:
    """Fill a factory, and return its campaign."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "campaign.yaml"
    file.write_text(CAMPAIGN)
    campaign = submit(read(file), settings, ledger, make_app(settings)).id
    write_batch(ledger, storage, limit=DONE + FAILED, failing=lambda job: job.variant == 1)
    _rate(ledger)
    _learn(ledger, storage, folder)
    _open_doors(settings, ledger, folder)
    pick = ledger.leases.pick([Kind.COPY])
    assert pick
    ledger.leases.claim(pick.bucket, LEASED, "writer@test#2")
    return campaign


def ratings_of(ledger: Ledger, rater: str, at: float = 1000.0) -> list[Feedback]:
    """Return messages of a person about all that was made."""
    made = [one.asset.job_id for one in ledger.assets.of_campaign(ledger.campaigns.find("spring"))]
    content = {"type": "rating", "stars": 4, "approves": True}
    return [message(content | {"job_id": job_id}, rater, at, id=f"{rater}-{at:.0f}-{job_id}") for job_id in made]


def leased(ledger: Ledger) -> list[str]:
    """Return the jobs in hand."""
    with ledger.database.read() as connection:
        return list(connection.execute(select(jobs.c.id).where(jobs.c.state == JobState.LEASED)).scalars())


def rows_of(ledger: Ledger) -> dict[str, list[dict[str, object]]]:
    """Return all that a ledger holds but sessions, and but what a lease writes into its rows."""
    found = {}
    with ledger.database.read() as connection:
        for table in metadata.sorted_tables:
            if table is not sessions:
                left_out = OF_A_LEASE if table in (jobs, trainings) else set()
                columns = [column for column in table.c if column.name not in left_out]
                rows = connection.execute(select(*columns).order_by(*table.primary_key)).mappings()
                found[table.name] = [dict(row) for row in rows]
    return found


def _rate(ledger: Ledger) -> None:
    for rater in (*RATERS, FORGOTTEN):
        ledger.intake.record(ratings_of(ledger, rater))
    # Somebody thought better of it, and what was said before stays in the history.
    ledger.intake.record(ratings_of(ledger, RATERS[0], 2000.0))
    ledger.intake.forget(DEFAULT_TENANT, FORGOTTEN, "test")
    ledger.intake.expect(ratings_of(ledger, RATERS[1], 3000.0)[:1])


def keep_snapshot(ledger: Ledger, storage: Storage) -> None:
    """Begin a training, if none is open, that has its snapshot and nobody at it; and know a tenant."""
    place = storage.put("snapshots/copy/1.jsonl", SNAPSHOT, "application/jsonl")
    ledger.trainings.ask(Kind.COPY, MODEL, "ada asked for it")
    with ledger.database.write() as connection:
        key = {"snapshot_key": place.key, "snapshot_sha256": place.sha256, "snapshot_bytes": place.length_bytes}
        connection.execute(trainings.update().values(key | {"approval": 0.5}))
    ledger.tenants.set_limits("ann", Limits(10, None))


def _learn(ledger: Ledger, storage: Storage, folder: Path) -> None:
    trained = folder / "trained"
    trained.mkdir()
    (trained / "adapter_config.json").write_bytes(b"{}")
    (trained / "adapter_model.safetensors").write_bytes(b"weights" * 1000)
    for number in (1, 2):
        ledger.versions.register(store(storage, trained, a_version(number, files=(), prefix="")))
    ledger.promotions.promote(CHAMPION, ledger.promotions.serving(Kind.COPY, MODEL), Order("ada", "reads better"))
    seen = ledger.promotions.serving(Kind.COPY, MODEL)
    ledger.promotions.start_canary(version_id(2), 0.2, seen, Order("ada", "to see"))
    keep_snapshot(ledger, storage)
    claim = ledger.trainings.claim(Kind.COPY, MODEL, "trainer@test#1")
    assert claim
    assert claim.training.state == TrainingState.OPEN


def _open_doors(settings: Settings, ledger: Ledger, folder: Path) -> None:
    key, _ = ledger.keys.create("ops", DEFAULT_TENANT, Role.ADMIN, "test")
    ledger.sessions.open(key)
    ledger.calls.begin(DEFAULT_TENANT, "ops", "submit", "/v1/campaigns", "127.0.0.1", "1")
    ledger.calls.remember(DEFAULT_TENANT, "key-1", "0" * 64)
    ledger.webhooks.create(DEFAULT_TENANT, "https://northbeam.example/told", list(EventType))
    seen = ledger.promotions.serving(Kind.COPY, MODEL)
    ledger.promotions.stop_canary(seen, Order("ada", "told to the webhook"))
    ledger.promotions.start_canary(version_id(2), 0.3, ledger.promotions.serving(Kind.COPY, MODEL), Order("ada", ""))
    (folder / "products.csv").write_text("sku,name\nNB-1,Ember Espresso\n")
    text = CAMPAIGN.replace("name: spring", "name: weekly").splitlines(keepends=True)
    weekly = folder / "weekly.yaml"
    weekly.write_text("".join(_with_a_feed(text)))
    wish = Wish(CRON, None, CatchUp.SKIP)
    add(ledger, settings, of_file(weekly, DEFAULT_TENANT), wish, Owner(DEFAULT_TENANT, "test"), "weekly", time.time())


def _with_a_feed(lines: list[str]) -> list[str]:
    kept = [line for line in lines if "sku:" not in line]
    return [line.replace("products:", "products: {file: products.csv}") for line in kept]
