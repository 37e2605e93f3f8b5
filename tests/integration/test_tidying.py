"""What need not be kept any longer goes when it is old enough, nothing else does, and a dry run only counts."""

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from celery.beat import Service
from sqlalchemy import Column, ColumnElement, Table, func, select, update

from core.broker import HOUSEKEEPING_QUEUE, SWEEP, TIDY, make_app
from core.errors import StateError, UnknownIdError
from core.ledger import Ledger
from core.ledger.campaigns import CampaignState
from core.ledger.webhooks import Attempt
from core.settings import Settings
from core.storage import Storage
from core.tables import attempts, calls, campaigns, deliveries, events, idempotency_keys, sessions
from core.tidying import DAY_SECONDS, Tidied, tidy
from producer.backups.take import Wish, take
from producer.campaigns import read
from producer.export import export
from producer.exports.formats import Format
from producer.submit import submit
from producer.verify import verify
from schemas.access import DEFAULT_TENANT, Role
from schemas.assets import Asset, Companion, Location, Manifest
from schemas.campaigns import Kind
from schemas.events import EventType
from schemas.jobs import Job
from schemas.learning import TrainingState

from support.inputs import CAMPAIGN as LINES
from support.inputs import a_job, an_asset
from support.rated import make_assets
from support.versions import MODEL
from support.waiting import wait_until
from support.workers import Workers
from support.writer import CAMPAIGN, JOBS, write_all

KEPT = {"keep_calls_days": 30.0, "keep_events_days": 10.0, "keep_assets_days": 20.0, "keep_checkpoints_days": 5.0}
OLD, YOUNG = 40 * DAY_SECONDS, 1 * DAY_SECONDS


@pytest.fixture
def kept(settings: Settings) -> Settings:
    return settings.model_copy(update=KEPT)


@pytest.fixture
def tables(ledger: Ledger, storage: Storage, kept: Settings) -> Iterator["Tables"]:
    """A ledger on either database, and the bucket."""
    return Tables(ledger, storage, kept)


class Tables:
    """A ledger whose rows grow old, and what is found in it."""

    def __init__(self, ledger: Ledger, storage: Storage, settings: Settings) -> None:
        self.ledger, self._storage, self._settings = ledger, storage, settings

    def tidy(self, **options: bool) -> dict[str, int]:
        return found(tidy(self.ledger, self._storage, self._settings, **options))

    def age(self, table: Table, column: Column[Any], seconds: float, *conditions: ColumnElement[bool]) -> None:
        with self.ledger.database.write() as connection:
            connection.execute(update(table).where(*conditions).values({column: time.time() - seconds}))

    def count(self, table: Table) -> int:
        with self.ledger.database.read() as connection:
            return connection.execute(select(func.count()).select_from(table)).scalar_one()


def found(done: list[Tidied]) -> dict[str, int]:
    return {one.what: one.found for one in done if one.found}


def test_old_calls_keys_and_sessions_go_and_young_ones_stay(tables: Tables):
    ledger = tables.ledger
    key, _ = ledger.keys.create("ops", DEFAULT_TENANT, Role.ADMIN, "test")
    for number in ("1", "2", "3"):
        ledger.calls.begin(DEFAULT_TENANT, "ops", "submit", "/v1/campaigns", "127.0.0.1", number)
        ledger.calls.remember(DEFAULT_TENANT, number, "0" * 64)
        # A second session would forget those that ended, so they grow old below.
        ledger.sessions.open(key)
    tables.age(calls, calls.c.at, OLD, calls.c.request_id != "3")
    tables.age(idempotency_keys, idempotency_keys.c.created_at, OLD, idempotency_keys.c.key != "3")
    with ledger.database.read() as connection:
        one = connection.execute(select(sessions.c.sha256)).scalars().first()
    tables.age(sessions, sessions.c.ends_at, 1, sessions.c.sha256 == one)

    counted = tables.tidy(is_dry=True)
    before = [tables.count(table) for table in (calls, idempotency_keys, sessions)]
    deleted = tables.tidy()

    assert before == [3, 3, 3]
    assert counted == deleted == {"calls": 2, "idempotency keys": 2, "sessions": 1}
    assert [tables.count(table) for table in (calls, idempotency_keys, sessions)] == [1, 1, 2]
    assert tables.tidy() == {}


