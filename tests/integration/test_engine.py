"""The engine and a real store: a model that lies in the bucket is fetched to this machine."""

from pathlib import Path

from core.ledger import Ledger
from core.settings import Settings
from core.storage import Storage
from workers.engine import Engine


def test_a_model_is_fetched_from_the_bucket_once(storage: Storage, settings: Settings):
    ledger = Ledger(settings)
    storage.put("models/mine/config.json", b"{}", "application/json")
    engine = Engine(settings, ledger.leases, storage)

    folder = Path(engine._local(f"s3://{storage.bucket}/models/mine"))
    storage.delete("models/mine/config.json")
    storage.put("models/mine/other.json", b"[]", "application/json")
    engine._local(f"s3://{storage.bucket}/models/mine")

    assert (folder / "config.json").read_bytes() == b"{}"
    assert (folder / "other.json").read_bytes() == b"[]"
    ledger.close()
