"""Does a taste that people share reach the lines, and does nothing else? `python -m benchmarks.learning`.

Simulated people rate lines by a hidden taste, at random, against each other or to do harm. A tiny model learns from
each crowd many times over; with `--walk` it learns from more and more ratings until a version passes, and with
`--starter` the starter does. The taste itself then judges lines that champion and challenger write for products that
neither learnt from.
"""

import argparse
import json
import random
import re
import shutil
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.raters import CROWDS, Rated, Taste, heard_from
from benchmarks.tiny_writer import LINES, THINGS, build_writer, jobs_of
from benchmarks.walks import PASSED, numbers, show, walk
from producer.loop.people import Length, LengthTaste
from schemas.buckets import model_name
from schemas.campaigns import Audience, Brand, Kind, Product
from schemas.jobs import Brief, Job
from schemas.learning import Curriculum, curriculum
from schemas.styles import Style
from schemas.versions import Verdict
from workers.learning import gate, snapshot
from workers.learning.guardrails import fresh_jobs
from workers.learning.materials import lessons_of, plain
from workers.learning.pairs import Pair, pairs_of, what_is_missing

JUDGED = Path(__file__).parents[1] / "workers/models/house/judgements.jsonl"
LIKED = THINGS[::2]
TINY_PRODUCTS, TINY_LINES = 40, 6
COLUMNS = (
    *("runs", "ratings", "too_little", "passed", "weaker", "harm", "wins"),
    *("champion_agrees", "challenger_agrees", "highest_bound", "cpu_minutes"),
)


@dataclass(frozen=True)
class Run:
    """What one training came to."""

    crowd: str
    seed: int
    ratings: int
    outcome: str
    # How often the taste prefers the challenger's line to the champion's, ties half; nothing without a challenger.
    win_rate: float | None
    champion_agrees: float
    challenger_agrees: float
    bound: float
    minutes: float
    cpu_minutes: float
    lost: tuple[str, ...] = ()
    strength: float = 1.0

    @property
    def is_harm(self) -> bool:
        """Tell whether a version passed whose lines the taste likes less."""
        return self.outcome == PASSED and (self.win_rate or 0.0) < 0.5

    @property
    def figures(self) -> dict[str, Any]:
        """Return it as a step of a walk."""
        rounded = {name: round(value, 3) if isinstance(value, float) else value for name, value in vars(self).items()}
        wins = rounded.pop("win_rate")
        return {**rounded, "wins": wins, "lost": list(self.lost)}


@dataclass(frozen=True)
class World:
    """A model, lines that people rate, their hidden taste, and rules."""

    model: str
    cache: Path
    lines: Sequence[Rated]
    taste: Taste
    # How much the taste likes a line, to compare two.
    score: Any
    rules: Curriculum
    dtype: str
    threads: int

    def with_rules(self, rules: Curriculum) -> "World":
        """Return the same world under other rules."""
        return replace(self, rules=rules)


def learn(world: World, crowd: str, seed: int, folder: Path, each: int = 2) -> Run:
    """Have a crowd rate, train and judge."""
    from workers.models.tuning.copy import CopyTuner  # noqa: PLC0415 - loads torch
    from workers.models.tuning.protocol import Place  # noqa: PLC0415 - loads torch

    started, cpu, rules, people = time.monotonic(), time.process_time(), world.rules, CROWDS[crowd]
    heard = heard_from(world.lines, people, world.taste, seed, each)
    taken = snapshot.take(heard, Kind.COPY, world.model, rules, people.referee_people)
    training, held_out = (pairs_of(taken, rules.snapshot, held_out=side) for side in (False, True))
    opinions = sum(one.weight > 0 for one in taken.opinions)
    if what_is_missing(training, held_out, opinions, rules.needs):
        return Run(crowd, seed, len(heard.ratings), "too little", None, 0.0, 0.0, -1.0, 0.0, 0.0)
    recipe = rules.recipes[Kind.COPY].model_copy(update={"seed": seed})
    tuner = CopyTuner(world.model, world.cache, recipe, Place("cpu", world.dtype, world.threads))
    shutil.rmtree(folder, ignore_errors=True)
    tuner.tune(None, lessons_of(training, plain(training)), folder, lambda *_: None)
    trial = gate.Trial(held_out, plain(held_out), rules.gate)
    theirs = gate.look(tuner.contestant(None), trial)
    looks: dict[float, gate.Seen] = {}

    def held_against(strength: float) -> Verdict:
        looks[strength] = gate.look(tuner.contestant(tuner.weakened(folder, strength)), trial)
        return gate.verdict(trial, looks[strength], theirs, theirs.neutral, strength)

    found = gate.strongest(held_against, rules.gate.strengths)
    mine = looks[found.strength]
    return Run(
        crowd,
        seed,
        len(heard.ratings),
        PASSED if found.is_passed else "refused",
        win_rate(world, held_out, mine.fresh.made, theirs.fresh.made),
        found.champion_agrees,
        found.challenger_agrees,
        found.bound,
        (time.monotonic() - started) / 60,
        (time.process_time() - cpu) / 60,
        tuple(one.name for one in found.guardrails if not one.is_kept),
        found.strength,
    )


