"""The bare model: full batches in a loop, no queue, no S3. A child process that answers orders with lines of JSON.

Every order names a kind, a number of jobs and whether their results are checked and chosen as in a worker. Each batch
is told with a line, so that the parent can upload as much beside it as a worker would; the last line says how long it
all took.
"""

import itertools
import json
import sys
import time
from collections.abc import Sequence

from benchmarks import media_work
from benchmarks.models import load
from core.errors import FactoryError
from core.ledger import Ledger
from core.settings import Settings
from schemas.campaigns import Kind
from schemas.jobs import Job
from workers.choose import Chooser
from workers.finishing import finishers
from workers.models.protocol import Model


def main() -> None:
    """Build the model where it is not there, load it, and answer orders until the input ends."""
    try:
        _serve(Settings.load())
    except FactoryError as error:
        _say(error=str(error))


def _serve(settings: Settings) -> None:
    models = {Kind.COPY: load(Kind.COPY, settings)}
    _say(version=models[Kind.COPY].version, device=models[Kind.COPY].device)
    # Empty and never written to: the checks ask it which texts exist already, as they do in a worker.
    ledger = Ledger(settings.model_copy(update={"ledger_url": f"sqlite:///{settings.home.absolute() / 'bare.db'}"}))
    for line in sys.stdin:
        order = json.loads(line)
        kind = Kind(order["kind"])
        if kind not in models:
            models[kind] = load(kind, settings)
        planned = media_work.jobs(kind, order["campaign"], order["jobs"], settings)
        chooser = Chooser(ledger.assets, finishers(settings)) if order["checked"] else None
        _run(models[kind], list(planned), settings.batch_size, chooser)


def _run(model: Model, planned: Sequence[Job], batch_size: int, chooser: Chooser | None) -> None:
    jobs, accepted, batches, shared = iter(planned), 0, 0, media_work.parts()
    started, cpu_started = time.perf_counter(), time.process_time()
    while batch := list(itertools.islice(jobs, batch_size)):
        made = model.generate(batch, 1, {job.id: shared for job in batch if job.inputs})
        if chooser:
            chosen, _ = chooser.choose(list(zip(batch, made, strict=True)), model.version)
            accepted += len(chosen)
        batches += 1
        _say(batch=batches)
    seconds, cpu_seconds = time.perf_counter() - started, time.process_time() - cpu_started
    _say(jobs=len(planned), accepted=accepted, seconds=seconds, cpu_seconds=cpu_seconds)


def _say(**values: object) -> None:
    print(json.dumps(values), flush=True)


if __name__ == "__main__":
    main()
