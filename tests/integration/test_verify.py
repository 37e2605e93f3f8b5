"""The oracle must find what was planted; an oracle that says yes to everything proves nothing."""

from pathlib import Path

import pytest

from core.broker import make_app
from core.errors import StateError
from core.ledger import Ledger
from core.settings import Settings
from core.storage import Storage
from core.tables import assets, campaigns, failures, jobs
from producer.campaigns import read
from producer.submit import submit
from producer.verify import Verdict, verify

from support.writer import CAMPAIGN, JOBS, write_all, write_batch


@pytest.fixture
def campaign(tmp_path: Path, settings: Settings, ledger: Ledger):
    file = tmp_path / "campaign.yaml"
    file.write_text(CAMPAIGN)
    return submit(read(file), settings, ledger, make_app(settings)).id


@pytest.fixture
def made(campaign: str, ledger: Ledger, storage: Storage):
    write_all(ledger, storage)
    return campaign


def broken(verdict: Verdict):
    return {(violation.rule, violation.target) for violation in verdict.violations}


def test_a_finished_campaign_is_sound(made: str, ledger: Ledger, storage: Storage):
    verdict = verify(ledger, storage, made)

    assert verdict.violations == []
    assert (verdict.assets, verdict.states["done"], verdict.unreferenced) == (JOBS, JOBS, 0)
    # Two shapes: texts and manifests of each share one object.
    assert verdict.objects == 4


def test_a_campaign_in_the_making_with_a_dead_letter_is_sound(campaign: str, ledger: Ledger, storage: Storage):
    write_batch(ledger, storage, limit=5, failing=lambda job: job.variant == 1)
    ledger.leases.claim(ledger.leases.pick(["copy"]).bucket, 3, "writer@test#2")

    verdict = verify(ledger, storage, campaign)

    assert verdict.violations == []
    assert verdict.states == {"waiting": 8, "leased": 3, "done": 4, "failed": 1, "cancelled": 0}


def test_a_deleted_object_breaks_every_asset_in_it(made: str, ledger: Ledger, storage: Storage):
    deleted = next(ledger.assets.of_campaign(made)).asset.location.key
    in_it = {d.asset.job_id for d in ledger.assets.of_campaign(made) if d.asset.location.key == deleted}

    storage.delete(deleted)
    verdict = verify(ledger, storage, made)

    assert broken(verdict) == {("bytes in S3", job_id) for job_id in in_it}
    assert "is not in bucket" in verdict.violations[0].found


@pytest.mark.parametrize("part", ["location", "manifest"])
def test_a_changed_byte_breaks_the_one_asset_that_holds_it(part: str, made: str, ledger: Ledger, storage: Storage):
    asset = [delivered.asset for delivered in ledger.assets.of_campaign(made)][3]
    location = getattr(asset, part)
    body = bytearray(storage.get_whole(location.key))

    body[location.offset_bytes + location.length_bytes // 2] ^= 1
    storage.put(location.key, bytes(body), "application/jsonl")
    verdict = verify(ledger, storage, made)

    assert broken(verdict) == {("bytes in S3", asset.job_id)}
    assert "has sha256" in verdict.violations[0].found


def test_rows_that_point_to_each_others_lines_are_found(made: str, ledger: Ledger, storage: Storage):
    first, second = [delivered.asset for delivered in ledger.assets.of_campaign(made)][:2]
    columns = {"key": "key", "offset_bytes": "offset_bytes", "length_bytes": "length_bytes", "sha256": "sha256"}

    with ledger.database.write() as connection:
        for row, other in ((first, second), (second, first)):
            values = {column: getattr(other.location, name) for column, name in columns.items()}
            connection.execute(assets.update().where(assets.c.job_id == row.job_id).values(values))
    verdict = verify(ledger, storage, made)

    assert {target for _, target in broken(verdict)} == {first.job_id, second.job_id}
    assert any("is the line of another job" in violation.found for violation in verdict.violations)


def test_a_job_that_is_done_without_an_asset_is_found(made: str, ledger: Ledger, storage: Storage):
    with ledger.database.write() as connection:
        connection.execute(assets.delete().where(assets.c.job_id == f"{made}-000002"))

    verdict = verify(ledger, storage, made)

    assert broken(verdict) == {("one asset a done job", f"{made}-000002")}


def test_an_asset_whose_job_is_not_done_is_found(made: str, ledger: Ledger, storage: Storage):
    with ledger.database.write() as connection:
        connection.execute(jobs.update().where(jobs.c.id == f"{made}-000002").values(state="waiting"))

    verdict = verify(ledger, storage, made)

    assert broken(verdict) == {("one asset a done job", f"{made}-000002")}


def test_a_removed_job_is_named(made: str, ledger: Ledger, storage: Storage):
    with ledger.database.write() as connection:
        connection.execute(assets.delete().where(assets.c.job_id == f"{made}-000004"))
        connection.execute(failures.delete().where(failures.c.job_id == f"{made}-000004"))
        connection.execute(jobs.delete().where(jobs.c.id == f"{made}-000004"))

    verdict = verify(ledger, storage, made)

    assert broken(verdict) == {("counted", made), ("counted", f"{made}-000004")}


def test_a_submit_that_forgot_jobs_is_found(made: str, ledger: Ledger, storage: Storage):
    with ledger.database.write() as connection:
        connection.execute(assets.delete().where(assets.c.job_id == f"{made}-000015"))
        connection.execute(jobs.delete().where(jobs.c.id == f"{made}-000015"))
        connection.execute(campaigns.update().values(submitted_jobs=JOBS - 1))

    verdict = verify(ledger, storage, made)

    assert broken(verdict) == {("planned", made)}


def test_a_failure_without_a_reason_is_found(campaign: str, ledger: Ledger, storage: Storage):
    write_all(ledger, storage, failing=lambda job: job.id.endswith("000001"))
    with ledger.database.write() as connection:
        connection.execute(jobs.update().where(jobs.c.state == "failed").values(error=None))

    verdict = verify(ledger, storage, campaign)

    assert broken(verdict) == {("failed with a reason", f"{campaign}-000001")}


def test_a_forgotten_lease_is_found(campaign: str, ledger: Ledger, storage: Storage):
    ledger.leases.claim(ledger.leases.pick(["copy"]).bucket, 1, "writer@test#2")
    with ledger.database.write() as connection:
        ended = jobs.c.lease_until - 3 * ledger.leases.lease_seconds - 1
        connection.execute(jobs.update().where(jobs.c.state == "leased").values(lease_until=ended))

    verdict = verify(ledger, storage, campaign)

    assert [violation.rule for violation in verdict.violations] == ["no forgotten lease"]


def test_objects_without_a_row_are_counted_and_allowed(made: str, ledger: Ledger, storage: Storage):
    storage.put(f"campaigns/{made}/assets/left-by-a-killed-worker.jsonl", b"{}\n", "application/jsonl")
    storage.put("campaigns/another/assets/one.jsonl", b"{}\n", "application/jsonl")

    verdict = verify(ledger, storage, made)

    assert (verdict.unreferenced, verdict.violations) == (1, [])


def test_a_half_submitted_campaign_is_not_judged(made: str, ledger: Ledger, storage: Storage):
    with ledger.database.write() as connection:
        connection.execute(campaigns.update().values(state="submitting"))

    with pytest.raises(StateError, match="submit its file again"):
        verify(ledger, storage, made)
