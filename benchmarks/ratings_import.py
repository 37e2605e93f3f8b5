"""How long an import of very many ratings takes, and whether its memory stays flat.

`python -m benchmarks.ratings_import` runs the command itself, on a ledger of its own in a temporary folder, and looks
at its memory all the time. With `--twice` the same file comes again, of which nothing may be recorded. The last line is
one JSON document.
"""

import argparse
import contextlib
import csv
import json
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
from sqlalchemy import func, select

from benchmarks import filled, machine
from benchmarks.processes import environment, running
from core.ledger import Ledger
from core.settings import Settings
from core.tables import IS_CURRENT, ratings

CAMPAIGN = "very-many"
HEADER = ("job_id", "rater", "stars", "approves", "reason", "comment", "at")
LOOK_SECONDS = 0.5


@dataclass
class Run:
    """What one import took: time, memory over time, and what it said."""

    seconds: float = 0.0
    megabytes: list[float] = field(default_factory=list)
    said: str = ""

    def figures(self) -> dict[str, object]:
        """Return it in numbers: memory after each fifth of the time, and the most there was."""
        places = [round((len(self.megabytes) - 1) * part / 5) for part in range(1, 6)]
        return {
            "seconds": round(self.seconds, 1),
            "peak_mb": max(self.megabytes),
            "mb_after_each_fifth": [self.megabytes[place] for place in places],
            **json.loads(self.said),
        }


def main() -> None:
    """Import, import again, count, report."""
    wanted = _wanted()
    about = machine.describe()
    with tempfile.TemporaryDirectory(prefix="factory-import-") as folder:
        settings = Settings(home=Path(folder), ledger_url=f"sqlite:///{folder}/ledger.db")
        settings.home.joinpath("logs").mkdir()
        ledger = Ledger(settings)
        filled.fill(ledger, CAMPAIGN, wanted.assets)
        file = _write(settings.home / "ratings.csv", wanted.ratings, wanted.assets)
        runs = {
            name: _import(file, settings, name).figures()
            for name in (("first", "again") if wanted.twice else ("first",))
        }
        counted, current = _count(ledger, only_current=False), _count(ledger, only_current=True)
        ledger.close()
        report = {
            "ratings": wanted.ratings,
            "assets": wanted.assets,
            "file_mb": round(file.stat().st_size / 1e6, 1),
            "ledger_mb": round(Path(folder, "ledger.db").stat().st_size / 1e6, 1),
            "runs": runs,
            "rows": counted,
            "rows_that_count": current,
            "machine": about,
        }
    _show(report)
    print(json.dumps(report))
    if counted != wanted.ratings:
        sys.exit(f"{wanted.ratings} ratings were imported, {counted} are there")


def _wanted() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--ratings", type=int, default=1_000_000, help="lines of the file")
    parser.add_argument("--assets", type=int, default=20_000, help="what they are about")
    parser.add_argument("--twice", action="store_true", help="import the same file again")
    return parser.parse_args()


def _write(path: Path, count: int, assets: int) -> Path:
    """Write a file of ratings, each of another person or asset, in the order of time as a tool would export it."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(HEADER)
        for number in range(count):
            turn, place = divmod(number, assets)
            job = f"{CAMPAIGN}-{place * 7919 % assets:06d}"
            rejects = number % 5 == 0
            at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(1_700_000_000 + number))
            said = ("", "no", "off-brand", f"Not ours, says {turn}") if rejects else (1 + number % 5, "yes", "", "")
            writer.writerow((job, f"person-{turn}", *said, at))
    return path


def _import(file: Path, settings: Settings, name: str) -> Run:
    """Import the file by the command; raises StateError when that ends in an error."""
    log = settings.home / "logs" / f"{name}.log"
    command = [sys.executable, "-m", "producer", "ratings", "import", str(file), "--json"]
    run, began_at = Run(), time.perf_counter()
    with running(command, environment(settings), log) as importing:
        watched = psutil.Process(importing.process.pid)
        while importing.process.returncode is None:
            run.megabytes.append(round(watched.memory_info().rss / 1e6, 1))
            _wait(importing.process, LOOK_SECONDS)
        run.seconds = time.perf_counter() - began_at
    run.said = log.read_text(encoding="utf-8").strip().splitlines()[-1]
    return run


def _wait(process: "subprocess.Popen[bytes]", seconds: float) -> None:
    """Wait so long, or until the process ends."""
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(seconds)


def _count(ledger: Ledger, *, only_current: bool) -> int:
    query = select(func.count()).select_from(ratings)
    with ledger.database.read() as connection:
        return int(connection.execute(query.where(IS_CURRENT) if only_current else query).scalar_one())


def _show(report: dict[str, Any]) -> None:
    print(f"{'':14}  {'seconds':>8}  {'a second':>8}  {'peak MB':>8}  MB after each fifth of the time")
    for name, run in report["runs"].items():
        pace = report["ratings"] / run["seconds"]
        fifths = ", ".join(f"{one:.0f}" for one in run["mb_after_each_fifth"])
        print(f"{name:14}  {run['seconds']:8.1f}  {pace:8.0f}  {run['peak_mb']:8.1f}  {fifths}")
    print(f"{report['rows']} ratings are in the ledger, {report['rows_that_count']} of them count")


if __name__ == "__main__":
    main()
