"""The figures of pictures, advertisements and music as a table for people."""

from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.media_work import SECONDS

VARIANTS = {
    "bare": "bare model, full batches",
    "finished": "bare model with finishing and checks",
    "factory": "factory",
    "plain": "plain Celery, one task a job",
}
RATIOS = {
    "factory_to_bare": "factory / bare",
    "factory_to_bare_with_finishing": "factory / bare with finishing",
    "factory_to_plain": "factory / plain Celery",
    "cpu_of_finished_to_factory": "CPU time of bare with finishing / factory",
}
TITLES = {"image": "Pictures", "creative": "Advertisements", "music": f"Music, pieces of {SECONDS} seconds"}


def show(console: Console, kinds: dict[str, Any]) -> None:
    """Print a table of each kind."""
    for kind, figures in kinds.items():
        title = f"{TITLES[kind]}: {figures['rounds']} rounds of {figures['jobs_each_round']} jobs"
        table = Table(title=title)
        for column in ("", "median", "least", "most", "CPU ms a job"):
            table.add_column(column, justify="right" if column else "left")
        for name, words in VARIANTS.items():
            if rate := figures["jobs_per_second"].get(name):
                cpu = figures["worker_cpu_ms_per_job"][name]["median"]
                table.add_row(f"{words}, jobs/s", *_cells(rate, 2), f"{cpu:.1f}")
        rows = {words: figures["ratios"].get(name) for name, words in RATIOS.items()}
        rows |= {"fill of batches": figures["batch_fill"], "share of the time the model ran": figures["device_busy"]}
        for words, values in rows.items():
            if values:
                table.add_row(words, *_cells(values, 3), "")
        console.print(table)
        console.print(f"the factory accepted {figures['done']} jobs and gave up {figures['failed']}")


def _cells(values: dict[str, float], digits: int) -> list[str]:
    return [f"{values[key]:.{digits}f}" for key in ("median", "min", "max")]