def test_events_go_with_their_history_and_stay_while_anybody_waits_for_them(tables: Tables):
    ledger = tables.ledger
    ledger.webhooks.create(DEFAULT_TENANT, "https://northbeam.example/told", [EventType.CAMPAIGN_FINISHED])
    for name in ("first", "second", "third"):
        make_assets(ledger, 1, campaign=name)
    first, second = ledger.webhooks.claim(30)[:2]
    for delivery in (first, second):
        attempt = Attempt(delivery.webhook_id, time.time(), 0.1, 200, "")
        ledger.webhooks.record(delivery, attempt, is_delivered=True, wait_seconds=None)
    tables.age(events, events.c.at, OLD, events.c.id != second.event.id)

    counted, deleted = tables.tidy(is_dry=True), tables.tidy()

    # The second is young, and the third is still on its way.
    assert counted == deleted == {"events": 1}
    assert [tables.count(table) for table in (events, deliveries, attempts)] == [2, 2, 1]
    with pytest.raises(UnknownIdError, match=first.event.id):
        ledger.webhooks.history(DEFAULT_TENANT, first.event.id)


def test_more_than_a_page_goes(tables: Tables, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("core.ledger.retention.PAGE_ROWS", 2)
    for number in range(5):
        tables.ledger.calls.begin(DEFAULT_TENANT, "ops", "submit", "/v1/campaigns", "127.0.0.1", str(number))
    tables.age(calls, calls.c.at, OLD)

    assert tables.tidy() == {"calls": 5}
    assert tables.count(calls) == 0


def test_what_is_kept_for_ever_stays(tables: Tables, kept: Settings, storage: Storage):
    tables.ledger.calls.begin(DEFAULT_TENANT, "ops", "submit", "/v1/campaigns", "127.0.0.1", "1")
    tables.age(calls, calls.c.at, 100 * OLD)

    done = tidy(tables.ledger, storage, kept.model_copy(update={"keep_calls_days": None}))

    assert found(done) == {}
    assert tables.count(calls) == 1


@pytest.fixture
def finished(own_ledger: Ledger, storage: Storage, settings: Settings, tmp_path: Path) -> str:
    """A campaign that ended long ago, beside one that is not over."""
    ids = []
    for name in ("old", "open"):
        file = tmp_path / f"{name}.yaml"
        file.write_text(CAMPAIGN.replace("name: spring", f"name: {name}"))
        ids.append(submit(read(file), settings, own_ledger, make_app(settings)).id)
        if name == "old":
            write_all(own_ledger, storage)
    end_long_ago(own_ledger, ids[0])
    return ids[0]


def end_long_ago(ledger: Ledger, campaign_id: str) -> None:
    with ledger.database.write() as connection:
        row = update(campaigns).where(campaigns.c.id == campaign_id)
        connection.execute(row.values(finished_at=time.time() - OLD))


def test_assets_of_a_campaign_that_ended_long_ago_go_and_their_rows_stay(
    finished: str, own_ledger: Ledger, storage: Storage, kept: Settings, tmp_path: Path
):
    counted = found(tidy(own_ledger, storage, kept, is_dry=True))
    is_untouched = verify(own_ledger, storage, finished).assets == JOBS

    deleted = found(tidy(own_ledger, storage, kept))

    verdict = verify(own_ledger, storage, finished)
    assert is_untouched
    assert counted == deleted == {"assets of ended campaigns": JOBS}
    assert list(storage.list(f"campaigns/{finished}/")) == []
    assert (verdict.violations, verdict.assets, verdict.deleted) == ([], 0, JOBS)
    made = list(own_ledger.assets.of_campaign(finished))
    assert len(made) == JOBS
    with pytest.raises(UnknownIdError, match="FACTORY_KEEP_ASSETS_DAYS"):
        own_ledger.assets.stored_of_job(made[0].asset.job_id)
    with pytest.raises(StateError, match="FACTORY_KEEP_ASSETS_DAYS"):
        export(own_ledger, storage, finished, tmp_path / "out", Format.FILES)
    taken = take(own_ledger, storage, Wish(tmp_path / "b", None, with_assets=True), lambda _: None)
    assert (taken.end.missing, taken.end.objects) == (0, 0)
    assert found(tidy(own_ledger, storage, kept)) == {}


def test_assets_are_kept_for_ever_unless_a_setting_says_otherwise(
    finished: str, own_ledger: Ledger, storage: Storage, settings: Settings
):
    assert found(tidy(own_ledger, storage, settings)) == {}
    assert verify(own_ledger, storage, finished).assets == JOBS


def test_assets_of_a_campaign_that_is_open_again_stay_and_the_new_ones_are_whole(
    own_ledger: Ledger, storage: Storage, settings: Settings, kept: Settings, finished: str, tmp_path: Path
):
    first = next(own_ledger.assets.of_campaign(finished)).asset.job_id
    with own_ledger.database.write() as connection:
        connection.exec_driver_sql(f"DELETE FROM assets WHERE job_id = '{first}'")
        connection.exec_driver_sql(f"UPDATE jobs SET state = 'failed', error = 'e' WHERE id = '{first}'")
    tidy(own_ledger, storage, kept)

    own_ledger.jobs.retry([first], "test")
    write_all(own_ledger, storage)

    verdict = verify(own_ledger, storage, finished)
    exported = export(own_ledger, storage, finished, tmp_path / "out", Format.FILES)
    assert (verdict.violations, verdict.assets, verdict.deleted) == ([], 1, JOBS - 1)
    assert (exported.assets, exported.notes) == (
        1,
        (f"left out, since they were deleted, as FACTORY_KEEP_ASSETS_DAYS says: {JOBS - 1}",),
    )
    assert found(tidy(own_ledger, storage, kept)) == {}
    end_long_ago(own_ledger, finished)
    assert found(tidy(own_ledger, storage, settings)) == {}


class Reopening(Storage):
    """A store in which, while the first asset is deleted, somebody opens a campaign again."""

    def __init__(self, settings: Settings, ledger: Ledger, campaign_id: str) -> None:
        super().__init__(settings)
        self._ledger, self._campaign_id = ledger, campaign_id

    def delete(self, key: str) -> None:
        super().delete(key)
        opened = {"state": CampaignState.ACTIVE, "finished_at": None}
        with self._ledger.database.write() as connection:
            connection.execute(update(campaigns).where(campaigns.c.id == self._campaign_id).values(opened))


def test_a_campaign_that_is_opened_while_others_are_deleted_keeps_its_assets(
    own_ledger: Ledger, storage: Storage, kept: Settings
):
    for campaign_id in ("c1", "c2"):
        job = a_job(f"{campaign_id}-copy", Kind.COPY)
        own_ledger.campaigns.submit(campaign_id, LINES, [job])
        lease = own_ledger.leases.claim(job.bucket, 1, "w1")
        assert lease
        place = storage.put(f"campaigns/{campaign_id}/assets/1.txt", b"a line", "text/plain")
        own_ledger.leases.finish(lease, [an_asset(job).model_copy(update={"location": place, "manifest": place})])
        end_long_ago(own_ledger, campaign_id)

    deleted = found(tidy(own_ledger, Reopening(kept, own_ledger, "c2"), kept))

    assert deleted == {"assets of ended campaigns": 1}
    assert [own_ledger.assets.deleted(campaign_id) for campaign_id in ("c1", "c2")] == [1, 0]
    assert [key for key, _ in storage.list("campaigns/")] == ["campaigns/c2/assets/1.txt"]


def test_an_asset_of_several_files_goes_with_all_of_them(own_ledger: Ledger, storage: Storage, kept: Settings):
    job = a_job("c1-music", Kind.MUSIC)
    own_ledger.campaigns.submit("c1", LINES, [job])
    lease = own_ledger.leases.claim(job.bucket, 1, "w1")
    assert lease
    own_ledger.leases.finish(lease, [stored_music(storage, job)])
    end_long_ago(own_ledger, "c1")

    assert len(list(storage.list("campaigns/c1/"))) == 3
    assert found(tidy(own_ledger, storage, kept)) == {"assets of ended campaigns": 1}
    assert list(storage.list("campaigns/c1/")) == []


def stored_music(storage: Storage, job: Job) -> Asset:
    sound = storage.put("campaigns/c1/assets/1.wav", b"sound", "audio/wav")
    other = storage.put("campaigns/c1/assets/1.mp3", b"sound, smaller", "audio/mpeg")
    manifest = Manifest(
        job=job,
        model="starter",
        recipe={},
        checks=(),
        device="cpu",
        device_seconds=1,
        content_type="audio/wav",
        sha256=sound.sha256,
        companions=(Companion(ending="mp3", content_type="audio/mpeg", location=other),),
        created_at="2026-11-26T12:00:00+00:00",
    )
    place: Location = storage.put("campaigns/c1/assets/1.json", manifest.model_dump_json().encode(), "application/json")
    return an_asset(job).model_copy(update={"location": sound, "manifest": place, "content_type": "audio/wav"})


def test_a_backup_takes_every_file_of_an_asset(own_ledger: Ledger, storage: Storage, tmp_path: Path):
    job = a_job("c1-music", Kind.MUSIC)
    own_ledger.campaigns.submit("c1", LINES, [job])
    lease = own_ledger.leases.claim(job.bucket, 1, "w1")
    assert lease
    own_ledger.leases.finish(lease, [stored_music(storage, job)])

    taken = take(own_ledger, storage, Wish(tmp_path / "b", None, with_assets=True), lambda _: None)

    assert (taken.end.objects, taken.end.missing) == (3, 0)


def test_folders_of_trainings_go_when_nobody_goes_on_with_them(own_ledger: Ledger, storage: Storage, kept: Settings):
    training, _ = own_ledger.trainings.ask(Kind.COPY, MODEL, "ada asked for it")
    ended, _ = own_ledger.trainings.ask(Kind.COPY, "other", "ada asked for it")
    claim = own_ledger.trainings.claim(Kind.COPY, "other", "w1")
    assert claim
    own_ledger.trainings.finish(claim, TrainingState.FAILED, "too little memory")
    folders = {name: kept.home / "trainings" / name for name in (training.id, ended.id, "unknown", "young")}
    for name, folder in folders.items():
        folder.mkdir(parents=True)
        (folder / "checkpoint.json").write_text(json.dumps({"step": 1}))
        at = time.time() - (YOUNG if name == "young" else OLD)
        for path in (folder / "checkpoint.json", folder):
            os.utime(path, (at, at))

    counted = found(tidy(own_ledger, storage, kept, is_dry=True))
    still = {name for name, folder in folders.items() if folder.exists()}
    deleted = found(tidy(own_ledger, storage, kept))

    assert counted == deleted == {"folders of trainings": 2}
    assert still == set(folders)
    assert {name for name, folder in folders.items() if folder.exists()} == {training.id, "young"}


def test_housekeeping_tidies_by_the_clock(own_ledger: Ledger, kept: Settings, storage: Storage, tmp_path: Path):
    own_ledger.calls.begin(DEFAULT_TENANT, "ops", "submit", "/v1/campaigns", "127.0.0.1", "1")
    with own_ledger.database.write() as connection:
        connection.execute(update(calls).values(at=time.time() - OLD))
    workers, app = Workers(kept, tmp_path), make_app(kept)
    planned = app.conf.beat_schedule[TIDY]
    assert storage.bucket == kept.s3_bucket

    workers.start("housekeeping", HOUSEKEEPING_QUEUE)
    try:
        app.send_task(planned["task"], queue=planned["options"]["queue"])
        wait_until(lambda: not own_ledger.calls.newest_first(1), what="the end of an old call")
    finally:
        workers.end()


def test_beat_starts_beside_a_schedule_that_a_crash_has_cut(kept: Settings, tmp_path: Path):
    for end in ("", ".dat", ".dir", ".bak", ".db"):
        (tmp_path / f"beat-schedule{end}").write_bytes(b"")

    beat = make_app(kept).Beat(schedule=str(tmp_path / "beat-schedule"))
    scheduler = Service(beat.app, scheduler_cls=beat.scheduler_cls, schedule_filename=beat.schedule).get_scheduler()

    assert {TIDY, SWEEP} <= set(scheduler.schedule)
