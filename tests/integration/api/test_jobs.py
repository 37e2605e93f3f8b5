"""Jobs over HTTP: ordered one by one before all others, mended when they failed, and what they made taken out."""

import csv
import hashlib
import io
import threading
import urllib.request
import zipfile
from pathlib import Path
from typing import Any

import pytest

from core.storage import Storage
from producer.export import export
from producer.exports.formats import Format
from schemas.campaigns import Kind

from support.calls import Api
from support.writer import CAMPAIGN, JOBS, write_all, write_batch

ORDER: dict[str, Any] = {
    "brand": {"name": "Northbeam"},
    "product": {"sku": "NB-9", "name": "Tide Decaf"},
    "audience": {"id": "nights", "description": "people who read late"},
    "deliverable": {"kind": "copy", "channel": "meta.headline"},
}


@pytest.fixture
def campaign(api: Api) -> str:
    """A campaign that was submitted."""
    return str(api.submit(CAMPAIGN).json()["campaign"]["campaign"])


def order(api: Api, **changes: object) -> Any:
    return api.call("POST", "/v1/jobs", json=ORDER | changes)


def test_an_order_is_one_job_with_an_id_and_an_address(api: Api):
    first, second, other = order(api), order(api), order(api, seed=2)

    assert (first.status_code, second.status_code, other.status_code) == (201, 200, 201)
    assert first.json()["job"] == second.json()["job"] != other.json()["job"]
    assert first.headers["location"] == f"/v1/jobs/{first.json()['job']}"
    assert (first.json()["state"], first.json()["brief"]["product"]["name"]) == ("waiting", "Tide Decaf")


def test_an_order_is_served_before_all_that_waits(api: Api, campaign: str, storage: Storage):
    job = order(api).json()["job"]

    write_batch(api.ledger, storage, limit=1)

    assert api.call("GET", f"/v1/jobs/{job}").json()["job"]["state"] == "done"
    assert api.call("GET", f"/v1/campaigns/{campaign}").json()["waiting"] == JOBS


def test_who_waits_for_an_order_is_answered_when_it_is_done(api: Api, storage: Storage):
    job = order(api).json()["job"]
    soon = threading.Timer(0.5, write_all, [api.ledger, storage])
    soon.start()

    answer = api.call("GET", f"/v1/jobs/{job}?wait_seconds=20").json()
    soon.join()

    assert answer["job"]["state"] == "done"
    assert answer["preview"] == "Tide Decaf für nights: meta.headline 1"


def test_who_waits_in_vain_is_answered_all_the_same(api: Api):
    job = order(api).json()["job"]

    assert api.call("GET", f"/v1/jobs/{job}?wait_seconds=0.3").json()["job"]["state"] == "waiting"


@pytest.mark.parametrize(
    ("changes", "field", "told"),
    [
        ({"deliverable": {"kind": "copy", "channel": "meta.headlin"}}, "deliverable.channel", "did you mean"),
        (
            {"deliverable": {"kind": "copy", "channel": "meta.headline", "variants": 2}},
            "deliverable.variants",
            "one job",
        ),
        ({"deliverable": {"kind": "creative", "channel": "meta.feed"}}, "deliverable", "creative"),
        ({"product": {"sku": "a b", "name": "Ember"}}, "product.sku", "pattern"),
        ({"brand": {"name": "Northbeam", "logo": "../../logo.png"}}, "brand.logo", "no files come with"),
        ({"locale": "fi"}, "locale", "does not write 'fi'"),
        ({"speed": 9}, "speed", "extra"),
    ],
)
def test_what_is_wrong_with_an_order_is_told_by_its_field(api: Api, changes: dict[str, Any], field: str, told: str):
    answer = order(api, **changes)

    faults = answer.json()["problems"]
    assert (answer.status_code, [one["field"] for one in faults]) == (422, [field])
    assert told in faults[0]["message"]
    assert "line" not in faults[0]


def test_jobs_and_assets_come_in_pages_that_hold_each_once(api: Api, campaign: str, storage: Storage):
    write_all(api.ledger, storage)
    for noun in ("jobs", "assets"):
        seen: list[str] = []
        cursor = ""
        while True:
            page = api.call("GET", f"/v1/campaigns/{campaign}/{noun}?limit=5{cursor}").json()
            seen += [one["job"] for one in page[noun]]
            if page["next_cursor"] is None:
                break
            cursor = f"&cursor={page['next_cursor']}"

        assert seen == [f"{campaign}-{number:06d}" for number in range(JOBS)]


