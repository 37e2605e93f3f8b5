"""The names of buckets."""

import pytest

from schemas.buckets import Bucket, model_name, reference_and_adapter
from schemas.campaigns import Kind


@pytest.mark.parametrize(
    "model", ["starter", "starter+house", "/models/mine", "org/name+/adapters/a", "s3://b/models/x"]
)
def test_a_bucket_is_read_as_it_was_written(model: str):
    bucket = Bucket(Kind.COPY, model, "short")

    assert Bucket.parse(str(bucket)) == bucket
    assert Bucket.parse(f"{bucket}!alone") == bucket


@pytest.mark.parametrize(("reference", "adapter"), [("starter", None), ("starter", "house"), ("a/b", "/c/d")])
def test_a_model_and_its_adapter_are_one_name(reference: str, adapter: str | None):
    assert reference_and_adapter(model_name(reference, adapter)) == (reference, adapter)
