"""The engine and a real store: models and versions that lie in the bucket are fetched to this machine."""

import os
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch

from core.errors import BrokenVersionError, ModelLoadError
from core.ledger import Ledger
from core.locks import alone_with
from core.settings import Settings
from core.storage import Storage
from core.versions import store
from schemas.campaigns import Kind
from schemas.versions import SHIPPED
from workers.engine import Engine
from workers.models import image
from workers.models.protocol import Model

from support.adapters import register, sides_of, write_adapter
from support.lines import line_campaign, line_jobs
from support.lockless import refuse_locks
from support.tiny_pipelines import write_adapter as write_pipeline_adapter
from support.tiny_pipelines import write_pipeline
from support.versions import a_version, version_id

DEADLINE_SECONDS = 60
FIRST, SECOND, THIRD = (version_id(number) for number in (1, 2, 3))


@pytest.fixture
def ledger(settings: Settings) -> Iterator[Ledger]:
    opened = Ledger(settings)
    yield opened
    opened.close()


@pytest.fixture
def engine(settings: Settings, storage: Storage, ledger: Ledger) -> Engine:
    return Engine(settings.model_copy(update={"device": "cpu"}), ledger.leases, storage, ledger.versions)


@pytest.fixture
def bucket(ledger: Ledger, storage: Storage, line_model: Path, tmp_path: Path) -> str:
    """A bucket of the line model, which has three versions."""
    register(ledger, storage, line_model, tmp_path / "trained", {1: "north", 2: "south", 3: "north"})
    return f"copy/{line_model}/short"


def test_a_model_is_fetched_from_the_bucket_once(storage: Storage, engine: Engine):
    storage.put("models/mine/config.json", b"{}", "application/json")

    folder = Path(engine._local(f"s3://{storage.bucket}/models/mine"))
    storage.delete("models/mine/config.json")
    storage.put("models/mine/other.json", b"[]", "application/json")
    engine._local(f"s3://{storage.bucket}/models/mine")

    assert (folder / "config.json").read_bytes() == b"{}"
    assert (folder / "other.json").read_bytes() == b"[]"


class _Counting(Storage):
    """The store; tells how often a file was asked for, and answers when as many ask at once as it waits for."""

    def __init__(self, settings: Settings, together: int = 1) -> None:
        super().__init__(settings)
        self.asked: list[str] = []
        self._meeting = threading.Barrier(together)

    def get_whole(self, key: str) -> bytes:
        self.asked.append(key)
        self._meeting.wait(DEADLINE_SECONDS)
        return super().get_whole(key)


def test_of_processes_that_want_a_model_of_the_bucket_at_once_one_fetches_it(
    settings: Settings, storage: Storage, ledger: Ledger
):
    counting = _Counting(settings)
    storage.put("models/mine/config.json", b"{}", "application/json")
    engine = Engine(settings.model_copy(update={"device": "cpu"}), ledger.leases, counting, ledger.versions)
    folder = engine.cache / "s3" / "models" / "mine"

    with ThreadPoolExecutor(1) as pool:
        with alone_with(folder):
            second = pool.submit(engine._local, f"s3://{storage.bucket}/models/mine")
            with pytest.raises(TimeoutError):
                second.result(timeout=0.5)
            folder.mkdir()
            (folder / "config.json").write_bytes(b"{}")
        assert second.result(DEADLINE_SECONDS) == str(folder)

    assert counting.asked == []


def test_where_no_locks_are_kept_all_fetch_it_and_each_file_is_whole(
    settings: Settings, storage: Storage, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
):
    refuse_locks(monkeypatch)
    weights = os.urandom(1_000_000)
    storage.put("models/mine/model.safetensors", weights, "application/octet-stream")
    together = _Counting(settings, together=4)
    engine = Engine(settings.model_copy(update={"device": "cpu"}), ledger.leases, together, ledger.versions)

    with ThreadPoolExecutor(4) as pool:
        (folder,) = set(pool.map(engine._local, [f"s3://{storage.bucket}/models/mine"] * 4))

    assert len(together.asked) == 4
    (file,) = Path(folder).iterdir()
    assert file.read_bytes() == weights
    assert file.stat().st_mode & 0o777 == 0o644


