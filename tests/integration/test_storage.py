"""The door to S3, against a real store: bytes are verified both ways, and every failure says what to do."""

import urllib.error
import urllib.request

import pytest
from pydantic import SecretStr

from core.errors import CorruptAssetError, SettingsError, StorageError
from core.settings import Settings
from core.storage import Storage

from support.waiting import free_port


def test_what_is_put_comes_back_whole_and_in_parts(storage: Storage):
    place = storage.put("a/b.jsonl", b"one\ntwo\n", "application/jsonl")
    second = place.model_copy(
        update={
            "offset_bytes": 4,
            "length_bytes": 3,
            "sha256": "3fc4ccfe745870e2c0d99f71f30ff0656c8dedd41cc1d7d3d376b0dbe685e2f3",
        }
    )

    assert storage.get(place) == b"one\ntwo\n"
    assert storage.get(second) == b"two"
    assert storage.get_whole("a/b.jsonl") == b"one\ntwo\n"


def test_the_same_bytes_twice_are_one_object(storage: Storage):
    first, second = (storage.put("same", b"x", "text/plain") for _ in range(2))

    assert first == second
    assert list(storage.list("")) == [("same", 1)]


def test_a_changed_byte_is_noticed(storage: Storage):
    place = storage.put("a", b"right", "text/plain")
    storage.put("a", b"wrong", "text/plain")

    with pytest.raises(CorruptAssetError, match="the ledger says"):
        storage.get(place)


def test_a_lost_object_is_noticed(storage: Storage):
    place = storage.put("a", b"x", "text/plain")
    storage.delete("a")
    storage.delete("a")

    with pytest.raises(CorruptAssetError, match="it is not in bucket"):
        storage.get(place)


def test_a_listing_loses_no_key(storage: Storage):
    keys = ["a-b", "a.b", "a/1", "foo.txt", "foo/bar", "foo/baz", "quux"]
    for key in keys:
        storage.put(key, b"x", "text/plain")

    assert sorted(key for key, _ in storage.list("")) == keys


def test_a_link_reads_the_object_without_credentials_and_nothing_else_does(storage: Storage):
    storage.put("shown", b"to people", "text/plain")

    with urllib.request.urlopen(storage.link("shown"), timeout=10) as answer:
        body = answer.read()

    assert body == b"to people"
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(f"{storage.endpoint}/{storage.bucket}/shown", timeout=10)


def test_wrong_credentials_are_a_matter_of_settings(settings: Settings):
    wrong = Storage(settings.model_copy(update={"s3_secret_key": SecretStr("wrong")}))

    with pytest.raises(SettingsError, match="FACTORY_S3_"):
        wrong.put("a", b"x", "text/plain")


def test_a_bucket_that_is_not_there_is_a_matter_of_settings(settings: Settings):
    with pytest.raises(SettingsError, match="NoSuchBucket"):
        Storage(settings).put("a", b"x", "text/plain")


def test_a_store_that_is_away_is_tried_again_later(settings: Settings):
    away = Storage(settings.model_copy(update={"s3_endpoint": f"http://127.0.0.1:{free_port()}"}))

    with pytest.raises(StorageError, match="does not answer"):
        away.put("a", b"x", "text/plain")
