"""The bare model: full batches in a loop, no queue, no S3. A child process that answers orders with lines of JSON.

Every order names a number of jobs and whether their results are checked and chosen as in a worker. Each batch is told
with a line, so that the parent can upload as much beside it as a worker would; the last line says how long it all took.
"""

import itertools
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks import work
from core.errors import FactoryError
from core.ledger import Ledger
from core.settings import Settings
from schemas.jobs import Job
from workers.choose import Chooser
from workers.finishing import finishers
from workers.models import copy
from workers.models.copy import CopyModel


def main() -> None:
    """Build the model where it is not there, load it, and answer orders until the input ends."""
    try:
        _serve(Settings.load())
    except FactoryError as error:
        _say(error=str(error))


def _serve(settings: Settings) -> None:
    if settings.copy_model != work.STARTER and not Path(settings.copy_model).exists():
        work.build_random_model(Path(settings.copy_model))
    cache = settings.home.absolute() / "models"
    model = copy.load(
        settings.copy_model, settings.copy_adapter, settings.device, settings.dtype, cache, settings.threads
    )
    _say(version=model.version, device=model.device)
    # Empty and never written to: the checks ask it which texts exist already, as they do in a worker.
    ledger = Ledger(settings.model_copy(update={"ledger_url": f"sqlite:///{settings.home.absolute() / 'bare.db'}"}))
    for line in sys.stdin:
        order = json.loads(line)
        planned = work.jobs(order["campaign"], order["jobs"], settings.copy_model, settings.copy_adapter)
        chooser = Chooser(ledger.assets, finishers(settings)) if order["checked"] else None
        _run(model, list(planned), settings.batch_size, chooser)


def _run(model: CopyModel, planned: Sequence[Job], batch_size: int, chooser: Chooser | None) -> None:
    jobs, accepted, batches = iter(planned), 0, 0
    started, cpu_started = time.perf_counter(), time.process_time()
    while batch := list(itertools.islice(jobs, batch_size)):
        made = model.generate(batch, 1)
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
