"""The engine with small fake models: a bad job, a device too small, a model that does not load."""

import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
import torch

from core.ledger import Ledger
from core.settings import Settings
from core.storage import Storage
from schemas.campaigns import Kind
from schemas.jobs import Job
from schemas.versions import SHIPPED
from workers.engine import Engine
from workers.models.protocol import NO_PARTS, Parts, Sample

from support.lines import line_campaign, line_jobs

BUCKET = "copy/fake/short"


class FakeModel:
    """Echoes job ids; fails on poisoned jobs, and on more jobs than its memory holds."""

    version = "fake"
    device = "cpu"

    def __init__(self, poisoned: Sequence[str] = (), memory_jobs: int = 1000) -> None:
        self._poisoned = set(poisoned)
        self._memory_jobs = memory_jobs
        self.calls: list[int] = []

    def generate(self, jobs: Sequence[Job], attempt: int, _parts: Parts = NO_PARTS, /) -> list[list[Sample]]:
        self.calls.append(len(jobs))
        if len(jobs) > self._memory_jobs:
            raise torch.OutOfMemoryError("too many jobs")
        if self._poisoned & {job.id for job in jobs}:
            raise RuntimeError("a poisoned brief")
        return [[Sample(job.id.encode(), "text/plain", float(attempt), {})] for job in jobs]


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    opened = Ledger(Settings(home=tmp_path))
    yield opened
    opened.close()


def engine_with(ledger: Ledger, tmp_path: Path, model: FakeModel | None) -> Engine:
    settings = Settings(home=tmp_path, batch_size=16, device="cpu", s3_access_key="a", s3_secret_key="b")
    engine = Engine(settings, ledger.leases, Storage(settings), ledger.versions)
    if model:
        engine._models[Kind.COPY, "fake"] = {SHIPPED: model}
    return engine


def some_jobs(count: int) -> list[Job]:
    return list(line_jobs("c1", line_campaign("c1", products=count, variants=1), Path("fake")))


def test_every_job_gets_its_own_result_in_order(ledger: Ledger, tmp_path: Path):
    jobs = some_jobs(5)

    results = engine_with(ledger, tmp_path, FakeModel()).generate(BUCKET, jobs, 1)

    assert [result.samples[0].data.decode() for result in results] == [job.id for job in jobs]


def test_one_bad_job_is_found_and_its_mates_are_made(ledger: Ledger, tmp_path: Path):
    jobs = some_jobs(16)
    model = FakeModel(poisoned=[jobs[11].id])

    results = engine_with(ledger, tmp_path, model).generate(BUCKET, jobs, 1)

    failed = [result for result in results if result.failure]
    assert [result.job.id for result in failed] == [jobs[11].id]
    assert failed[0].failure.code == "model_error"
    assert "a poisoned brief" in failed[0].failure.message
    # Halves of 16, 8, 4 and 2: one bad job costs two more calls for each halving.
    assert model.calls == [16, 8, 8, 4, 2, 2, 1, 1, 4]


def test_out_of_memory_halves_the_batch_and_remembers_it(ledger: Ledger, tmp_path: Path):
    jobs = some_jobs(16)
    engine = engine_with(ledger, tmp_path, FakeModel(memory_jobs=5))

    results = engine.generate(BUCKET, jobs, 1)

    again = engine_with(ledger, tmp_path, None)
    assert [result.samples[0].data.decode() for result in results] == [job.id for job in jobs]
    assert engine.batch_size(BUCKET) == again.batch_size(BUCKET) == 4
    assert engine.batch_size("copy/fake/long") == 16


def test_a_limit_is_tried_anew_after_a_day(ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    engine = engine_with(ledger, tmp_path, FakeModel(memory_jobs=5))
    engine.generate(BUCKET, some_jobs(16), 1)

    monkeypatch.setattr("workers.engine.LIMIT_SECONDS", 0.0)
    again = engine_with(ledger, tmp_path, None)
    engine._limits[BUCKET] = 4, time.monotonic()

    assert engine.batch_size(BUCKET) == again.batch_size(BUCKET) == 16


def test_a_job_too_big_for_the_device_alone_says_so_and_may_fit_another(ledger: Ledger, tmp_path: Path):
    (result,) = engine_with(ledger, tmp_path, FakeModel(memory_jobs=0)).generate(BUCKET, some_jobs(1), 1)

    assert result.failure.code == "out_of_memory"
    assert not result.failure.is_permanent
    assert "smaller model" in result.failure.message


def test_a_model_that_does_not_load_fails_each_job_with_the_way_out(ledger: Ledger, tmp_path: Path):
    engine = engine_with(ledger, tmp_path, None)

    results = engine.generate(f"copy/{tmp_path / 'nowhere'}/short", some_jobs(3), 1)

    assert [result.failure.code for result in results] == ["model_load"] * 3
    assert not any(result.failure.is_permanent for result in results)


def test_device_time_is_shared_by_the_jobs_of_a_batch(ledger: Ledger, tmp_path: Path):
    engine = engine_with(ledger, tmp_path, FakeModel())

    results = engine.generate(BUCKET, some_jobs(4), 1)

    shares = {result.device_seconds for result in results}
    assert len(shares) == 1
    assert sum(result.device_seconds for result in results) <= engine.busy_seconds
    assert engine.busy_since is None
