"""A producer and a ledger with very many jobs: a child process that answers one order with a line of JSON.

It submits a feed of so many products the way `factory submit` does, then claims and finishes batches while the rest
waits. Its memory is that of a producer, since nothing else was imported before the submit.
"""

import csv
import json
import resource
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TypeVar

from benchmarks import work
from benchmarks.filled import NOWHERE, asset_of
from benchmarks.made import quantiles
from core.broker import make_app
from core.ledger import Ledger
from core.settings import Settings
from producer import campaigns
from producer.submit import submit
from schemas.campaigns import Kind

T = TypeVar("T")
CAMPAIGN = """\
name: very-many
brand: {{name: {brand}}}
products: {{file: {feed}}}
audiences:
  - {{id: {audience}, description: {description}}}
deliverables:
  - {{kind: copy, channel: {channel}, variants: 1}}
"""


def main() -> None:
    """Answer one order."""
    order = json.loads(sys.stdin.readline())
    settings = Settings.load()
    source = _write(settings.home, order["jobs"])
    ledger = Ledger(settings)
    print(json.dumps(_submit(source, settings, ledger) | _serve(ledger, settings.batch_size, order["batches"])))
    ledger.close()


def _write(folder: Path, count: int) -> Path:
    """Write a campaign file with a feed beside it; return the file."""
    feed, path = folder / "very-many.csv", folder / "very-many.yaml"
    with feed.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["sku", "name", "description"])
        for number in range(count):
            product = work.product(number)
            writer.writerow([product.sku, product.name, product.description])
    path.write_text(
        CAMPAIGN.format(
            brand=work.BRAND.name,
            feed=feed.name,
            audience=work.AUDIENCE.id,
            description=work.AUDIENCE.description,
            channel=work.CHANNEL,
        ),
        encoding="utf-8",
    )
    return path


def _submit(path: Path, settings: Settings, ledger: Ledger) -> dict[str, object]:
    began_at = time.perf_counter()
    source = campaigns.read(path)
    read_at = time.perf_counter()
    submitted = submit(source, settings, ledger, make_app(settings))
    ended_at = time.perf_counter()
    assert submitted.tickets_rung
    return {
        "jobs": submitted.jobs,
        "read_seconds": round(read_at - began_at, 2),
        "submit_seconds": round(ended_at - read_at, 2),
        "total_seconds": round(ended_at - began_at, 2),
        "producer_peak_mb": round(_peak_bytes() / 1e6, 1),
    }


def _peak_bytes() -> int:
    """Return the most memory that this program held."""
    status = Path("/proc/self/status")
    if status.exists():
        # `getrusage` also counts what the process held that began this one, before it became this program.
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def _serve(ledger: Ledger, batch_size: int, batches: int) -> dict[str, object]:
    """Claim and finish batches, one after the other, from very many waiting jobs."""
    picks, claims, finishes = [], [], []
    for _ in range(batches):
        pick, seconds = _timed(partial(ledger.leases.pick, [Kind.COPY]))
        picks.append(seconds)
        assert pick
        lease, seconds = _timed(partial(ledger.leases.claim, pick.bucket, batch_size, "benchmark"))
        claims.append(seconds)
        assert lease
        made = [asset_of(job, NOWHERE) for job in lease.jobs]
        settled, seconds = _timed(partial(ledger.leases.finish, lease, made))
        finishes.append(seconds)
        assert len(settled.done) == len(lease.jobs)
    return {"pick": quantiles(picks), "claim": quantiles(claims), "finish": quantiles(finishes)}


def _timed(step: Callable[[], T]) -> tuple[T, float]:
    began_at = time.perf_counter()
    return step(), time.perf_counter() - began_at


if __name__ == "__main__":
    main()
