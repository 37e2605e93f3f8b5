"""Which objects a row names, and that names come back sorted, each once."""

import json
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from producer.backups import names
from producer.backups.names import Names, companions_in, may_name_companions, named_by
from schemas.assets import Companion, Location, Manifest
from schemas.campaigns import Kind

from support.inputs import BRIEF, a_job
from support.versions import a_version

LOGO = f"logos/{'0a' * 16}.png"


def collected(some: Iterable[str]) -> list[str]:
    with Names() as found:
        for name in some:
            found.add(name)
        return list(found)


@given(st.lists(st.text("abcä/", max_size=5)))
def test_names_come_back_sorted_and_once(some: list[str]):
    assert collected(some) == sorted(set(some))


def test_names_that_do_not_fit_into_memory_come_back_sorted_and_once(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(names, "MOST_WAITING", 7)
    some = [f"{number * 37 % 50:02d}" for number in range(150)]

    assert collected(some) == [f"{number:02d}" for number in range(50)]


def test_a_version_names_its_files_and_its_manifest():
    version = a_version(1)
    row = {"record": version.model_dump_json()}

    found = list(named_by("versions", row, with_assets=False))

    assert found == [f"{version.prefix}adapter_model.safetensors", f"{version.prefix}manifest.json"]


def test_a_training_names_its_snapshot_once_it_has_one():
    assert list(named_by("trainings", {"snapshot_key": "snapshots/a"}, with_assets=False)) == ["snapshots/a"]
    assert list(named_by("trainings", {"snapshot_key": None}, with_assets=False)) == []


def test_a_template_names_the_files_beside_its_campaign():
    place = Location(key="schedules/1.csv", offset_bytes=0, length_bytes=1, sha256="0" * 64)
    row = {"files": json.dumps({"products.csv": place.model_dump()})}

    assert list(named_by("templates", row, with_assets=False)) == ["schedules/1.csv"]


def test_a_job_names_the_logo_of_its_brand():
    job = {"brief": json.dumps(BRIEF.model_dump(mode="json") | {"creative": {"logo": LOGO}})}

    assert list(named_by("jobs", job, with_assets=False)) == [LOGO]
    assert list(named_by("jobs", {"brief": BRIEF.model_dump_json()}, with_assets=False)) == []


def test_what_a_person_writes_into_a_brief_names_nothing():
    product = BRIEF.product.model_copy(update={"description": f'"logo":"{LOGO}"'})
    brief = BRIEF.model_copy(update={"product": product}).model_dump_json()

    assert list(named_by("jobs", {"brief": brief}, with_assets=False)) == []


def test_an_asset_names_its_bytes_only_where_assets_are_wanted():
    row = {"key": "campaigns/c/1.png", "manifest_key": "campaigns/c/1.json"}

    assert list(named_by("assets", row, with_assets=True)) == ["campaigns/c/1.png", "campaigns/c/1.json"]
    assert list(named_by("assets", row, with_assets=False)) == []


def test_a_manifest_names_the_companions_of_its_asset():
    place = Location(key="campaigns/c/1.mp3", offset_bytes=0, length_bytes=1, sha256="0" * 64)
    alone = a_manifest(())
    paired = a_manifest((Companion(ending="mp3", content_type="audio/mpeg", location=place),))

    assert not may_name_companions(alone)
    assert may_name_companions(alone + b"\n" + paired)
    assert list(companions_in(alone + b"\n" + paired)) == ["campaigns/c/1.mp3"]


def a_manifest(companions: tuple[Companion, ...]) -> bytes:
    manifest = Manifest(
        job=a_job("c-1", Kind.MUSIC),
        model="starter",
        recipe={},
        checks=(),
        device="cpu",
        device_seconds=1,
        content_type="audio/wav",
        sha256="0" * 64,
        companions=companions,
        created_at="2026-11-26T12:00:00+00:00",
    )
    return manifest.model_dump_json().encode()
