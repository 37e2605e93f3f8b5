"""The figures as tables for people."""

from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks import media_report

VARIANTS = {
    "bare": "bare model, full batches",
    "checked": "bare model with checks and choice",
    "beside": "bare model beside the uploads",
    "factory": "factory",
    "plain": "plain Celery, one task a job",
}
RATIOS = {
    "factory_to_bare": "factory / bare",
    "factory_to_bare_with_checks": "factory / bare with checks",
    "factory_to_bare_beside_uploads": "factory / bare beside uploads",
    "factory_to_plain": "factory / plain Celery",
    "cpu_of_bare_to_factory": "CPU time of bare / CPU time of factory",
}
COSTS = {
    "ledger_alone": "ledger and tickets alone",
    "published": "and texts and manifests to S3",
    "whole": "and checks, choice and events: all of it",
    "plain_message": "plain Celery: one empty message",
}


def show(console: Console, figures: dict[str, Any]) -> None:
    """Print every table."""
    machine = figures["machine"]
    console.print(f"{machine['cpu']}, {machine['cores']} cores, load before {machine['load_before']}")
    console.print(f"{figures['model']}, {figures['threads']} CPU threads, batches of {figures['batch_size']}")
    _show_rates(console, figures["rounds"])
    _show_ratios(console, figures["rounds"])
    media_report.show(console, figures["media"])
    _show_costs(console, figures["overhead"])
    _show_ledgers(console, figures["ledgers"])


def _show_rates(console: Console, rounds: dict[str, Any]) -> None:
    table = Table(title=f"Throughput: {rounds['rounds']} rounds of {rounds['jobs_each_round']:.0f} jobs")
    for column in ("variant", "jobs/s", "least", "most", "CPU ms a job"):
        table.add_column(column, justify="left" if column == "variant" else "right")
    for name, title in VARIANTS.items():
        rate = rounds["jobs_per_second"][name]
        cpu = rounds["worker_cpu_ms_per_job"].get(name)
        cells = [f"{rate[key]:.2f}" for key in ("median", "min", "max")]
        table.add_row(title, *cells, f"{cpu['median']:.1f}" if cpu else "")
    console.print(table)


def _show_ratios(console: Console, rounds: dict[str, Any]) -> None:
    table = Table(title="Ratios of a round")
    for column in ("ratio", "median", "least", "most"):
        table.add_column(column, justify="left" if column == "ratio" else "right")
    rows = {title: rounds["ratios"][name] for name, title in RATIOS.items()}
    rows["share of the time the device computed"] = rounds["factory"]["device_busy"]
    rows["device time a job / bare"] = rounds["factory"]["device_seconds_to_bare"]
    rows["fill of batches"] = rounds["factory"]["batch_fill"]
    for title, values in rows.items():
        table.add_row(title, *(f"{values[key]:.3f}" for key in ("median", "min", "max")))
    console.print(table)
    factory = rounds["factory"]
    console.print(f"the factory accepted {factory['done']} jobs and gave up {factory['failed']}")


def _show_costs(console: Console, overhead: dict[str, Any]) -> None:
    table = Table(title=f"Cost of a job without a model ({overhead['jobs']} jobs each)")
    for column in ("part", "CPU ms a job", "jobs/s"):
        table.add_column(column, justify="left" if column == "part" else "right")
    for name, title in COSTS.items():
        cost = overhead[name]
        rate = cost.get("jobs_per_second")
        table.add_row(title, f"{cost['cpu_ms']:.3f}", f"{rate:.0f}" if rate else "")
    console.print(table)
    latency = overhead["latency"]
    console.print(f"one job on an idle worker: p50 {latency['p50_ms']:.0f} ms, p95 {latency['p95_ms']:.0f} ms")


def _show_ledgers(console: Console, ledgers: dict[str, Any]) -> None:
    table = Table(title="A campaign of very many jobs")
    for column in ("ledger", "jobs", "submit s", "MB", "pick ms", "claim ms", "finish ms"):
        table.add_column(column, justify="left" if column == "ledger" else "right")
    for name, found in ledgers.items():
        times = [f"{found[step]['p50_ms']:.1f}/{found[step]['p95_ms']:.1f}" for step in ("pick", "claim", "finish")]
        counts = (str(found["jobs"]), f"{found['total_seconds']:.1f}", f"{found['producer_peak_mb']:.0f}")
        table.add_row(name, *counts, *times)
    console.print(table)
    console.print(
        "MB: peak memory of the producer; pick, claim, finish: median/95th percentile of a batch while all others wait",
        soft_wrap=True,
    )