def test_a_dead_letter_says_why_is_mended_and_tried_again(api: Api, campaign: str, storage: Storage):
    write_all(api.ledger, storage, failing=lambda job: job.id.endswith("-000003"))
    (letter,) = api.call("GET", "/v1/dead-letters").json()["jobs"]
    path = f"/v1/jobs/{letter['job']}"

    mended = api.call("PATCH", path, json={"changes": {"product.description": "Dark"}, "retry": True})

    assert (letter["campaign"], letter["error_code"], letter["error"]) == (
        campaign,
        "rejected",
        "no line passed the checks",
    )
    assert (mended.json()["state"], mended.json()["brief"]["product"]["description"]) == ("waiting", "Dark")
    details = api.call("GET", path).json()
    assert [one["code"] for one in details["failures"]] == ["rejected"]
    assert [one["action"] for one in details["actions"]] == ["edit", "retry"]
    assert details["actions"][0]["actor"].startswith("admin-ann (")


@pytest.mark.parametrize(
    ("changes", "status"),
    [({"product.colour": "red"}, 422), ({"channel": "email.subject; DROP"}, 422), ({"locale": "xx-"}, 422), ({}, 422)],
)
def test_a_wrong_edit_changes_nothing(api: Api, campaign: str, storage: Storage, changes: dict[str, str], status: int):
    write_all(api.ledger, storage, failing=lambda job: job.id.endswith("-000003"))
    job = f"{campaign}-000003"
    before = api.ledger.jobs.status(job)

    assert api.call("PATCH", f"/v1/jobs/{job}", json={"changes": changes}).status_code == status

    assert api.ledger.jobs.status(job) == before


def test_a_job_that_did_not_fail_cannot_be_edited_and_stays_when_it_is_retried(api: Api, campaign: str):
    job = f"{campaign}-000000"

    edit = api.call("PATCH", f"/v1/jobs/{job}", json={"changes": {"product.name": "Ember"}})
    retried = api.call("POST", f"/v1/jobs/{job}/retry")

    assert (edit.status_code, retried.status_code, retried.json()["state"]) == (409, 200, "waiting")


def test_a_job_is_cancelled(api: Api, campaign: str):
    answers = [api.call("POST", f"/v1/jobs/{campaign}-000000/cancel").json()["state"] for _ in range(2)]

    assert answers == ["cancelled", "cancelled"]
    assert api.call("GET", f"/v1/campaigns/{campaign}").json()["cancelled"] == 1


def test_a_link_leads_to_the_bytes_of_the_ledger(api: Api, campaign: str, storage: Storage):
    write_all(api.ledger, storage)

    given = api.call("GET", f"/v1/jobs/{campaign}-000004/link?seconds=60").json()
    wanted = urllib.request.Request(
        given["link"], headers={"Range": f"bytes={given['first_byte']}-{given['last_byte']}"}
    )
    with urllib.request.urlopen(wanted) as response:
        data = response.read()

    assert hashlib.sha256(data).hexdigest() == given["sha256"]
    assert api.call("GET", f"/v1/jobs/{order(api).json()['job']}/link").status_code == 404


@pytest.mark.parametrize("form", [Format.CSV, Format.JSONL, Format.ZIP, Format.GOOGLE_ADS_EDITOR, Format.META_BULK])
def test_an_export_is_the_file_that_the_command_line_writes(
    api: Api, campaign: str, storage: Storage, tmp_path: Path, form: Format
):
    write_all(api.ledger, storage)
    export(api.ledger, storage, campaign, tmp_path / "export", form)

    answer = api.call("GET", f"/v1/campaigns/{campaign}/export?format={form}")

    assert answer.content == (tmp_path / "export").read_bytes()
    assert answer.headers["content-disposition"].startswith(f'attachment; filename="{campaign}-{form}.')


def test_an_export_is_a_table_or_an_archive_of_all_assets(api: Api, campaign: str, storage: Storage):
    write_all(api.ledger, storage)

    table = api.call("GET", f"/v1/campaigns/{campaign}/export").text
    archive = api.call("GET", f"/v1/campaigns/{campaign}/export?format=zip").content

    assert len(list(csv.DictReader(io.StringIO(table)))) == JOBS
    assert "contact-sheet.html" in zipfile.ZipFile(io.BytesIO(archive)).namelist()


def test_a_damaged_asset_is_no_half_export(api: Api, campaign: str, storage: Storage):
    write_all(api.ledger, storage)
    storage.delete(api.ledger.assets.of_job(f"{campaign}-000015").location.key)

    answer = api.call("GET", f"/v1/campaigns/{campaign}/export")

    assert (answer.status_code, answer.headers["content-type"]) == (500, "application/problem+json")


def test_models_are_told_with_what_they_made(api: Api, campaign: str, storage: Storage):
    write_all(api.ledger, storage)
    assert campaign

    models = api.call("GET", "/v1/models").json()["models"]

    serving = {one["kind"]: one for one in models if one["role"] == "makes new campaigns"}
    assert set(serving) == set(Kind)
    assert serving["copy"]["assets"] == JOBS
