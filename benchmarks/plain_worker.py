"""The worker of plain Celery, as many people begin: one task a job, the model loaded here, the result put to S3.

`celery -A benchmarks.plain_worker worker`. Tasks leave lines in a file, which is how the parent counts.
"""

import json
import time
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING

from benchmarks.plain import DONE_FILE, GENERATE, NOTHING, make_app
from core.settings import Settings
from core.storage import Storage
from schemas.campaigns import Kind
from schemas.jobs import Job

if TYPE_CHECKING:
    from workers.finishing.protocol import Finisher
    from workers.models.protocol import Model

settings = Settings.load()
done_file = settings.home / DONE_FILE


app = make_app(settings)


@cache
def _model(kind: Kind) -> "Model":
    from benchmarks.models import load  # noqa: PLC0415 - the first task pays for it

    return load(kind, settings)


@cache
def _storage() -> Storage:
    return Storage(settings)


@cache
def _finishers() -> "Mapping[Kind, Finisher]":
    from workers.finishing import finishers  # noqa: PLC0415 - as above

    return finishers(settings)


@app.task(name=GENERATE)
def generate(text: str) -> None:
    """Make one job and store its best candidate, finished as the factory's are, with its companions."""
    job = Job.model_validate_json(text)
    model, finisher, storage, began_at = _model(job.kind), _finishers()[job.kind], _storage(), time.time()
    [samples] = model.generate([job], 1)
    finished = finisher.finish(job, samples[0], model.version)
    storage.put(f"plain/{job.id}", finished.data, finished.content_type)
    for file in finished.companions:
        storage.put(f"plain/{job.id}.{file.ending}", file.data, file.content_type)
    _note(job.id, began_at)


@app.task(name=NOTHING)
def nothing(job_id: str, *, is_last: bool) -> None:
    """Do nothing: what remains is what a message costs."""
    if is_last:
        _note(job_id, time.time())


def _note(job_id: str, began_at: float) -> None:
    with done_file.open("a", encoding="utf-8") as file:
        file.write(json.dumps({"job": job_id, "began_at": began_at, "ended_at": time.time()}) + "\n")
