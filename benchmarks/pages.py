"""Fifty people rate at once: how long pages take, and whether a rating is lost or counted twice.

`python -m benchmarks.pages` starts broker, store, feedback worker and API as `factory up` does, once on SQLite and once
on PostgreSQL, in a temporary folder. The last line is one JSON document; the exit code is 1 for an error or a rating
that is not there exactly once.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

from sqlalchemy import select

from benchmarks import filled, machine, servers
from benchmarks.made import quantiles
from benchmarks.processes import Worker, celery_worker, environment, running
from benchmarks.visits import STEPS, Heard, Visit
from core.broker import FEEDBACK_QUEUE, make_app
from core.ledger import Ledger
from core.settings import Settings
from core.tables import ratings
from deploy.ports import LOOPBACK, free_port
from schemas.access import DEFAULT_TENANT, Role

CAMPAIGN = "rated"
FIRST_PORT = 15580
START_SECONDS = 60.0
# After the last rating was sent: the feedback worker has a queue before it.
RECORD_SECONDS = 120.0
FEEDBACK = ("workers.app", "-Q", FEEDBACK_QUEUE, "--pool=threads", "-c", "3")


def main() -> None:
    """Measure on each database, report, and fail for what must not be."""
    wanted = _wanted()
    about = machine.describe()
    found = {}
    with tempfile.TemporaryDirectory(prefix="factory-pages-") as folder:
        for name, settings in _databases(Path(folder)):
            found[name] = _measure(settings, wanted)
            _show(name, found[name])
    print(json.dumps(vars(wanted) | {"ledgers": found, "machine": about}))
    if any(one["errors"] or one["lost"] or one["doubled"] for one in found.values()):
        sys.exit(1)


def _wanted() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--people", type=int, default=50, help="how many rate at once")
    parser.add_argument("--seconds", type=float, default=60.0, help="for how long")
    parser.add_argument("--think", type=float, default=3.0, help="seconds from seeing an asset to saying something")
    parser.add_argument("--assets", type=int, default=2000, help="lines in the campaign")
    return parser.parse_args()


def _databases(folder: Path) -> Iterator[tuple[str, Settings]]:
    """Yield the databases with all servers running; PostgreSQL where it is installed."""
    for name in ("sqlite", "postgresql"):
        home = folder / name
        home.mkdir()
        with servers.embedded(home) as settings:
            if name == "sqlite":
                yield name, settings
                continue
            # Its data lies beside a folder that the account it runs as can reach.
            with servers.postgres(folder) as url:
                if url is not None:
                    yield name, settings.model_copy(update={"ledger_url": url})


def _measure(settings: Settings, wanted: argparse.Namespace) -> dict[str, Any]:
    ledger = Ledger(settings)
    try:
        filled.fill(ledger, CAMPAIGN, wanted.assets)
        keys = [_key(ledger, number) for number in range(wanted.people)]
        with _serving(settings) as (port, processes):
            before = [process.cpu_seconds for process in processes]
            heard, seconds = _visited(port, keys, wanted)
            cpu = [process.cpu_seconds - used for process, used in zip(processes, before, strict=True)]
            recorded_after = _wait_for_inbox(ledger, processes[1])
        return {
            **_figures(heard, seconds),
            **counted(ledger, heard),
            "recorded_after_seconds": round(recorded_after, 2),
            "cpu_share": {"api": round(cpu[0] / seconds, 2), "feedback": round(cpu[1] / seconds, 2)},
        }
    finally:
        ledger.close()


def _key(ledger: Ledger, number: int) -> str:
    _, key = ledger.keys.create(f"rater-{number:02d}", DEFAULT_TENANT, Role.RATER, "benchmark")
    return key


@contextmanager
def _serving(settings: Settings) -> Iterator[tuple[int, tuple[Worker, Worker]]]:
    """Run API and feedback worker as `factory up` does."""
    port = free_port(FIRST_PORT)
    command = [sys.executable, "-m", "producer", "api", f"--host={LOOPBACK}", f"--port={port}"]
    with ExitStack() as stack:
        log = settings.home / "logs" / "api.log"
        api = stack.enter_context(running(command, environment(settings), log))
        feedback = stack.enter_context(celery_worker(FEEDBACK, settings, "feedback"))
        api.wait_for(lambda: _is_ready(port), START_SECONDS, "the API")
        control = make_app(settings).control
        feedback.wait_for(lambda: bool(control.ping(timeout=1)), START_SECONDS, "the feedback worker")
        yield port, (api, feedback)


def _is_ready(port: int) -> bool:
    connection = HTTPConnection(LOOPBACK, port, timeout=5)
    try:
        connection.request("GET", "/health")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def _visited(port: int, keys: Sequence[str], wanted: argparse.Namespace) -> tuple[list[Heard], float]:
    began_at = time.monotonic()
    ends_at = began_at + wanted.seconds
    visits = [Visit(port, CAMPAIGN, key, ends_at, wanted.think, seed) for seed, key in enumerate(keys)]
    for visit in visits:
        visit.start()
    for visit in visits:
        visit.join()
    return [visit.heard for visit in visits], time.monotonic() - began_at


def _wait_for_inbox(ledger: Ledger, feedback: Worker) -> float:
    """Wait until all that was sent is recorded; return how long that took."""
    began_at = time.monotonic()
    feedback.wait_for(lambda: not ledger.intake.expected(), RECORD_SECONDS, "recording what was sent")
    return time.monotonic() - began_at


def _figures(heard: Sequence[Heard], seconds: float) -> dict[str, Any]:
    times = {step: [one for person in heard for one in person.seconds[step]] for step in STEPS}
    errors = [error for person in heard for error in person.errors]
    return {
        "calls": sum(map(len, times.values())),
        "calls_per_second": round(sum(map(len, times.values())) / seconds, 1),
        "times": {step: {"calls": len(some), **quantiles(some)} for step, some in times.items() if some},
        "errors": len(errors),
        "first_errors": sorted(set(errors))[:5],
    }


def counted(ledger: Ledger, heard: Sequence[Heard]) -> dict[str, int]:
    """Hold what people were told against what the ledger has."""
    told = [one for person in heard for one in person.acknowledged]
    with ledger.database.read() as connection:
        rows = connection.execute(select(ratings.c.message_id, ratings.c.rater, ratings.c.job_id)).all()
    kept = [row.message_id for row in rows]
    return {
        "ratings": len(rows),
        "acknowledged": len(told),
        "lost": len(set(told) - set(kept)),
        # Nobody is shown again what they have rated, so each person rates an asset once.
        "doubled": len(rows) - len({(row.rater, row.job_id) for row in rows}),
        # Recorded, but their answer was an error.
        "untold": len(set(kept) - set(told)),
    }


def _show(name: str, found: dict[str, Any]) -> None:
    print(f"{name:12}  {'calls':>6}  {'p50 ms':>8}  {'p95 ms':>8}  {'p99 ms':>8}")
    for step, one in found["times"].items():
        print(f"{step:12}  {one['calls']:6}  {one['p50_ms']:8.0f}  {one['p95_ms']:8.0f}  {one['p99_ms']:8.0f}")
    print(
        f"{found['calls_per_second']} calls a second, {found['errors']} errors; {found['ratings']} ratings, "
        f"{found['lost']} lost, {found['doubled']} doubled; CPU {found['cpu_share']}"
    )
    for error in found["first_errors"]:
        print(f"  {error}")


if __name__ == "__main__":
    main()
