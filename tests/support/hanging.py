"""The factory's own worker with a real model, on a device that never returns from a batch with one product."""

import threading
from collections.abc import Sequence

from schemas.jobs import Job
from schemas.versions import SHIPPED
from workers.models.protocol import NO_PARTS, Model, Parts, Sample

# The job that hangs stands in the first batch.
HANGING = 1
HANGING_SKU = f"NB-{HANGING:04d}"


class HangingModel:
    """A real model, and a device that hangs with one product."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self.version, self.device = model.version, model.device

    def generate(self, jobs: Sequence[Job], attempt: int, _parts: Parts = NO_PARTS, /) -> list[list[Sample]]:
        if any(job.brief.product.sku == HANGING_SKU for job in jobs):
            threading.Event().wait()
        return self._model.generate(jobs, attempt)


def run_worker(name: str) -> None:
    """Run the worker of this process's settings, its model wrapped."""
    from workers import generate  # noqa: PLC0415 - loads torch
    from workers.app import app  # noqa: PLC0415 - reads the environment

    class HangingEngine(generate.Engine):
        def model_of(self, bucket: str, version: str = SHIPPED) -> Model:
            return HangingModel(super().model_of(bucket, version))

    generate.Engine = HangingEngine
    app.worker_main(["worker", "-n", f"{name}@%h", "--without-gossip", "--without-mingle"])