def win_rate(world: World, pairs: Sequence[Pair], mine: dict[str, str], theirs: dict[str, str]) -> float:
    """Return how often the hidden taste likes the challenger's line better, of jobs for which both wrote one."""
    jobs = {job.id: job for job in fresh_jobs(pairs, world.rules.gate.most_briefs)}
    scores = [
        (world.score(mine[job_id], jobs[job_id]), world.score(theirs[job_id], jobs[job_id]))
        for job_id in sorted(mine.keys() & theirs.keys())
    ]
    return sum(0.5 if a == b else float(a > b) for a, b in scores) / max(len(scores), 1)


def tiny_world(folder: Path, products: int = TINY_PRODUCTS) -> World:
    """Return a world of two-word lines, where people like half of the last words."""
    model = folder / "writer"
    if not model.exists():
        build_writer(model)
    dice = random.Random(1)
    lines = [Rated(job, dice.choice(LINES)) for job in jobs_of(products, TINY_LINES, model)]
    rules = curriculum()
    needs = rules.needs.model_copy(update={"opinions": 40, "pairs": 20, "held_out_pairs": 8, "held_out_products": 4})
    recipe = rules.recipes[Kind.COPY].model_copy(update={"learning_rate": 5e-3, "epochs": 4, "imitation": 1.0})
    # Of the few lines of such a world, word pairs come again by chance, and a tiny model slips.
    loose = {"distinct_loss": 0.4, "pass_rate_loss": 0.3, "slowdown": 3.0}
    gate_rules = rules.gate.model_copy(update={"most_briefs": 8, "resamples": 4000, **loose})
    rules = rules.model_copy(update={"needs": needs, "recipes": {Kind.COPY: recipe}, "gate": gate_rules})

    def likes(text: str, _job: Job) -> bool:
        return text.endswith(LIKED)

    return World(str(model), folder, lines, likes, likes, rules, "float32", 1)


def starter_world(cache: Path, count: int, threads: int) -> World:
    """Return the starter, lines that it wrote once, and people who like lines that are short for their channel."""
    rows = [json.loads(line) for line in JUDGED.read_text(encoding="utf-8").splitlines()]
    products: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        products[row["brand"], row["product"]].append(row)
    taste = LengthTaste.of(Length.SHORT, ((row["channel"], row["text"]) for row in rows))
    chosen: list[dict[str, Any]] = []
    for _, some in sorted(products.items()):
        if len(chosen) < count:
            chosen += some
    lines = [_rated(number, row) for number, row in enumerate(chosen[:count])]

    def likes(text: str, job: Job) -> bool:
        return taste.likes(job.brief.channel, text)

    def score(text: str, _job: Job) -> float:
        return -float(len(text))

    return World(model_name("starter", "house"), cache, lines, likes, score, curriculum(), "auto", threads)


def _rated(number: int, row: dict[str, Any]) -> Rated:
    brief = Brief(
        brand=Brand(name=row["brand"], voice=row["voice"]),
        product=Product(
            sku=re.sub(r"[^A-Za-z0-9]+", "-", row["product"]).strip("-"),
            name=row["product"],
            description=row["about"],
            price=row["price"],
            offer=row["offer"],
        ),
        audience=Audience(id="a", description=row["audience"]),
        channel=row["channel"],
        style=Style(row["style"]),
    )
    job = Job(
        id=f"judged-{number:06d}",
        campaign_id="judged",
        kind=Kind.COPY,
        bucket="copy/starter+house/any",
        brief=brief,
        variant=0,
        seed=number,
    )
    return Rated(job, row["text"])


