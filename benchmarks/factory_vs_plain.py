"""Measure the factory against the bare model and plain Celery, on real servers of its own; see benchmarks/README.md."""

import argparse
import json
import os
import signal
import sys
import tempfile
import time
from contextlib import ExitStack, closing
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

from rich.console import Console

from benchmarks import factory, machine, overhead, plain, report, work
from benchmarks.factory import Factory
from benchmarks.media_rounds import MediaRounds
from benchmarks.overhead import Overhead
from benchmarks.plain import Plain
from benchmarks.processes import answering, celery_worker
from benchmarks.rounds import Rounds
from benchmarks.servers import embedded, postgres
from core.errors import FactoryError
from core.settings import Settings

ROUNDS = 3
ROUND_JOBS, QUICK_ROUND_JOBS = 96, 32
MEDIA_ROUNDS = 2
MEDIA_BATCHES, QUICK_MEDIA_BATCHES = 2, 1
NOOP_JOBS, QUICK_NOOP_JOBS = 3200, 480
LEDGER_JOBS, QUICK_LEDGER_JOBS = 100_000, 5000
LEDGER_BATCHES, QUICK_LEDGER_BATCHES = 200, 50
LATENCY_JOBS = 20
INTERRUPTED = 130


def main() -> None:
    """Run everything; the last line printed is one JSON document with all figures."""
    arguments = _arguments()
    signal.signal(signal.SIGTERM, _end)
    errors = Console(stderr=True, highlight=False)
    began_at = time.monotonic()

    def tell(text: str) -> None:
        errors.print(f"{time.monotonic() - began_at:5.0f} s  {text}", soft_wrap=True)

    try:
        figures = _measure(arguments, tell)
    except FactoryError as error:
        errors.print(f"error: {error}", markup=False, soft_wrap=True)
        sys.exit(1)
    except KeyboardInterrupt:
        tell("interrupted; everything is stopped")
        sys.exit(INTERRUPTED)
    figures["seconds"] = round(time.monotonic() - began_at, 1)
    if not arguments.json:
        report.show(Console(highlight=False), figures)
    print(json.dumps(figures))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="factory bench", description=__doc__)
    parser.add_argument("--jobs", type=int, metavar="N", help=f"jobs of the factory in each round ({ROUND_JOBS})")
    parser.add_argument(
        "--model",
        default="random",
        metavar="MODEL",
        help="`random`: 22 million random weights; `starter`: the real one with the house adapter; or a model folder",
    )
    parser.add_argument(
        "--quick", action="store_true", help="fewer jobs, one round, no PostgreSQL: a minute on an idle machine"
    )
    parser.add_argument("--json", action="store_true", help="print the JSON document only")
    arguments = parser.parse_args()
    if arguments.jobs is not None and arguments.jobs < 1:
        parser.error("--jobs: at least 1")
    if arguments.model not in {"random", work.STARTER} and not Path(arguments.model).is_dir():
        parser.error(f"--model: there is no folder {arguments.model}")
    return arguments


def _measure(arguments: argparse.Namespace, tell: Any) -> dict[str, Any]:
    about = machine.describe()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="factory-bench-")))
        tell("starting servers and workers")
        settings = _with_model(stack.enter_context(embedded(folder)), arguments.model)
        figures: dict[str, Any] = {
            "benchmark": "factory_vs_plain",
            "machine": about,
            "batch_size": settings.batch_size,
            "threads": settings.threads,
            "quick": arguments.quick,
        }
        figures |= _compare(stack, settings, arguments, tell)
        tell("submitting very many jobs")
        figures["ledgers"] = _ledgers(settings, folder, quick=arguments.quick)
    return figures