def test_each_version_makes_its_own_lines_and_names_itself(engine: Engine, bucket: str, line_model: Path):
    jobs = list(line_jobs("c1", line_campaign("c1", products=6, variants=1), line_model))

    for version, side in ((FIRST, "north"), (SECOND, "south")):
        results = engine.generate(bucket, jobs, 1, version=version)
        texts = [sample.data.decode() for result in results for sample in result.samples[:1]]

        assert {result.model for result in results} == {f"{line_model}@{version}"}
        assert len(texts) == len(jobs)
        assert all(sides_of(line_model, text) == {side} for text in texts)
    assert {result.model.partition("@")[0] for result in engine.generate(bucket, jobs, 1)} == {line_model.name}


def test_the_two_versions_used_last_stay_loaded(engine: Engine, bucket: str):
    first, second = engine.model_of(bucket, FIRST), engine.model_of(bucket, SECOND)
    assert engine.model_of(bucket, FIRST) is first

    engine.model_of(bucket, THIRD)

    assert engine.model_of(bucket, FIRST) is first
    assert engine.model_of(bucket, SECOND) is not second


def test_versions_that_do_not_fit_beside_each_other_make_room(
    settings: Settings, storage: Storage, ledger: Ledger, bucket: str
):
    class SmallDevice(Engine):
        """Holds one version at a time."""

        def _load(self, kind: Kind, name: str, version: str) -> Model:
            if self._models[kind, name]:
                raise torch.OutOfMemoryError("no room for two")
            return super()._load(kind, name, version)

    engine = SmallDevice(settings, ledger.leases, storage, ledger.versions)

    made = [engine.model_of(bucket, version).version for version in (FIRST, SECOND, FIRST)]

    assert [name.rpartition("@")[2] for name in made] == [FIRST, SECOND, FIRST]


def test_a_version_that_no_machine_could_load_is_called_broken(
    engine: Engine, bucket: str, storage: Storage, ledger: Ledger, line_model: Path, tmp_path: Path
):
    damaged = ledger.versions.get(FIRST).described
    storage.put(f"{damaged.prefix}adapter_config.json", b"[]", "application/json")
    folder = write_adapter(line_model, tmp_path / "misfit", "north")
    (folder / "adapter_model.safetensors").write_bytes(b"no weights")
    ledger.versions.register(store(storage, folder, a_version(4, model=str(line_model))))

    for version, words in ((FIRST, "adapter_config.json"), (version_id(4), "does not fit")):
        with pytest.raises(BrokenVersionError, match=words) as caught:
            engine.make_ready(bucket, version)
        assert caught.value.version == version
    engine.make_ready(bucket, SECOND)
    engine.make_ready(bucket, SHIPPED)


def test_a_machine_that_lacks_the_model_itself_calls_no_version_broken(
    engine: Engine, storage: Storage, ledger: Ledger, line_model: Path, tmp_path: Path
):
    missing = str(tmp_path / "nowhere")
    folder = write_adapter(line_model, tmp_path / "trained", "north")
    ledger.versions.register(store(storage, folder, a_version(1, model=missing)))

    with pytest.raises(ModelLoadError, match="nowhere"):
        engine.make_ready(f"copy/{missing}/short", FIRST)


def test_a_version_of_a_pipeline_is_laid_over_it_and_names_itself(
    engine: Engine, storage: Storage, ledger: Ledger, tmp_path: Path
):
    pipeline = write_pipeline("sd", tmp_path)
    bucket = f"image/{pipeline}/512x512"
    shipped = engine.model_of(bucket)
    folder = write_pipeline_adapter(
        image.load(str(pipeline), None, "cpu", "float32", tmp_path, 1)._pipe, tmp_path / "l"
    )
    version = store(storage, folder, a_version(1, model=str(pipeline), kind=Kind.IMAGE))
    ledger.versions.register(version)

    engine.make_ready(bucket, version.id)

    adapted = engine.model_of(bucket, version.id)
    assert adapted.version == f"{pipeline}@{version.id}"
    assert adapted._pipe.get_list_adapters()
    assert engine.model_of(bucket) is shipped
    assert not shipped._pipe.get_list_adapters()