def report(console: Console, runs: Sequence[Run]) -> dict[str, Any]:
    """Print a row for each crowd; return the figures."""
    table = Table("crowd", *COLUMNS)
    figures: dict[str, Any] = {}
    by_crowd: dict[str, list[Run]] = defaultdict(list)
    for run in runs:
        by_crowd[run.crowd].append(run)
    for crowd, some in by_crowd.items():
        judged = [run for run in some if run.win_rate is not None]
        one = {
            "runs": len(some),
            "ratings": some[0].ratings,
            "too_little": len(some) - len(judged),
            "passed": sum(run.outcome == PASSED for run in some),
            "weaker": sum(run.outcome == PASSED and run.strength != 1 for run in some),
            "harm": sum(run.is_harm for run in some),
            "wins": _mean([run.win_rate or 0.0 for run in judged]),
            "champion_agrees": _mean([run.champion_agrees for run in judged]),
            "challenger_agrees": _mean([run.challenger_agrees for run in judged]),
            "highest_bound": max((run.bound for run in judged), default=None),
            "cpu_minutes": _mean([run.cpu_minutes for run in judged]),
            "lost": sorted({name for run in judged for name in run.lost}),
        }
        figures[crowd] = one
        table.add_row(crowd, *(_shown(one[name]) for name in COLUMNS))
    console.print(table)
    return figures


def _mean(values: Sequence[float]) -> float | None:
    return round(sum(values) / len(values), 3) if values else None


def _shown(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}" if isinstance(value, float) else str(value)


def tiny_walks(folder: Path, products: Sequence[int], seeds: int) -> list[dict[str, Any]]:
    """Have a tiny model learn from careful people about more and more products, with other people each time."""
    return [
        walk(
            products, lambda step, seed=seed: learn(tiny_world(folder, step), "careful", seed, folder / "work").figures
        )
        for seed in range(seeds)
    ]


def starter_walk(
    folder: Path, cache: Path, lines: Sequence[int], each: int, threads: int, changes: dict[str, Any]
) -> dict[str, Any]:
    """Have the starter learn from careful people about more and more lines, by a recipe with changes."""

    def step(some: int) -> dict[str, Any]:
        world = starter_world(cache, some, threads)
        recipe = world.rules.recipes[Kind.COPY].model_copy(update=changes)
        world = world.with_rules(world.rules.model_copy(update={"recipes": {Kind.COPY: recipe}}))
        return learn(world, "careful", 7, folder / "work", each).figures

    return walk(lines, step)


def crowds_apart(folder: Path, names: Sequence[str], seeds: int) -> list[Run]:
    """Have a tiny model learn from each crowd many times over."""
    world, runs = tiny_world(folder), []
    for crowd in names:
        for seed in range(seeds):
            runs.append(learn(world, crowd, seed, folder / "work"))
            # Who has no patience for all of it reads this.
            print(json.dumps(runs[-1].figures), file=sys.stderr, flush=True)
    return runs


def main() -> None:
    """Read the command line and simulate."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--seeds", type=int, default=20, help="runs of each crowd, or walks, with the tiny model")
    parser.add_argument("--crowds", default=";".join(CROWDS), help="which, with semicolons between")
    parser.add_argument("--walk", type=numbers, metavar="PRODUCTS", help="walk up with the tiny model: 20,40,60")
    parser.add_argument("--starter", type=numbers, metavar="LINES", help="walk up with the starter: 320,480,640")
    parser.add_argument("--each", type=int, default=1, help="people who rate each line of the starter")
    parser.add_argument("--recipe", type=json.loads, default={}, help="what the starter's recipe changes, as JSON")
    parser.add_argument("--cache", type=Path, default=Path(".factory/models"), help="folder of the starter")
    parser.add_argument("--threads", type=int, default=2)
    given = parser.parse_args()
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if given.starter:
            figures: dict[str, Any] = starter_walk(
                folder, given.cache, given.starter, given.each, given.threads, given.recipe
            )
            show("starter", figures["steps"])
        elif given.walk:
            walks = tiny_walks(folder, given.walk, given.seeds)
            for seed, one in enumerate(walks):
                show(f"tiny model, people {seed}", one["steps"])
            figures = {"walks": walks}
        else:
            figures = report(Console(stderr=True), crowds_apart(folder, given.crowds.split(";"), given.seeds))
    model = "starter" if given.starter else "tiny"
    print(json.dumps({"model": model, "minutes": round((time.monotonic() - started) / 60, 1), **figures}))


if __name__ == "__main__":
    main()