def _with_model(settings: Settings, model: str) -> Settings:
    """Return settings that name the model, with as many threads as leave one core to everything else."""
    threads = settings.threads or max(1, len(os.sched_getaffinity(0)) - 1)
    if model == work.STARTER:
        # Converted once, and kept where `factory up` keeps it.
        cache = Settings.load().home.absolute() / "models"
        cache.mkdir(parents=True, exist_ok=True)
        (settings.home / "models").symlink_to(cache)
        named: dict[str, str | None] = {"copy_model": work.STARTER, "copy_adapter": "house"}
    else:
        folder = settings.home / "random-22m" if model == "random" else Path(model).resolve()
        named = {"copy_model": str(folder), "copy_adapter": None}
    pictures = {"image_model": str(settings.home / "random-pictures"), "image_adapter": None}
    # All variants write the same lines.
    return settings.model_copy(update={**named, **pictures, "threads": threads, "copy_own_words": "off"})


def _compare(stack: ExitStack, settings: Settings, arguments: argparse.Namespace, tell: Any) -> dict[str, Any]:
    """Start every variant, run the rounds, then measure what is left when the model does nothing."""
    url = settings.broker_url.get_secret_value().removesuffix("/0") + "/1"
    noop_settings = settings.model_copy(
        update={"ledger_url": f"sqlite:///{settings.home / 'noop.db'}", "broker_url": type(settings.broker_url)(url)}
    )
    bare = stack.enter_context(answering("benchmarks.bare", settings))
    worker = stack.enter_context(celery_worker(factory.COMMAND, settings, "copy"))
    plain_worker = stack.enter_context(celery_worker(plain.COMMAND, settings, "plain"))
    noop_worker = stack.enter_context(celery_worker(overhead.COMMAND, noop_settings, "noop"))
    ours = stack.enter_context(closing(Factory(settings, worker)))
    costs = stack.enter_context(closing(Overhead(noop_settings, noop_worker)))
    media_worker = stack.enter_context(celery_worker(factory.MEDIA_COMMAND, settings, "media"))
    media_factory = stack.enter_context(closing(Factory(settings, media_worker)))
    theirs = Plain(settings, plain_worker)
    rounds = Rounds(settings, bare, theirs, ours, tell)
    tell("loading the models")
    costs.begin()
    version = rounds.warm()
    costs.warm()
    for number in range(1, 2 if arguments.quick else ROUNDS + 1):
        rounds.run(number, arguments.jobs or (QUICK_ROUND_JOBS if arguments.quick else ROUND_JOBS))
    media = MediaRounds(settings, bare, theirs, media_factory, tell)
    media.warm()
    for number in range(1, 2 if arguments.quick else MEDIA_ROUNDS + 1):
        media.run(number, QUICK_MEDIA_BATCHES if arguments.quick else MEDIA_BATCHES)
    tell("measuring jobs without a model")
    jobs = QUICK_NOOP_JOBS if arguments.quick else NOOP_JOBS
    parts = {name: costs.measure(name, jobs) for name in overhead.TASKS}
    message = {"cpu_ms": round(theirs.message_cpu_ms(jobs // 4), 4)}
    latency = costs.latency(LATENCY_JOBS)
    return {
        "model": version,
        "rounds": rounds.figures(),
        "media": media.figures(),
        "overhead": {"jobs": jobs, **parts, "plain_message": message, "latency": latency},
    }


def _ledgers(settings: Settings, folder: Path, *, quick: bool) -> dict[str, Any]:
    """Submit a large feed to each kind of ledger, and claim from it."""
    order = {
        "jobs": QUICK_LEDGER_JOBS if quick else LEDGER_JOBS,
        "batches": QUICK_LEDGER_BATCHES if quick else LEDGER_BATCHES,
    }
    found = {"SQLite": _ledger(settings, f"sqlite:///{folder / 'many.db'}", order)}
    if not quick:
        with postgres(folder) as url:
            if url:
                found["PostgreSQL"] = _ledger(settings, url, order)
    return found


def _ledger(settings: Settings, url: str, order: dict[str, int]) -> dict[str, Any]:
    # A broker database of its own: nobody answers these tickets.
    broker = settings.broker_url.get_secret_value().removesuffix("/0") + "/2"
    changes = {"ledger_url": url, "broker_url": type(settings.broker_url)(broker)}
    with answering("benchmarks.ledger", settings.model_copy(update=changes)) as child:
        child.order(**order)
        return child.answer()


def _end(_signal: int, _frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt


if __name__ == "__main__":
    main()
